"""What a command adds to the history: a record of what it measured. It never fails a run."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from lambda_dyno import __version__
from lambda_dyno.core.errors import DynoError, UserError, brief, told
from lambda_dyno.core.results import RunResult
from lambda_dyno.history import commits, rows, series
from lambda_dyno.history.store import Store

VARIABLE = "DYNO_HISTORY"
OFF = "off"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record comes from.

    Attributes:
        runs: Folder of all runs, which has the history unless the environment says otherwise.
        project: The working tree.
        account_id: The AWS account that was measured in.
        region: The AWS region.
        mode: One of `schema.MODES`.
    """

    runs: Path
    project: Path
    account_id: str
    region: str
    mode: str


def folder(runs: Path, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder of the history; None: it is turned off.

    Args:
        runs: Folder of all runs.
        environ: The process's environment, whose DYNO_HISTORY names another folder, or "off".

    Raises:
        UserError: It names the home of somebody whom nobody knows.
    """
    named = environ.get(VARIABLE, "")
    if named == OFF:
        return None
    try:
        return Path(named).expanduser().absolute() if named else runs / "history"
    except RuntimeError as error:
        raise UserError(f"{VARIABLE}={brief(named)}: there is no such home folder") from error


def place(named: Path | None, project: Callable[[], Path]) -> Path:
    """Return the folder of the history that is read.

    Args:
        named: By the command line; None: it does not.
        project: Finds the project's folder, where nothing else says one.

    Raises:
        UserError: It is turned off, or there is no project.
    """
    if named is not None:
        return named
    found = folder(Path() if os.environ.get(VARIABLE) else project() / "runs")
    if found is None:
        raise UserError(f"{VARIABLE}={OFF}: the history is turned off; --store FOLDER reads one")
    return found


def read(place: Path, say: Callable[[str], None]) -> list[series.Record]:
    """Return the runs of a history, oldest first.

    Args:
        place: Its folder.
        say: Told in a line what cannot be read.

    Raises:
        UserError: DuckDB is not installed, or the folder cannot be looked into.
    """
    return series.current(Store(place, say).runs())


def new_id(run_id: str, mode: str) -> str:
    """Return the id of a new record of a run."""
    return f"{run_id}_{mode}_{secrets.token_hex(4)}"


def keep(result: RunResult, origin: Origin, say: Callable[[str], None]) -> str:
    """Add a run to the history. Whatever goes wrong is said in one line, and is no error.

    Args:
        result: What it has found; of nothing measured there is no record.
        origin: Where it comes from.
        say: Told what went wrong.

    Returns:
        The id of the record, also of one that could not be kept; empty: nothing was measured.
    """
    if not rows.has_figures(result):
        return ""
    record_id = new_id(result.run_id, origin.mode)
    try:
        place = folder(origin.runs)
        if place is None:
            return record_id
        now = datetime.now(UTC).replace(tzinfo=None)
        recording = rows.Recording(
            record_id,
            origin.mode,
            now,
            __version__,
            commits.branch(origin.project),
            origin.account_id,
            origin.region,
        )
        Store(place, say).add(record_id, rows.rows_of(result, recording))
    except DynoError as error:
        say(f"no history of this run: {error} ({VARIABLE}={OFF}: none is wanted)")
    except Exception as error:
        what = told(error) if isinstance(error, OSError) else brief(repr(error), most=200)
        say(f"no history of this run: {what}")
    return record_id


def keep_new(
    before: RunResult, after: RunResult, origin: Origin, say: Callable[[str], None]
) -> str:
    """Add to the history what a command has measured on an environment that stands.

    Args:
        before: What was known before the command.
        after: What is known now.
        origin: Where it comes from; its mode is found here.
        say: Told what went wrong.

    Returns:
        The id of the record; empty: nothing new was measured.
    """
    new = replace(
        after,
        tuning=None if after.tuning is before.tuning else after.tuning,
        load=() if after.load is before.load else after.load,
        verdict=None if after.verdict is before.verdict else after.verdict,
        regression=None if after.regression is before.regression else after.regression,
    )
    mode = "tune" if new.tuning else "load" if new.load else "gate"
    return keep(new, replace(origin, mode=mode), say)
