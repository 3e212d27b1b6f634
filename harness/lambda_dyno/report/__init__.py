"""What a run shows to its readers: sections and tables, on a terminal, in HTML and Markdown.

`gates` says what is found, in figures and sentences; `tables` and `sections` what is shown of it
and in which order. `console` and the files of `artefacts` only lay that out, so that no two outputs
differ. `terminal` shows a run's progress.
"""
