"""What a run leaves to its readers: terminal summary, HTML, Markdown, charts, JUnit.

`numbers` says how a figure is written, `words`, `advice` and `tables` what is said of a run;
`console`, `render`, `charts` and `junit` only lay that out, so that no two outputs differ.
"""
