"""What a function does, found from its durations: CPU time, waiting, width and what else is seen.

Pure. Durations are nearly linear in what memory does to each of these, so a regression comes
first; then small steps with the model itself, whose staircase no regression knows.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from lambda_emulator.meter_path.dyno_meter.cfs import (
    CPU,
    MB_PER_VCPU,
    WAIT,
    core_pace,
    duration_ms,
    spread,
    vcpus,
)
from lambda_emulator.meter_path.dyno_meter.size import heap_pressure, transfer_stretch
from tools.fidelity.curves import Curve

_FLUID = (1.0, 1.3, 1.7, 2.0, 3.0, 4.0, 5.8)  # threads on average, as many as there are vCPUs
_EQUAL = (3.0, 4.0, 5.0, 6.0, 8.0)  # threads or processes of equal work, however many vCPUs
# What more than one thread, and each thing beside CPU time and waiting, must explain better on
# average: noise looks like that too, and most where there are few sizes.
_WIDER = 0.01
_MORE = 0.003
_MORE_OF_POINTS = 0.02
_LIVE_SHARES = (0.5, 0.8, 0.9, 0.95)  # of the smallest size
_SMALLER_SPREAD = 0.25
_MOST_POINTS = 40
_REFINED_WITHIN = 0.005
_FEW_POINTS = 10
_REFINED_OF_FEW = 3
_STARTS = (0.7, 0.78, 0.86, 0.93, 1.0)
_STEPS = (1.06, 1.02, 1.006)
# Where no duration differs by more from a regression's, there are no steps to be taken.
_SMOOTH = 0.004
_REWEIGHTED = 8
_SWEEPS = 12

Points = Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Work:
    """What a function does, as the model sees it."""

    cpu_ms: float
    blocked_ms: float
    width: float = 1.0  # threads that run at once
    equal: bool = False  # whether these are so many of equal work; else no more than vCPUs
    architecture: str = ""  # whose cores show; "" for none's
    transfer_ms: float = 0.0  # of network at 1769 MB
    live_mb: float = 0.0  # live data in a heap that is collected

    def duration_ms(self, memory_mb: int) -> float:
        """Return the modelled duration, with two waits between three pieces of work."""
        cpu_ms = self.cpu_ms * heap_pressure(self.live_mb, memory_mb)
        blocked_ms = self.blocked_ms
        if self.transfer_ms:
            blocked_ms += self.transfer_ms * transfer_stretch(memory_mb, connections=2)
        piece = (CPU, cpu_ms / 3, self._width(memory_mb))
        wait = (WAIT, blocked_ms / 2)
        return duration_ms((piece, wait, piece, wait, piece), memory_mb, self.architecture)[0]

    def smooth_ms(self, memory_mb: int) -> float:
        """Return the duration without the staircase of periods."""
        transfer_ms = self.transfer_ms * transfer_stretch(memory_mb, connections=2)
        return self.cpu_ms * self.stretch(memory_mb) + self.blocked_ms + transfer_ms

    def stretch(self, memory_mb: int) -> float:
        """Return what a long work's CPU time is multiplied by: the model without its periods."""
        count, share = vcpus(memory_mb), memory_mb / MB_PER_VCPU
        phases = spread(1.0, self._width(memory_mb), count)
        pace = core_pace(memory_mb, self.architecture) * heap_pressure(self.live_mb, memory_mb)
        return pace * sum(cpu / min(busy, share) for cpu, busy in phases)

    def _width(self, memory_mb: int) -> float:
        return self.width if self.equal else min(self.width, vcpus(memory_mb))


def fit(curve: Curve, indices: Iterable[int] | None = None) -> Work:
    """Find the work whose modelled durations come nearest to a curve's.

    Args:
        curve: What AWS measured.
        indices: Sizes to look at; None takes all.
    """
    seen = range(len(curve.memory_mb)) if indices is None else indices
    points = [(curve.memory_mb[i], curve.duration_ms[i]) for i in seen]
    points = points[:: -(-len(points) // _MOST_POINTS)]
    plain = _best(_kinds(curve, points), points)
    starts = [plain[0]]
    if plain[0].width > 1 and curve.width is None:
        starts.append(Work(1.0, 1.0))  # network and cores look like more threads, too
    richer = [kind for start in starts for kind in _richer(start, curve, points)]
    return min(plain, _best(richer, points), key=_badness)[0]


_Found = tuple[Work, float, float]  # its misfit, and what it must be better by


def _best(kinds: Iterable[tuple[Work, bool, float]], points: Points) -> _Found:
    """Find each kind's work, refine the best and its like, and return the best of these."""
    found = sorted((_regress(kind, points) for kind in kinds), key=_badness)
    like = [one for one in found[:2] if _badness(one) <= _badness(found[0]) + _REFINED_WITHIN]
    if len(points) <= _FEW_POINTS:  # cheap, and a regression may mislead where steps are high
        like = found[:_REFINED_OF_FEW]
    return min((_descend(start, points) for start in like), key=_badness)


def _badness(found: _Found) -> float:
    return found[1] + found[2]


def _kinds(curve: Curve, points: Points) -> Iterator[tuple[Work, bool, float]]:
    """Yield works to begin with, whether they use the network, and what they must be better by."""
    widest = vcpus(points[-1][0])
    if curve.width is not None:
        yield Work(1.0, 1.0, curve.width, True), False, 0.0
        if curve.width > 1:
            yield Work(1.0, 1.0, curve.width), False, 0.0
        return
    for width in _FLUID:
        if width < widest or width <= 2:
            yield Work(1.0, 1.0, width), False, _WIDER if width > 1 else 0.0
    for width in _EQUAL:
        if any(vcpus(size) < width and width % vcpus(size) for size, _ in points):
            yield Work(1.0, 1.0, width, True), False, _WIDER


def _richer(plain: Work, curve: Curve, points: Points) -> Iterator[tuple[Work, bool, float]]:
    """Yield the work with one or two more things that memory changes."""
    price = _MORE + _MORE_OF_POINTS / len(points)
    base = _WIDER if plain.width > 1 and curve.width is None else 0.0
    cores = [plain]
    shown = replace(plain, architecture=curve.architecture)
    if any(shown.stretch(size) != plain.stretch(size) for size, _ in points):
        cores.append(shown)
    for of_cores in cores:
        own = price if of_cores.architecture else 0.0
        if of_cores.architecture:
            yield of_cores, False, base + own
        yield of_cores, True, base + own + price
        for share in _LIVE_SHARES:
            work = replace(of_cores, live_mb=share * points[0][0])
            yield work, False, base + own + price


def _regress(kind: tuple[Work, bool, float], points: Points) -> _Found:
    """Find a kind of work's CPU time, waiting and transfer: least relative errors, none below 0."""
    work, with_network, price = kind
    features = [[work.stretch(size) for size, _ in points], [1.0] * len(points)]
    if with_network:
        features.append([transfer_stretch(size, connections=2) for size, _ in points])
    relative = [[x / took for x, (_, took) in zip(row, points, strict=True)] for row in features]
    weights = [1.0] * len(points)
    factors = [0.0] * len(features)
    for _ in range(_REWEIGHTED):  # towards least absolute errors
        _solve(relative, weights, factors)
        errors = [
            abs(sum(f * row[i] for f, row in zip(factors, relative, strict=True)) - 1)
            for i in range(len(points))
        ]
        weights = [1 / max(error, 0.002) for error in errors]
    work = replace(work, cpu_ms=factors[0], blocked_ms=factors[1], transfer_ms=sum(factors[2:]))
    return work, statistics.fmean(errors), price


def _solve(rows: list[list[float]], weights: list[float], factors: list[float]) -> None:
    """Least squares for sum(factor x row) = 1, by coordinates, none below 0; in place."""
    products = [
        [sum(w * a * b for w, a, b in zip(weights, one, other, strict=True)) for other in rows]
        for one in rows
    ]
    sums = [sum(w * a for w, a in zip(weights, row, strict=True)) for row in rows]
    if len(rows) == 2:
        (a, b), (_, d) = products
        determinant = a * d - b * b
        if determinant > 1e-12 * a * d:
            exact = (
                (sums[0] * d - sums[1] * b) / determinant,
                (a * sums[1] - b * sums[0]) / determinant,
            )
            if min(exact) >= 0:
                factors[:] = exact
                return
    for _ in range(_SWEEPS * len(rows)):
        for i, products_of in enumerate(products):
            others = sum(
                p * f for j, (p, f) in enumerate(zip(products_of, factors, strict=True)) if j != i
            )
            factors[i] = max(0.0, (sums[i] - others) / products_of[i])


def _descend(found: _Found, points: Points) -> _Found:
    """Take small steps with the model itself, from several places: a staircase has many valleys."""
    start, _, price = found
    modelled = [start.duration_ms(size) for size, _ in points]
    if all(
        abs(start.smooth_ms(size) / now - 1) < _SMOOTH
        for now, (size, _) in zip(modelled, points, strict=True)
    ):
        return found
    places = [replace(start, cpu_ms=start.cpu_ms * factor) for factor in _STARTS]
    places.sort(key=lambda place: _misfit(place, points))
    ends = [_downhill(p, points) for p in places[: 2 if len(points) <= _FEW_POINTS else 1]]
    return (*min(ends, key=lambda end: end[1]), price)


def _downhill(best: Work, points: Points) -> tuple[Work, float]:
    misfit = _misfit(best, points)
    for factor in _STEPS:
        improved = True
        while improved:
            improved = False
            for name in ("cpu_ms", "blocked_ms", "transfer_ms"):
                value = getattr(best, name)
                for changed in (value * factor, value / factor) if value else ():
                    tried = replace(best, **{name: changed})
                    its = _misfit(tried, points)
                    if its < misfit - 1e-6:
                        best, misfit, improved = tried, its, True
                        break
    return best, misfit


def _misfit(work: Work, points: Points) -> float:
    return statistics.fmean(abs(work.duration_ms(size) / took - 1) for size, took in points)
