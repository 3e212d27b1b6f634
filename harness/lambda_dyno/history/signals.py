"""Changes of a history that somebody should hear of, once each: what to open, and what to close.

A signal is a change for the worse that more than the newest run shows, and whose level has not come
back since. What was told before is known by the trend and by the first run after the change. More
runs may move a change by some runs, so a former signal is the nearest one of the same trend.

A history is looked at after each run, and 50 looks are wrong more often than one. So a signal is
told when three looks have found it, the newest and those before the last two runs, and is gone when
none of them has: tests/unit/history/test_signals.py counts how often that is wrong. Pure.
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
from lambda_dyno.statistics.change_points import LEAST_VALUES, between

LEAST_WORSE = 0.02  # of a level over the one before; less is nobody's business (series)
NEAR = LEAST_VALUES  # runs that a change may seem to move by when there are more of them
LOOKS = 3  # that must agree

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
        looks: Its signals, oldest first: of all runs, and without the last one, two, ...
    """

    id: str
    places: Mapping[str, int]
    looks: tuple[tuple[Signal, ...], ...]

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Its signals that all looks have found."""
        return tuple(signal for signal in self.looks[0] if self.is_sure(signal))

    def is_sure(self, signal: Signal) -> bool:
        """Whether all looks have found a signal, or one near to it."""
        return all(any(_is_near(signal.at, one.at) for one in look) for look in self.looks)


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
    looks = tuple(tuple(_signals(one, metric, but)) for but in range(LOOKS))
    return Trend(trend_id(one.key, metric), places, looks)


def _signals(one: Series, metric: Metric, but: int) -> Iterator[Signal]:
    """Yield the signals that there were before the newest so many runs."""
    values = [value for _, value in one.points(metric)]
    logs = [math.log(value) for value in values[: len(values) - but]]
    changes = [change for change in one.changes_of(metric, but) if not change.is_single]
    ends = [0, *(change.found.at for change in changes), len(logs)]
    parts = [logs[begin:end] for begin, end in pairwise(ends)]
    for number, change in enumerate(changes):
        before, after, last = parts[number], parts[number + 1], parts[-1]
        now = between(before, last, change.found.at)
        # a level that cannot be told from the one before has come back
        is_there = now.ratio >= 1 + LEAST_WORSE and now.interval.low > 1
        if change.found.ratio > 1 and is_there:
            levels = _level(before), _level(after)
            yield Signal(one.key, change, change.found.at, *levels, now.ratio)


def _level(logs: Sequence[float]) -> Level:
    return Level(math.exp(fmean(logs)), len(logs))


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
    matches = [_matched(trend, look, placed) for look in trend.looks]
    told = [trend.places[former.run_id] for former in placed]
    for at, signal in _largest_first(trend.looks[0]):
        former = matches[0].get(at)
        if former is None:
            # what is near to one that was told is a part of it: few runs tell a change in two
            if trend.is_sure(signal) and not any(_is_near(signal.at, one) for one in told):
                told.append(signal.at)
                yield Step("open", 0, trend.id, signal)
        elif former.state == "open":
            yield Step("update", former.number, trend.id, signal)
        elif former.state == "settled" and trend.is_sure(signal):
            yield Step("reopen", former.number, trend.id, signal)
    for former in placed:
        if former.state == "open" and not any(former in found.values() for found in matches):
            yield Step("close", former.number, trend.id, None)


def _largest_first(signals: Sequence[Signal]) -> list[tuple[int, Signal]]:
    """Return signals with their indices."""
    return sorted(enumerate(signals), key=lambda pair: -pair[1].change.found.ratio)


def _matched(trend: Trend, look: Sequence[Signal], placed: Sequence[Known]) -> dict[int, Known]:
    """Return the former signal of each signal, by its index; the nearest pairs first."""
    pairs = sorted(
        (abs(trend.places[former.run_id] - signal.at), former.state != "open", former.number, at)
        for at, signal in enumerate(look)
        for former in placed
        if _is_near(trend.places[former.run_id], signal.at)
    )
    by_number = {former.number: former for former in placed}
    matched: dict[int, Known] = {}
    for _, _, number, at in pairs:
        former = by_number[number]
        if at not in matched and former not in matched.values():
            matched[at] = former
    return matched


def _is_near(one: int, other: int) -> bool:
    return abs(one - other) <= NEAR
