"""What is noted of a run whose environment somebody else took down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lambda_dyno.core.errors import DynoError, UserError
from lambda_dyno.core.results import Leftover
from lambda_dyno.report import render
from lambda_dyno.runs import result_store
from lambda_dyno.runs.run_folder import RunFolder


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
            render.render(result, folder.path)
    except (DynoError, OSError):
        return
