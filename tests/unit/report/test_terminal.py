"""Progress for a reader that may be gone."""

from __future__ import annotations

import os
import subprocess
import sys

CODE = """
import sys
from lambda_dyno.report.terminal import TerminalUi
ui = TerminalUi()
with ui.step("a", "first") as step:
    step.update("second")
    ui.warn("third")
print("went on")
"""


def test_nothing_fails_because_nobody_reads_any_more() -> None:
    """A closed terminal or pipe must not come between a run and its teardown."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-c", CODE], stderr=write_end, stdout=subprocess.PIPE, text=True
    )
    os.close(write_end)
    assert done.stdout == "went on\n"
