"""What is known of a run that could not tell its own end."""

from __future__ import annotations

import json

from lambda_dyno.core.errors import UserError
from lambda_dyno.core.reading import MissingError, UnreadableError, read_json
from lambda_dyno.core.results import RunResult
from lambda_dyno.runs.run_folder import Lease, RunFolder


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


def write(folder: RunFolder, result: RunResult) -> None:
    """Write what a run has found so far; on a full disk the folder's reserve makes room.

    Raises:
        StepError: It cannot be written.
    """
    folder.write(folder.result.name, json.dumps(result.to_json(), indent=2) + "\n")
