"""Files of a run for people: summary by memory size, smoke test, PDFs, and a page for curves."""
