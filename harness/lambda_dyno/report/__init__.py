"""What a run leaves to its readers: terminal summary, HTML, Markdown, charts, JUnit.

`gates` says what is found, in figures and sentences; `tables` and `sections` what is shown of it
and in which order. `render`, `console` and `junit` only lay that out, so that no two outputs
differ.
"""
