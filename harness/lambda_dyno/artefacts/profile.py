"""What each measured memory size does to a function, in two words, and where the curve's elbow is.

The elbow is found by Kneedle (Satopää et al. 2011, "Finding a Kneedle in a Haystack"): over the
logarithm of memory, both axes from 0 to 1, it is the size furthest below the straight line from
the first size to the last. How sure that is: durations are drawn anew within their intervals.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lambda_dyno.core import formatting
from lambda_dyno.core.results import PowerDetail, TuningResult
from lambda_dyno.gates.advice import figures, measured

# Gain: the exponent g of "duration falls as memory to the power of g". 1: twice the memory, half
# the duration; 0: memory changes nothing.
CONSTRAINED_FROM = 0.5  # twice the memory: at least 1.41 times as fast
GAIN_FROM = 0.1  # twice the memory: at least 7 % faster
_SAME_RATIO = 1.05  # without intervals: durations closer than that are the same
_STRAIGHT = 0.1  # distance from the line, of 1: below, the curve has no elbow
_DRAWS = 1000
_Z95 = 1.96


@dataclass(frozen=True, slots=True)
class Profile:
    """What a memory size does: `behaviour` towards the next one, and the `outcome` of taking it."""

    memory_mb: int
    behaviour: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Elbow:
    """Where more memory stops paying.

    Attributes:
        memory_mb: The size; None: the curve has no elbow.
        shares: How often each size was the elbow when durations were drawn anew within their
            95 % intervals, 0 to 1, None for "no elbow"; empty: a size has no interval.
    """

    memory_mb: int | None
    shares: Mapping[int | None, float]

    @property
    def sentence(self) -> str:
        """What a reader is told."""
        if self.memory_mb is None:
            found = "No elbow: duration falls about evenly with each larger size, or not at all."
        else:
            found = f"Elbow: {self.memory_mb} MB, beyond which more memory shortens little."
        if not self.shares:
            return f"{found} How sure that is cannot be told: a size has too few invocations."
        own = self.shares.get(self.memory_mb, 0.0)
        others = [(mb, s) for mb, s in self.shares.items() if mb != self.memory_mb and s >= 0.05]
        text = f"{found} It is so in {formatting.percent(round(own, 2))} of {_DRAWS:,} redraws"
        if others:
            named = (
                f"{'none' if mb is None else f'{mb} MB'} in {formatting.percent(round(s, 2))}"
                for mb, s in sorted(others, key=lambda one: -one[1])
            )
            text += f" ({', '.join(named)})"
        return f"{text} of the durations within their 95 % intervals."


@dataclass(frozen=True, slots=True)
class _Size:
    mb: int
    ms: float
    usd: float
    interval_ms: tuple[float, float] | None

    def is_apart_from(self, other: _Size) -> bool:
        """Whether the two durations can be told apart."""
        if self.interval_ms is None or other.interval_ms is None:
            return max(self.ms, other.ms) > _SAME_RATIO * min(self.ms, other.ms)
        (low, high), (other_low, other_high) = self.interval_ms, other.interval_ms
        return high < other_low or other_high < low


def profiles(tuning: TuningResult) -> tuple[Profile, ...]:
    """Return behaviour and outcome of each size that was looked at, ascending."""
    sizes = {size.mb: size for size in _sizes(tuning)}
    ordered = list(sizes.values())
    found = []
    for detail in sorted(tuning.details, key=lambda one: one.power):
        size = sizes.get(detail.power)
        if size is None:
            found.append(Profile(detail.power, "not measured", "failed: avoid"))
            continue
        behaviour = _behaviour(size, ordered)
        found.append(Profile(size.mb, behaviour, _outcome(size, ordered, tuning, behaviour)))
    return tuple(found)


def elbow(tuning: TuningResult) -> Elbow | None:
    """Return the elbow of duration over memory; None below three sizes."""
    sizes = _sizes(tuning)
    if len(sizes) < 3:
        return None
    memory_mb = [size.mb for size in sizes]
    durations_ms = [size.ms for size in sizes]
    intervals = [size.interval_ms for size in sizes if size.interval_ms is not None]
    at = knee(memory_mb, durations_ms)
    shares: dict[int | None, float] = {}
    if len(intervals) == len(sizes):
        source = random.Random(1)  # noqa: S311 - the same run, the same sentence
        sigmas = [(high - low) / 2 / _Z95 for low, high in intervals]
        counted = Counter(
            knee(
                memory_mb, [source.gauss(ms, s) for ms, s in zip(durations_ms, sigmas, strict=True)]
            )
            for _ in range(_DRAWS)
        )
        shares = {mb: count / _DRAWS for mb, count in counted.items()}
    return Elbow(at, shares)


def knee(memory_mb: Sequence[int], durations_ms: Sequence[float]) -> int | None:
    """Return the elbow of a falling curve, memory ascending; None: it has none."""
    most, least = max(durations_ms), min(durations_ms)
    if most <= least or durations_ms[0] <= durations_ms[-1]:
        return None
    span = math.log(memory_mb[-1] / memory_mb[0])
    below = [
        1 - math.log(mb / memory_mb[0]) / span - (ms - least) / (most - least)
        for mb, ms in zip(memory_mb, durations_ms, strict=True)
    ]
    best = max(range(len(below)), key=below.__getitem__)
    return memory_mb[best] if below[best] >= _STRAIGHT else None


def _sizes(tuning: TuningResult) -> list[_Size]:
    """Return the sizes that have a duration and a cost, ascending."""
    ordered = sorted(measured(tuning), key=lambda detail: detail.power)
    return [_Size(d.power, *figures(tuning, d), _interval_ms(tuning, d)) for d in ordered]


def _interval_ms(tuning: TuningResult, detail: PowerDetail) -> tuple[float, float] | None:
    """Return a duration's 95 % interval, from where the duration is: the model, or itself."""
    of_model = ((p.low, p.high) for p in tuning.curve if p.memory_mb == detail.power)
    return next(of_model, detail.duration_interval_ms)


def _behaviour(size: _Size, sizes: Sequence[_Size]) -> str:
    """Return what happens from a size to the next one; of the largest: on the way to it."""
    if len(sizes) < 2:
        return "alone"
    steps = list(pairwise(sizes))
    small, large = next((step for step in steps if step[0] is size), steps[-1])
    if not small.is_apart_from(large):
        return "flat"
    gain = math.log(small.ms / large.ms) / math.log(large.mb / small.mb)
    if gain < 0:
        return "slower with more"
    if gain < GAIN_FROM:
        return "flat"
    if size is sizes[-1]:
        return "still gains"  # nothing says what comes beyond
    return "CPU constrained" if gain >= CONSTRAINED_FROM else "still gains"


def _outcome(size: _Size, sizes: Sequence[_Size], tuning: TuningResult, behaviour: str) -> str:
    cheapest = min(sizes, key=lambda one: one.usd)
    if size.mb == (tuning.kept_over or tuning.power):
        return "cheapest and best profile" if size is cheapest else "best profile"
    if size is cheapest:
        return "cheapest"
    if any(x.mb > size.mb and x.ms < size.ms and x.usd <= size.usd for x in sizes):
        return "avoid" if behaviour == "CPU constrained" else "avoid: a larger size beats it"
    if any(x.mb < size.mb and x.usd <= size.usd and _as_fast(x, size) for x in sizes):
        return "no benefit"
    if size.ms == min(one.ms for one in sizes):
        return "fastest"
    return f"trade-off: {formatting.change(size.usd / cheapest.usd)} % cost of the cheapest"


def _as_fast(one: _Size, other: _Size) -> bool:
    return one.ms <= other.ms or not one.is_apart_from(other)
