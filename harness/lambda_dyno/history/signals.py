"""Changes of a history that somebody should hear of, once each: what to open, and what to close.

A signal is a change for the worse that more than the newest run shows, and whose level has not come
back since. What was told before is known by the trend and by the first run after the change. More
runs may move a change by some runs, so a former signal is the nearest one of the same trend. Pure.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from statistics import fmean
from typing import Literal

from lambda_dyno.history.series import METRICS, Change, Key, Metric, Series
from lambda_dyno.statistics.change_points import LEAST_VALUES

LEAST_WORSE = 0.02  # of a level over the one before; less is nobody's business (series)
NEAR = LEAST_VALUES  # runs that a change may seem to move by when there are more of them

# What is known of a former signal: it is open; we closed it; somebody else did, and meant it.
State = Literal["open", "settled", "dismissed"]


@dataclass(frozen=True, slots=True)
class Level:
    """What a figure was between two changes.

    Attributes:
        mean: Geometric, in the column's unit.
        runs: How many.
    """

    mean: float
    runs: int


@dataclass(frozen=True, slots=True)
class Signal:
    """A change for the worse that is still there.

    Attributes:
        key: What it is of.
        change: The change.
        at: Position of the first run after it, among the runs with this figure.
        before: The level before it.
        after: The level after it, until the next change.
        now: The newest level over the one before it.
    """

    key: Key
    change: Change
    at: int
    before: Level
    after: Level
    now: float

    @property
    def run_id(self) -> str:
        """The first run after it."""
        return str(self.change.after["run_id"])


@dataclass(frozen=True, slots=True)
class Trend:
    """A figure of a function in one place, over time.

    Attributes:
        id: Of what it is, 16 hexadecimal digits.
        places: Positions of its runs.
        signals: Its signals, oldest first.
    """

    id: str
    places: Mapping[str, int]
    signals: tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A former signal.

    Attributes:
        number: Where it was told.
        trend: Id of its trend.
        run_id: The first run after the change.
        state: What became of it.
    """

    number: int
    trend: str
    run_id: str
    state: State


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do.

    Attributes:
        do: What.
        number: Where the former signal was told; 0: it is new.
        trend: Id of its trend.
        signal: The signal; None: it is gone.
    """

    do: Literal["open", "update", "reopen", "close"]
    number: int
    trend: str
    signal: Signal | None


def trend_id(key: Key, metric: Metric) -> str:
    """Return what a trend is known by, which tells nothing of what it is made of."""
    text = "\0".join(map(str, (*astuple(key), metric.column)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def trends(series: Sequence[Series]) -> list[Trend]:
    """Return the trends of series that have figures, in a fixed order."""
    found = [_trend(one, metric) for one in series for metric in METRICS if one.points(metric)]
    return sorted(found, key=lambda trend: trend.id)


def _trend(one: Series, metric: Metric) -> Trend:
    points = one.points(metric)
    places: dict[str, int] = {}
    for at, (record, _) in enumerate(points):
        places.setdefault(str(record["run_id"]), at)
    return Trend(trend_id(one.key, metric), places, tuple(_signals(one, metric)))


def _signals(one: Series, metric: Metric) -> Iterator[Signal]:
    values = [value for _, value in one.points(metric)]
    changes = [c for c in one.changes if c.metric is metric and not c.is_single]
    ends = [0, *(change.found.at for change in changes), len(values)]
    levels = [_level(values[begin:end]) for begin, end in pairwise(ends)]
    for number, change in enumerate(changes):
        before, after = levels[number], levels[number + 1]
        now = levels[-1].mean / before.mean
        if change.found.ratio > 1 and now >= 1 + LEAST_WORSE:
            yield Signal(one.key, change, change.found.at, before, after, now)


def _level(values: Sequence[float]) -> Level:
    return Level(math.exp(fmean(math.log(value) for value in values)), len(values))


def plan(found: Sequence[Trend], known: Sequence[Known]) -> list[Step]:
    """Return what is to be done so that each signal is told once, and none that is gone is open.

    Of a trend that is not found, and of a run that is not in it, nothing is known: a history may
    have been lost, and that closes nothing.

    Args:
        found: The trends of today.
        known: All former signals.
    """
    return [step for trend in found for step in _plan(trend, known)]


def _plan(trend: Trend, known: Sequence[Known]) -> Iterator[Step]:
    placed = [k for k in known if k.trend == trend.id and k.run_id in trend.places]
    matched = _matched(trend, placed)
    for at, signal in enumerate(trend.signals):
        former = matched.get(at)
        if former is None:
            yield Step("open", 0, trend.id, signal)
        elif former.state != "dismissed":
            do: Literal["update", "reopen"] = "update" if former.state == "open" else "reopen"
            yield Step(do, former.number, trend.id, signal)
    for former in placed:
        if former.state == "open" and former not in matched.values():
            yield Step("close", former.number, trend.id, None)


def _matched(trend: Trend, placed: Sequence[Known]) -> dict[int, Known]:
    """Return the former signal of each signal, by its index; the nearest pairs first."""
    pairs = sorted(
        (abs(trend.places[former.run_id] - signal.at), former.state != "open", former.number, at)
        for at, signal in enumerate(trend.signals)
        for former in placed
    )
    by_number = {former.number: former for former in placed}
    matched: dict[int, Known] = {}
    for distance, _, number, at in pairs:
        former = by_number[number]
        if distance <= NEAR and at not in matched and former not in matched.values():
            matched[at] = former
    return matched
