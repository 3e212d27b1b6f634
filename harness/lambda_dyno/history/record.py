"""What a command adds to the history: a record of what it measured. It never fails a run."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from lambda_dyno import __version__
from lambda_dyno.core.errors import DynoError, UserError, brief, told
from lambda_dyno.core.files import write_atomically
from lambda_dyno.core.results import RunResult
from lambda_dyno.history import commits, comparison, page, rows, series
from lambda_dyno.history.schema import RUNS, TUNINGS
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


def compare(
    place: Path,
    names: tuple[str, str],
    wanted: series.Wanted,
    project: Path,
    say: Callable[[str], None],
) -> tuple[comparison.Comparison, commits.Between]:
    """Compare two runs, or the runs of two commits, of a history.

    Args:
        place: Its folder.
        names: A and B: a run's id, or what git or the history knows as a commit.
        wanted: Which runs count.
        project: The working tree.
        say: Told in a line what cannot be read.

    Raises:
        UserError: A name means no run, or they do not compare.
    """
    store = Store(place, say)
    records = [one for one in series.current(store.runs()) if wanted.takes(one)]
    meant = [_meant(records, name, place, project) for name in names]
    before, after, others = comparison.sides(meant[0], meant[1], names)
    ids = [side[-1]["record_id"] for side in (before, after)]
    tunings = [store.rows(TUNINGS, [record_id]) for record_id in ids]
    settings = [row["settings_json"] for name in ids for row in store.rows(RUNS, [name])]
    key = series.Key.of(after[-1])
    trend = series.Series(key, tuple(one for one in records if series.Key.of(one) == key))
    if len(settings) < len(ids):
        raise UserError(f"{place}: a run that is compared has just been removed")
    found = comparison.compare(
        before, after, (tunings[0], tunings[1]), (settings[0], settings[1]), trend
    )
    between = commits.between(project, before[-1]["git_sha"], after[-1]["git_sha"])
    return replace(found, others=tuple(others)), between


def _meant(
    records: Sequence[series.Record], name: str, place: Path, project: Path
) -> list[series.Record]:
    """Return the runs with figures that a name means, oldest first.

    Raises:
        UserError: It means none.
    """
    with_figures = [one for one in records if series.series_of([one])]
    found = [one for one in with_figures if one["run_id"] == name]
    if not found:
        sha = name if commits.is_abbreviated(name) else commits.named(project, name)
        found = [one for one in with_figures if sha and one["git_sha"].startswith(sha)]
    if not found:
        newest = ", ".join(dict.fromkeys(one["run_id"] for one in with_figures[:-6:-1])) or "none"
        raise UserError(
            f"{brief(name)}: no run of this id or commit in {place}. The newest: {newest}"
        )
    return found


def write_page(
    place: Path, found: Sequence[series.Series], project: Path, chosen: str = ""
) -> Path:
    """Write the trends page into the folder of a history, and return its path.

    Args:
        place: The folder.
        found: What it shows.
        project: The working tree, whose remote has the commits.
        chosen: What was chosen of the history, in words.

    Raises:
        OSError: It cannot be written.
    """
    path = place / "trends.html"
    now = datetime.now(UTC)
    text = page.render(found, web=commits.web_address(project), written=now, chosen=chosen)
    write_atomically(path, text)
    return path


def keep(result: RunResult, origin: Origin, say: Callable[[str], None]) -> None:
    """Add a run to the history. Whatever goes wrong is said in one line, and is no error.

    Args:
        result: What it has found; of nothing measured there is no record.
        origin: Where it comes from.
        say: Told what went wrong.
    """
    try:
        place = folder(origin.runs)
        if place is None or not rows.has_figures(result):
            return
        now = datetime.now(UTC).replace(tzinfo=None)
        record_id = f"{result.run_id}_{origin.mode}_{secrets.token_hex(4)}"
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


def keep_new(
    before: RunResult, after: RunResult, origin: Origin, say: Callable[[str], None]
) -> None:
    """Add to the history what a command has measured on an environment that stands.

    Args:
        before: What was known before the command.
        after: What is known now.
        origin: Where it comes from; its mode is found here.
        say: Told what went wrong.
    """
    new = replace(
        after,
        tuning=None if after.tuning is before.tuning else after.tuning,
        load=() if after.load is before.load else after.load,
        verdict=None if after.verdict is before.verdict else after.verdict,
        regression=None if after.regression is before.regression else after.regression,
    )
    mode = "tune" if new.tuning else "load" if new.load else "gate"
    keep(new, replace(origin, mode=mode), say)
