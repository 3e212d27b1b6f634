"""`dyno history` as text: a block for each series, then its newest runs, at any width. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lambda_dyno.core import formatting
from lambda_dyno.core.errors import brief
from lambda_dyno.history.series import METRICS, Change, Metric, Record, Series

_MOST_SERIES = 5
_SPARKS = 24
_ALWAYS = 3  # importance of what is never left out for being the same
_TITLE = max(len(metric.title) for metric in METRICS)


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    cells: list[str]
    importance: int  # the lowest are shown where there is no room for all
    numeric: bool = False

    @property
    def rank(self) -> int:
        """Its importance; what is the same in each row comes last."""
        same = len(self.cells) > 1 and len(set(self.cells)) == 1
        return self.importance + (100 if same and self.importance > _ALWAYS else 0)

    @property
    def width(self) -> int:
        return max(len(self.title), *map(len, self.cells))

    def padded(self, text: str) -> str:
        return text.rjust(self.width) if self.numeric else text.ljust(self.width)


def lines(series: Sequence[Series], records: Sequence[Record], width: int) -> Iterator[str]:
    """Yield what is shown of a history.

    Args:
        series: The newest first.
        records: The runs to list, the newest first.
        width: Of the terminal, in columns.
    """
    for one in series[:_MOST_SERIES]:
        yield from _block(one, width)
        yield ""
    more = len(series) - _MOST_SERIES
    if more > 0:
        text = f"{more} more with older runs: choose by --function, --env, --branch, --on."
        yield from formatting.wrapped(text, width)
        yield ""
    yield from _table(records, width)


def _block(one: Series, width: int) -> Iterator[str]:
    key = one.key
    count = len(one.records)
    branch = f" · {brief(key.branch)}" if key.branch else ""
    runs = f"{count:,} run{'s' if count != 1 else ''}"
    name = f"{brief(key.function_name)} · {brief(key.place)}{branch} · {runs}"
    yield from formatting.wrapped(name, width)
    for metric in METRICS:
        points = one.points(metric)
        if points:
            yield from _trend(one, metric, [value for _, value in points], width)


def _trend(one: Series, metric: Metric, values: list[float], width: int) -> Iterator[str]:
    now = f"{metric.shown(values[-1])} {metric.unit}"
    limit = one.limit(metric)
    of_limit = "" if limit is None else f", limit {metric.shown(limit)}{one.limit_is_of}"
    sparks = formatting.sparkline(values, min(_SPARKS, width - 4))
    whole = f"  {metric.title:<{_TITLE}}  {sparks:<{min(len(values), _SPARKS)}}  {now}{of_limit}"
    if len(whole) <= width:
        yield whole
    else:
        yield f"  {metric.title}"
        yield f"    {sparks}"
        yield from formatting.wrapped(f"{now}{of_limit}", width, "    ")
    last = [change for change in one.changes if change.metric is metric][-1:]
    for change in last:
        yield from formatting.wrapped(_since(change), width, "    ")


def _since(change: Change) -> str:
    sha = str(change.after["git_sha"])[:9]
    where = f"commit {sha}" if sha else "changes that are not committed"
    dirty = " with changes" if sha and change.after["is_dirty"] else ""
    return f"{change.words} since {where}{dirty}, run {change.after['run_id']}{change.doubt}"


def _table(records: Sequence[Record], width: int) -> Iterator[str]:
    """Yield the runs as rows, with as many columns as there is room for."""
    columns = _columns(records)
    chosen: list[_Column] = []
    room = width
    for column in sorted(columns, key=lambda each: each.rank):
        if column.width > room:
            continue
        chosen.append(column)
        room -= column.width + 2
    shown = [column for column in columns if column in chosen]
    yield "  ".join(column.padded(column.title) for column in shown).rstrip()
    for row in range(len(records)):
        yield "  ".join(column.padded(column.cells[row]) for column in shown).rstrip()


def _columns(records: Sequence[Record]) -> list[_Column]:
    duration, cost, p95, memory = METRICS

    def of(metric: Metric) -> list[str]:
        return [metric.shown(metric.value(record)) for record in records]

    def text(name: str, most: int) -> list[str]:
        return [brief(record[name], most=most) or formatting.MISSING for record in records]

    return [
        _Column("", [_symbol(record) for record in records], 1),
        _Column("run", [brief(record["run_id"], most=17) for record in records], 0),
        _Column("began (UTC)", [_when(record["started_at"]) for record in records], 8),
        _Column("mode", text("mode", 4), 11),
        _Column("function", text("function_name", 30), 6),
        _Column("env", text("env", 20), 7),
        _Column("branch", text("branch", 24), 9),
        _Column("commit", [_commit(record) for record in records], 5),
        _Column("MB", [_size(record) for record in records], 10, numeric=True),
        _Column("ms", of(duration), 2, numeric=True),
        _Column("USD/million", of(cost), 4, numeric=True),
        _Column("p95 ms", of(p95), 3, numeric=True),
        _Column("MB used", of(memory), 12, numeric=True),
    ]


def _symbol(record: Record) -> str:
    if record["error"]:
        return formatting.SYMBOLS["error"]
    return formatting.SYMBOLS.get(record["outcome"] or "none", formatting.SYMBOLS["none"])


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _commit(record: Record) -> str:
    sha = str(record["git_sha"])[:9] or formatting.MISSING
    return f"{sha}+" if record["is_dirty"] else sha


def _size(record: Record) -> str:
    now, best = record["memory_mb"], record["recommended_mb"]
    if now is None:
        return formatting.MISSING
    return f"{now}→{best}" if best not in (None, now) else str(now)


def as_json(record: Record) -> Mapping[str, Any]:
    """Return a run for programs: times as ISO 8601, a text without a value as null."""
    return {
        name: f"{value.isoformat()}Z" if isinstance(value, datetime) else value
        for name, value in {**record, "outcome": record["outcome"] or None}.items()
    }
