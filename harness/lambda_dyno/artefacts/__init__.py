"""The files of a run: report, JUnit, summary by memory size, smoke test, PDFs, page for curves."""
