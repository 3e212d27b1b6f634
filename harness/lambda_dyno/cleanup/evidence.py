"""The evidence of a run at its end, whoever ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lambda_dyno.core.errors import DynoError, StepError, UserError
from lambda_dyno.core.files import short_path
from lambda_dyno.core.results import Leftover, RunResult
from lambda_dyno.runs import result_store
from lambda_dyno.runs.run_folder import RunFolder


def write(result: RunResult, folder: RunFolder) -> Path:
    """Write the report of a run with all its files, and return the page to read.

    Raises:
        StepError: A file cannot be written or drawn.
    """
    from lambda_dyno.artefacts import writing

    return writing.write(result, folder.path)


def missing(result: RunResult) -> str:
    """Return what of a report is not written, and what to install for it; empty: nothing."""
    from lambda_dyno.artefacts import writing

    return writing.missing(result)


def copy(result: RunResult, folder: RunFolder, project: Path) -> str:
    """Copy a run's files to where `[evidence] commit` says; return what was done, in words.

    Raises:
        UserError: That is no folder inside the project.
        StepError: A file cannot be written.
    """
    from lambda_dyno.artefacts import committed

    place = str(result.setting("evidence", "commit", ""))
    if not place:
        return ""
    try:
        target, left = committed.copy(result, folder.path, project, place)
    except OSError as error:
        raise StepError("report", f"[evidence] commit: {place}: {error}") from error
    said = f"evidence to commit: {short_path(target)}"
    return (
        f"{said}; left out, a key or token seems to be in it: {', '.join(left)}" if left else said
    )


def get_ready() -> None:
    """Load what a report is made with, before there is one."""
    from lambda_dyno.artefacts import writing

    writing.get_ready()


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
