"""Two runs, or the runs of two commits: how their figures differ, and how surely. Pure.

How much runs of the same code differ from each other is taken from all runs of the function in
that place: its scatter within the segments between its changes. Where too few runs are known, an
interval holds for the two runs as they were, and the comparison says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.reading import parse_json
from lambda_dyno.history.series import METRICS, Key, Metric, Record, Series
from lambda_dyno.statistics.change_points import Scatter, scatter
from lambda_dyno.statistics.distributions import t_quantile
from lambda_dyno.statistics.stats import CONFIDENCE

Basis = Literal["runs", "run", ""]
_Z = 1.96

# The interval of a figure within its run, by its column.
_INTERVALS = {
    "duration_ms": ("duration_low_ms", "duration_high_ms"),
    "cost_usd": ("cost_low_usd", "cost_high_usd"),
}
_FACTS = ("architecture", "memory_mb", "recommended_mb", "mode", "dyno_version", "code_sha256")


@dataclass(frozen=True, slots=True)
class Delta:
    """How a figure differs.

    Attributes:
        before: Of A; the geometric mean of several runs. None: not measured.
        after: Of B.
        ratio: B over A.
        low: 95 % interval of it; None: nothing is known of its scatter.
        high: The same.
        basis: What the interval holds for: "runs" of this function, or the "run" alone.
    """

    before: float | None
    after: float | None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    basis: Basis = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides of the history.

    Attributes:
        before: Runs of A, oldest first.
        after: Runs of B.
        figures: By metric.
        sizes: Duration and cost by memory size, of the newest run of each side.
        facts: What else differs, "name: A -> B".
        settings: Keys that differ, the same way.
        others: What the name means besides, and is not compared.
    """

    before: tuple[Record, ...]
    after: tuple[Record, ...]
    figures: tuple[tuple[Metric, Delta], ...]
    sizes: tuple[tuple[int, Delta, Delta], ...]
    facts: tuple[str, ...]
    settings: tuple[str, ...]
    others: tuple[str, ...] = ()


def sides(
    before: Sequence[Record], after: Sequence[Record], names: tuple[str, str]
) -> tuple[list[Record], list[Record], list[str]]:
    """Return the runs of two names that can be compared, and what else the names mean.

    Args:
        before: All runs that A means.
        after: All that B means.
        names: What was asked for.

    Raises:
        UserError: One was measured on the embedded AWS, the other on AWS.
    """
    places = {_place(record): record for record in after}
    shared = [record for record in before if _place(record) in places]
    if shared:
        newest = max(
            {_place(record) for record in shared},
            key=lambda place: places[place]["started_at"],
        )
        chosen = [[r for r in side if _place(r) == newest] for side in (before, after)]
        rest = sorted({_words(r) for r in shared if _place(r) != newest})
        return _clean(chosen[0]), _clean(chosen[1]), rest
    first, last = before[-1], after[-1]
    if first["is_embedded"] != last["is_embedded"]:
        where = ["the embedded AWS" if r["is_embedded"] else "AWS" for r in (first, last)]
        raise UserError(
            f"{brief(names[0])} was measured on {where[0]}, {brief(names[1])} on {where[1]}: "
            "their figures do not compare"
        )
    return [first], [last], []


def compare(
    before: Sequence[Record],
    after: Sequence[Record],
    tunings: tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]],
    settings: tuple[str, str],
    trend: Series,
) -> Comparison:
    """Compare the runs of two sides.

    Args:
        before: Runs of A, oldest first.
        after: Runs of B.
        tunings: Rows of `tunings` of the newest run of each.
        settings: `settings_json` of the newest run of each.
        trend: All runs in the place of B, for how much runs scatter.
    """
    scatters = {
        metric.column: scatter([value for _, value in trend.points(metric)]) for metric in METRICS
    }
    figures = tuple((metric, _figure(metric, before, after, scatters)) for metric in METRICS)
    return Comparison(
        tuple(before),
        tuple(after),
        figures,
        tuple(_sizes(*tunings, scatters)),
        tuple(_facts(before[-1], after[-1])),
        tuple(_changed(*map(_flat, settings))),
    )


def _place(record: Record) -> tuple[Any, ...]:
    key = Key.of(record)
    return (key.function_name, key.env, key.is_embedded, key.region, key.account_id)


def _words(record: Record) -> str:
    key = Key.of(record)
    return f"{brief(key.function_name)} on {brief(key.place)}"


def _clean(records: Sequence[Record]) -> list[Record]:
    """Return runs of the commit itself, if there are any beside those of changes behind it."""
    return [record for record in records if not record["is_dirty"]] or list(records)


def _figure(
    metric: Metric,
    before: Sequence[Record],
    after: Sequence[Record],
    scatters: Mapping[str, Scatter | None],
) -> Delta:
    values = [
        [value for record in side if (value := metric.value(record)) is not None]
        for side in (before, after)
    ]
    means = [math.exp(fmean(map(math.log, side))) if side else None for side in values]
    within = [_half(side[-1], *_INTERVALS.get(metric.column, ("", ""))) for side in (before, after)]
    return _delta(
        means[0], means[1], within, (len(values[0]), len(values[1])), scatters[metric.column]
    )


def _half(row: Mapping[str, Any], low: str, high: str) -> float | None:
    """Return half the width of an interval of a logarithm; None: it has none."""
    ends = (row.get(low), row.get(high))
    if ends[0] is None or ends[1] is None or not 0 < ends[0] <= ends[1]:
        return None
    return math.log(ends[1] / ends[0]) / 2


def _delta(
    before: float | None,
    after: float | None,
    within: Sequence[float | None],
    counts: tuple[int, int],
    known: Scatter | None,
) -> Delta:
    """Return how two figures differ, with the wider one of the intervals that are known."""
    if not before or not after:
        return Delta(before, after)
    halves: list[tuple[float, Basis]] = []
    if within[0] is not None and within[1] is not None:
        halves.append((math.hypot(within[0], within[1]), "run"))
    if known is not None:
        factor = t_quantile((1 + CONFIDENCE) / 2, known.freedom)
        half = factor * known.sd * math.sqrt(sum(1 / count for count in counts))
        halves = [(max(half, *(found for found, _ in halves), 0.0), "runs")]
    ratio = after / before
    if not halves:
        return Delta(before, after, ratio)
    half, basis = halves[0]
    return Delta(before, after, ratio, ratio * math.exp(-half), ratio * math.exp(half), basis)


def _sizes(
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    scatters: Mapping[str, Scatter | None],
) -> Iterator[tuple[int, Delta, Delta]]:
    """Yield the memory sizes that either was measured at, with duration and cost."""
    rows = [{row["memory_mb"]: row for row in side} for side in (before, after)]
    for size in sorted(rows[0].keys() | rows[1].keys()):
        a, b = (side.get(size, {}) for side in rows)
        duration, cost = (
            _delta(
                a.get(column),
                b.get(column),
                [_half(a, *_INTERVALS[column]), _half(b, *_INTERVALS[column])],
                (1, 1),
                scatters[column],
            )
            for column in ("duration_ms", "cost_usd")
        )
        yield size, duration, cost


def _facts(before: Record, after: Record) -> Iterator[str]:
    for name in _FACTS:
        a, b = before[name], after[name]
        if a != b and (a or b) and (name != "code_sha256" or (a and b)):
            yield f"{name}: {_value(a)} → {_value(b)}"
    for side, record in (("A", before), ("B", after)):
        if record["is_dirty"]:
            yield f"{side} had changes that were not committed"
        if record["error"]:
            yield f"{side} ended early: {brief(record['error'], most=200)}"


def _flat(text: str) -> dict[str, Any]:
    """Return settings by "section.key"; nothing if they cannot be read."""
    try:
        content = parse_json(text or "{}", "settings_json")
    except UserError:
        return {}
    found: dict[str, Any] = {}
    waiting = list(content.items()) if isinstance(content, dict) else []
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting += [(f"{key}.{inner}", part) for inner, part in value.items()]
        else:
            found[key] = value
    return found


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(before.keys() | after.keys()):
        a, b = before.get(key), after.get(key)
        if a != b:
            yield f"{brief(key)}: {_value(a)} → {_value(b)}"


def _value(value: Any) -> str:
    return brief("none" if value in (None, "") else value, most=60)
