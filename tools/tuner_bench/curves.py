"""Measured power curves as functions to tune: their true durations, and how invocations scatter.

A curve's table has noise of its own, so the best of its cells is often luck. Where there are at
least 20 sizes the truth is the table smoothed, and what it scatters around that is given to the
noise; unless neighbours are off to the same side, as steps are. Between sizes duration is linear in
1/memory.
"""

from __future__ import annotations

import json
import math
import random
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from lambda_dyno.tuner_policy.limits import Count, Limit, Statistic
from tools.fidelity.curves import DATA, read_curves
from tools.fidelity.curves import Curve as MeasuredCurve

CURVES = DATA / "aws-curves.json"
NOISE = DATA / "aws-noise.json"

_SMOOTHED_FROM = 20  # sizes
_KERNEL_WIDTH = 0.25  # in ln(memory)
_MOST_SCATTER = 0.6
# Mean square of the differences between neighbours over the mean square: 2 of noise, less of what
# is no noise (von Neumann 1941). The 17 measured tables with noise have 1.6 to 2.8, that of a
# short function with steps has 0.3.
_LEAST_OF_NOISE = 1.0
# Of the noise's deviation what a size's execution environments have in common: aws-noise.json.
_SANDBOX_SHARE, _SANDBOX_MOST = 0.35, 0.05
_OF_STATISTICS = 20_000  # invocations that tell a percentile well enough
_SLOWER, _FASTER = 1.2, 1.6  # what no function does that is larger


@dataclass(frozen=True, slots=True)
class Noise:
    """How warm invocations scatter: quantiles of ln(duration) around their middle."""

    quantiles: tuple[float, ...]
    sd: float

    def draw(self, chance: random.Random) -> float:
        """Return one residual."""
        place = chance.random() * (len(self.quantiles) - 1)
        below = int(place)
        low, high = self.quantiles[below], self.quantiles[min(below + 1, len(self.quantiles) - 1)]
        return low + (place - below) * (high - low)


@dataclass(frozen=True, slots=True)
class Curve:
    """A function that was measured at several memory sizes."""

    id: str
    sizes_mb: tuple[int, ...]
    durations_ms: tuple[float, ...]  # the truth at each
    noise: Noise
    scatter: float  # further standard deviation of ln(duration), of the table's own
    plausible: bool

    def times_typical(self, on: Statistic) -> float:
        """Return what a statistic of many invocations is over the curve's duration, at any size."""
        chance = random.Random(self.id)  # noqa: S311 - noise, not secrets
        drawn = [self.one(chance) for _ in range(_OF_STATISTICS)]
        return Count.of(Limit(math.inf, on), drawn).value_ms

    def one(self, chance: random.Random) -> float:
        """Return how much longer than typical one invocation is, as a ratio."""
        log = self.noise.draw(chance)
        return math.exp(log + (chance.gauss(0.0, self.scatter) if self.scatter else 0.0))

    def duration_ms(self, memory_mb: float) -> float:
        """Return the true duration at a memory size within the curve's range."""
        sizes = self.sizes_mb
        above = min(max(bisect_left(sizes, memory_mb), 1), len(sizes) - 1)
        low, high = sizes[above - 1], sizes[above]
        share = (1 / low - 1 / memory_mb) / (1 / low - 1 / high)
        one, other = self.durations_ms[above - 1], self.durations_ms[above]
        return one + min(1.0, max(0.0, share)) * (other - one)


def read(path: Path = CURVES) -> list[Curve]:
    """Return the curves of a file: a JSON list of objects with id, power, duration_ms and cls.

    Raises:
        UserError: It cannot be read, or something in it is no curve.
    """
    classes = json.loads(NOISE.read_text())["classes"]
    noise = {
        name: Noise(tuple(row["quantiles"]), float(row["sd"])) for name, row in classes.items()
    }
    return [_curve(measured, noise) for measured in read_curves(path)]


def _curve(measured: MeasuredCurve, noise: Mapping[str, Noise]) -> Curve:
    sizes, table = measured.memory_mb, list(measured.duration_ms)
    truth, scatter = _truth(sizes, table)
    return Curve(
        measured.name,
        sizes,
        tuple(truth),
        noise[_class_of(measured.kind, truth)],
        scatter,
        _is_plausible(sizes, truth),
    )


def _class_of(words: str, truth: Sequence[float]) -> str:
    """Return the class of noise: what a curve's `cls` begins with."""
    if max(truth) < 15:
        return "trivial"
    first = words.lower()
    if first.startswith(("io", "sleep", "network", "cold")):
        return "io"
    return "cpu" if first.startswith(("cpu", "python-regression")) else "mixed"


def _truth(sizes: Sequence[int], table: Sequence[float]) -> tuple[list[float], float]:
    """Return the durations without the table's own noise, and how much that is."""
    if len(sizes) < _SMOOTHED_FROM:
        return list(table), 0.0
    smooth = _smoothed(sizes, table)
    rest = [math.log(value / middle) for value, middle in zip(table, smooth, strict=True)]
    squares = math.fsum(value * value for value in rest)
    apart = math.fsum((other - one) ** 2 for one, other in pairwise(rest))
    if apart < _LEAST_OF_NOISE * squares:
        return list(table), 0.0
    return smooth, min(_MOST_SCATTER, math.sqrt(squares / len(rest)))


def _smoothed(sizes: Sequence[int], table: Sequence[float]) -> list[float]:
    """Return the table smoothed by local lines in ln and ln."""
    xs, ys = [math.log(size) for size in sizes], [math.log(value) for value in table]
    smooth = []
    for x in xs:
        weights = [math.exp(-0.5 * ((other - x) / _KERNEL_WIDTH) ** 2) for other in xs]
        total = math.fsum(weights)
        mean_x = math.fsum(w * v for w, v in zip(weights, xs, strict=True)) / total
        mean_y = math.fsum(w * v for w, v in zip(weights, ys, strict=True)) / total
        spread = math.fsum(w * (v - mean_x) ** 2 for w, v in zip(weights, xs, strict=True))
        both = math.fsum(
            w * (v - mean_x) * (u - mean_y) for w, v, u in zip(weights, xs, ys, strict=True)
        )
        smooth.append(mean_y + (both / spread if spread > 0 else 0.0) * (x - mean_x))
    return [math.exp(value) for value in smooth]


def _is_plausible(sizes: Sequence[int], truth: Sequence[float]) -> bool:
    """Whether no size is much slower than a smaller one, nor faster than its memory explains."""
    fastest = math.inf
    for index, value in enumerate(truth):
        if value > _SLOWER * fastest:
            return False
        fastest = min(fastest, value)
        if index and truth[index - 1] / value > _FASTER * sizes[index] / sizes[index - 1]:
            return False
    return True


class Function:
    """A curve that is invoked: each size has execution environments of its own."""

    def __init__(self, curve: Curve, chance: random.Random) -> None:
        self.curve = curve
        self._chance = chance
        self._sandbox: dict[int, float] = {}
        self.invoked: list[int] = []  # memory sizes

    def invoke(self, memory_mb: int) -> float:
        """Return the duration of one invocation in ms."""
        if memory_mb not in self._sandbox:
            sd = min(_SANDBOX_MOST, _SANDBOX_SHARE * self.curve.noise.sd)
            self._sandbox[memory_mb] = self._chance.gauss(0.0, sd)
        self.invoked.append(memory_mb)
        own = math.exp(self._sandbox[memory_mb])
        return self.curve.duration_ms(memory_mb) * own * self.curve.one(self._chance)
