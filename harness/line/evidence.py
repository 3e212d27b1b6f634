"""What is known of a run that could not tell its own end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from harness.errors import DynoError, UserError
from harness.reading import MissingError, UnreadableError, read_json
from harness.results import Leftover, RunResult
from harness.runs import Lease, RunFolder


def begun(lease: Lease, *, git_sha: str = "") -> RunResult:
    """Return the result of a run that has found nothing yet.

    Args:
        lease: The run's.
        git_sha: The commit that it measures; empty: not known.
    """
    return RunResult(
        run_id=lease.run_id,
        env=lease.env,
        git_sha=git_sha,
        started_at=lease.started_at,
        timings={},
        name_prefix=lease.name_prefix,
        outputs={},
        settings=lease.settings,
        endpoint=lease.endpoint,
    )


def read(folder: RunFolder) -> RunResult:
    """Return what a run has found so far; one that found nothing yet has an empty result.

    Raises:
        UserError: Its result.json cannot be read.
    """
    try:
        content = read_json(folder.result)
    except MissingError:
        return begun(folder.read_lease())
    except UnreadableError as error:
        raise UserError(f"{folder.result}: not the result of a run: {error.problem}") from error
    return RunResult.from_json(content, str(folder.result))


def note_end(folder: RunFolder, reason: str, left: Sequence[Leftover]) -> None:
    """Note that somebody else took a run's environment down, and write its report.

    What it had measured is kept. Nothing of this is worth failing for.

    Args:
        folder: The run's folder.
        reason: Why it was taken down.
        left: What is still there.
    """
    try:
        result = read(folder)
    except UserError:
        return
    error = result.error or ("" if result.verdict else f"swept: {reason}")
    result = replace(result, error=error, leftovers=tuple(left))
    try:
        folder.write("result.json", json.dumps(result.to_json(), indent=2) + "\n")
        if result.tuning or result.load:
            from harness.report import render

            render.render(result, folder.path)
    except (DynoError, OSError):
        return
