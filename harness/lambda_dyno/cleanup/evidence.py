"""The evidence of a run at its end, whoever ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lambda_dyno.core.errors import DynoError, UserError
from lambda_dyno.core.results import Leftover, RunResult
from lambda_dyno.runs import result_store
from lambda_dyno.runs.run_folder import RunFolder


def write(result: RunResult, folder: RunFolder) -> Path:
    """Write the report of a run with all its files, and return the page to read.

    Raises:
        StepError: A file cannot be written or drawn.
    """
    from lambda_dyno.report import render

    return render.render(result, folder.path).html


def get_ready() -> None:
    """Load what a report is made with, before there is one: that takes half a second."""
    from lambda_dyno.report import render

    render.get_ready()


def note_end(folder: RunFolder, reason: str, left: Sequence[Leftover]) -> None:
    """Note that somebody else took a run's environment down, and write its report.

    What it had measured is kept. Nothing of this is worth failing for.

    Args:
        folder: The run's folder.
        reason: Why it was taken down.
        left: What is still there.
    """
    try:
        result = result_store.read(folder)
    except UserError:
        return
    error = result.error or ("" if result.verdict else f"swept: {reason}")
    result = replace(result, error=error, leftovers=tuple(left))
    try:
        result_store.write(folder, result)
        if result.tuning or result.load:
            write(result, folder)
    except (DynoError, OSError):
        return
