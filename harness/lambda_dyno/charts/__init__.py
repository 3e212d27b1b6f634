"""The pictures of a run: a Vega-Lite specification each, and the Python that fills its data in."""
