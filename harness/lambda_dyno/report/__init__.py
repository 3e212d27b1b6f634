"""What a run leaves to its readers: terminal summary, HTML, Markdown, charts, JUnit.

`formatting` says how a figure is written; `phrases`, `recommendation` and `tables` what is said of
a run; `sections` in which order. `render`, `console` and `junit` only lay that out, so that no two
outputs differ.
"""
