"""Two runs, or the runs of two commits, of a store, found by their names and compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.history import commits, comparison, series
from lambda_dyno.history.schema import RUNS, TUNINGS
from lambda_dyno.history.store import Store


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
