"""What the samples say of every memory size: draws of duration over memory, given them.

Two families of curves are mixed: `shapes`, with a level that is free, and `stairs`, with their own.
Around each a Gaussian process over ln(memory) stands for what no shape knows. Everything is
Gaussian given the shape, so a shape's weight and its draws are a few small matrices; how far
off the process may be (amplitude, and a nugget for what one size's execution environments
have of their own) is mixed over, too.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import add, mul

from lambda_dyno.tuner_policy import shapes, stairs
from lambda_dyno.tuner_policy.gaussian import Matrix, cholesky, solve_lower
from lambda_dyno.tuner_policy.limits import Count, Limit

DRAWS = 300

_LENGTH = 0.8  # of the process, in ln(memory)
_KNOTS_APART = 0.25
_LEVEL_MEAN, _LEVEL_VARIANCE = 4.0, 9.0  # of ln(ms) at one vCPU
_STAIRS_LEVEL_VARIANCE = 0.02**2
_STAIRS_SHARE = 0.3
# Amplitude, nugget, weight.
_AROUND_SHAPES = ((0.04, 0.015, 0.35), (0.12, 0.03, 0.35), (0.35, 0.07, 0.30))
_AROUND_STAIRS = ((0.02, 0.02, 0.5), (0.06, 0.03, 0.5))
# Noise of one invocation before anything is known of it, worth so many samples.
_NOISE_SD, _NOISE_SAMPLES = 0.12, 2
_LEAST_MS = 0.01
_DROPPED = 0.4  # of a size's samples, at each end: cold starts of clients, garbage collection
# What differs between two tunings of the same code: another host, another day.
_DAYS_VARIANCE = 0.05**2
_LEAST_WEIGHT = 1e-6
STEPPED = 0.2  # likely enough for sizes to be looked at as closely as steps need it


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured at one memory size.

    Attributes:
        memory_mb: The size.
        log_ms: ln(duration in ms) of a pass: of the requests that are invoked each time, on
            average; of a single event, of an invocation.
        passes: Of which that is the middle, at least 1.
        variance: Of ln(duration) of a pass; 0 where one pass tells of none.
        count: What its invocations say of a limit; None: there is none.
    """

    memory_mb: int
    log_ms: float
    passes: int
    variance: float
    count: Count | None = None

    @classmethod
    def of(
        cls, memory_mb: int, durations_ms: Sequence[float], limit: Limit | None = None
    ) -> Measured:
        """Return what invocations with one event say, warm ones, at least one."""
        return cls.of_requests(memory_mb, [durations_ms], limit)

    @classmethod
    def of_requests(
        cls, memory_mb: int, requests: Sequence[Sequence[float]], limit: Limit | None = None
    ) -> Measured:
        """Return what whole passes say.

        Args:
            memory_mb: The size.
            requests: For each request the durations in ms of its invocations, at least one.
            limit: That a size is to keep, over all requests; None: none.
        """
        middles = [_middle(durations) for durations in requests]
        spent = [len(own) * math.exp(middle) for own, middle in zip(requests, middles, strict=True)]
        total = math.fsum(spent)
        passes = min(map(len, requests))
        # each request adds to a pass's variance by its share, as often as it is in a pass
        variance = math.fsum(
            (part / total) ** 2 * _variance(own) * passes / len(own)
            for part, own in zip(spent, requests, strict=True)
        )
        mean_ms = total / sum(map(len, requests))
        count = None if limit is None else Count.of(limit, list(chain.from_iterable(requests)))
        return cls(memory_mb, math.log(mean_ms), passes, variance, count)


def _middle(durations_ms: Sequence[float]) -> float:
    """Return the mean of the logarithms without the outer ones."""
    logs = sorted(map(_log, durations_ms))
    cut = int(_DROPPED * len(logs))
    kept = logs[cut : len(logs) - cut]
    return math.fsum(kept) / len(kept)


def _variance(durations_ms: Sequence[float]) -> float:
    logs = list(map(_log, durations_ms))
    if len(logs) < 2:
        return 0.0
    mean = math.fsum(logs) / len(logs)
    return math.fsum((value - mean) ** 2 for value in logs) / (len(logs) - 1)


def _log(duration_ms: float) -> float:
    return math.log(max(duration_ms, _LEAST_MS))


@dataclass(frozen=True, slots=True)
class Posterior:
    """Draws of ln(duration in ms) at some memory sizes.

    Attributes:
        sizes_mb: The sizes.
        draws: For each size as many values; those at one place belong to one curve.
        noise_variance: Of ln(duration) of one invocation.
        stairs: How likely it is that the function's durations come in steps of 20 ms.
        own_sd: For each draw, what a size has of its own, as standard deviation. It is in the draws
            at sizes that were measured, and in no other one's.
    """

    sizes_mb: tuple[int, ...]
    draws: list[list[float]]
    noise_variance: float
    stairs: float
    own_sd: list[float]

    def of(self, memory_mb: int) -> list[float]:
        """Return the draws at one of the sizes."""
        return self.draws[self.sizes_mb.index(memory_mb)]


@dataclass(slots=True)
class _Observations:
    """ln(ms) at memory sizes, now and of a former tuning, with what they have in common."""

    sizes_mb: list[int]
    log_ms: list[float]
    variances: list[float]
    former: list[bool]
    logs_mb: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.logs_mb = [math.log(size) for size in self.sizes_mb]


def noise_variance(measured: Sequence[Measured]) -> float:
    """Return the variance of ln(duration) of one pass, within sizes."""
    squares, freedom = _NOISE_SAMPLES * _NOISE_SD**2, float(_NOISE_SAMPLES)
    for size in measured:
        squares += size.variance * (size.passes - 1)
        freedom += size.passes - 1
    return squares / freedom


def posterior(
    measured: Sequence[Measured],
    sizes_for: Callable[[bool], tuple[int, ...]],
    seed: str,
    former: Sequence[Measured] = (),
) -> Posterior:
    """Return what the samples say.

    Args:
        measured: At least one size.
        sizes_for: The sizes to draw at, given whether durations come in steps.
        seed: Of the draws, which are the same again for the same samples.
        former: Samples of a former tuning of the same code.
    """
    noise = noise_variance([*measured, *former])
    seen = _observations(measured, former, noise)
    parts = [
        *(_of_shapes(seen, *around) for around in _AROUND_SHAPES),
        *_of_stairs(seen),
    ]
    top = max(part.most for part in parts)
    for part in parts:
        part.scale(top)
    total = math.fsum(part.total for part in parts)
    stepped = math.fsum(part.total for part in parts if part.is_stairs) / total
    sizes = sizes_for(stepped > STEPPED)
    count = sum(size.passes for size in measured)
    chance = random.Random(f"{seed} {len(sizes)} {count}")  # noqa: S311 - noise, not secrets
    counts = _shares(parts, total, chance)
    grid = _Grid(seen, sizes)
    draws: list[list[float]] = [[] for _ in sizes]
    own_sd: list[float] = []
    for part, rows in zip(parts, counts, strict=True):
        if rows:
            for values, more in zip(draws, part.draw(rows, grid, chance), strict=True):
                values.extend(more)
            own_sd += [part.nugget] * sum(rows.values())
    return Posterior(sizes, draws, noise, stepped, own_sd)


def _observations(
    measured: Sequence[Measured], former: Sequence[Measured], noise: float
) -> _Observations:
    both = [*((size, False) for size in measured), *((size, True) for size in former)]
    return _Observations(
        [size.memory_mb for size, _ in both],
        [size.log_ms for size, _ in both],
        [noise / size.passes for size, _ in both],
        [is_former for _, is_former in both],
    )


class _Grid:
    """Where curves are drawn, whatever their amplitude.

    The process is drawn at knots, between which it is all but straight. What was measured has a
    place of its own behind them, as it has something of its own beside the process.

    Args:
        seen: What was measured.
        sizes_mb: Where the curves are wanted, ascending.

    Attributes:
        sizes_mb: The same.
        at_size: For each size the place below, and how far it is on its way to the next one.
        observed: For each place which observation it is; None: a knot.
        alike: For each place its correlations with those before and itself.
        alike_seen: For each place its correlations with the observations.
    """

    def __init__(self, seen: _Observations, sizes_mb: Sequence[int]) -> None:
        self.sizes_mb = sizes_mb
        logs = [math.log(size) for size in sizes_mb]
        places = _knots(logs)
        knots = tuple(places)
        self.observed: list[int | None] = [None] * len(knots)
        now = {
            size: index
            for index, (size, former) in enumerate(zip(seen.sizes_mb, seen.former, strict=True))
            if not former
        }
        self.at_size: list[tuple[int, float]] = []
        for size, log_mb in zip(sizes_mb, logs, strict=True):
            if size in now:
                self.at_size.append((len(places), 0.0))
                places.append(log_mb)
                self.observed.append(now[size])
            else:
                self.at_size.append(_between(log_mb, knots))
        self.alike = [
            [_alike(one, other) for other in places[: i + 1]] for i, one in enumerate(places)
        ]
        self.alike_seen = [[_alike(one, other) for other in seen.logs_mb] for one in places]


@dataclass(slots=True)
class _Part:
    """One family of curves with one amplitude: weights of its rows, and their draws."""

    seen: _Observations
    amplitude: float
    nugget: float
    level_variance: float
    mean: float
    is_stairs: bool
    lower: Matrix
    of_rows: Callable[[Iterable[int], int], Sequence[float]]  # at a size: ln(ms), free or not
    log_weights: list[float]
    whitened: Callable[[int], list[float]]  # of a row: L⁻¹ (what was measured - the row)
    weights: list[float] = field(default_factory=list)
    total: float = 0.0

    @property
    def most(self) -> float:
        return max(self.log_weights, default=-math.inf)

    def scale(self, top: float) -> None:
        """Make weights of their logarithms; what counts for nothing is left out."""
        self.weights = [math.exp(value - top) for value in self.log_weights]
        self.weights = [value if value > _LEAST_WEIGHT else 0.0 for value in self.weights]
        self.total = math.fsum(self.weights)

    def draw(
        self, rows: Mapping[int, int], grid: _Grid, chance: random.Random
    ) -> list[list[float]]:
        """Return values at each of the grid's sizes: of so many curves for each row.

        What is drawn is made place by place and size by size, each for all curves: a loop over
        curves takes three times as long.
        """
        pulled = self._pulled(grid)
        away = self._away(cholesky(self._spread(grid, pulled)), sum(rows.values()), chance)
        drawn = [index for index, count in enumerate(rows.values()) for _ in range(count)]
        rests = list(map(self.whitened, rows))
        at_places = []
        for pull, own in zip(pulled, away, strict=True):
            middles = [self.mean + sum(map(mul, pull, rest)) for rest in rests]
            at_places.append(list(map(add, map(middles.__getitem__, drawn), own)))
        found = []
        for size, (at, share) in zip(grid.sizes_mb, grid.at_size, strict=True):
            of_rows = self.of_rows(rows, size)
            shapes_there = map(of_rows.__getitem__, drawn)
            if not share:
                found.append(list(map(add, shapes_there, at_places[at])))
                continue
            near = zip(shapes_there, at_places[at], at_places[at + 1], strict=True)
            left = 1 - share
            found.append([value + left * low + share * high for value, low, high in near])
        return found

    def _pulled(self, grid: _Grid) -> Matrix:
        """Return how what was measured moves each place: whitened covariances."""
        power, own = self.amplitude**2, self.nugget**2
        pulled = []
        for alike, observed in zip(grid.alike_seen, grid.observed, strict=True):
            between = [self.level_variance + power * value for value in alike]
            if observed is not None:
                between[observed] += own
            pulled.append(solve_lower(self.lower, between))
        return pulled

    def _spread(self, grid: _Grid, pulled: Matrix) -> Matrix:
        """Return the covariances of the places, given what was measured."""
        power = self.amplitude**2
        spread = []
        for i, (alike, mine) in enumerate(zip(grid.alike, pulled, strict=True)):
            row = [
                self.level_variance + power * value - sum(map(mul, mine, other))
                for value, other in zip(alike, pulled, strict=False)
            ]
            row[i] += 1e-9 + (self.nugget**2 if grid.observed[i] is not None else 0.0)
            spread.append(row)
        return spread

    @staticmethod
    def _away(lower: Matrix, count: int, chance: random.Random) -> Matrix:
        """Return so many draws around 0 at each place, each with its opposite, which is free."""
        pairs = (count + 1) // 2
        free = [[chance.gauss(0.0, 1.0) for _ in lower] for _ in range(pairs)]
        away = []
        for line in lower:
            half = [sum(map(mul, line, one)) for one in free]
            away.append([value for one in half for value in (one, -one)][:count])
        return away


def _knots(logs: Sequence[float]) -> list[float]:
    """Return the places between which the process is all but straight, both ends among them."""
    found = [logs[0]]
    for one in logs[1:-1]:
        if one - found[-1] >= _KNOTS_APART:
            found.append(one)
    return [*found, logs[-1]] if len(logs) > 1 else found


def _between(log_mb: float, knots: Sequence[float]) -> tuple[int, float]:
    """Return the knot at or below a place, and how far it is on its way to the next one."""
    at = bisect_right(knots, log_mb) - 1
    if at + 1 >= len(knots) or log_mb == knots[at]:
        return at, 0.0
    return at, (log_mb - knots[at]) / (knots[at + 1] - knots[at])


def _of_shapes(seen: _Observations, amplitude: float, nugget: float, weight: float) -> _Part:
    lower = cholesky(_covariance(seen, amplitude, nugget, _LEVEL_VARIANCE))
    columns = [shapes.at(size) for size in seen.sizes_mb]
    start = solve_lower(lower, [value - _LEVEL_MEAN for value in seen.log_ms])
    inverse = _inverse(lower)
    whitened = []
    for i, line in enumerate(inverse):
        moved = [start[i]] * len(shapes.ROWS)
        for factor, column in zip(line, columns, strict=False):
            moved = [value - factor * shape for value, shape in zip(moved, column, strict=True)]
        whitened.append(moved)
    constant = math.log(weight * (1 - _STAIRS_SHARE)) - _log_determinant(lower)
    squares = [0.0] * len(shapes.ROWS)
    for moved in whitened:
        squares = [square + value * value for square, value in zip(squares, moved, strict=True)]
    log_weights = [
        constant + prior - square / 2
        for prior, square in zip(shapes.LOG_WEIGHTS, squares, strict=True)
    ]
    return _Part(
        seen,
        amplitude,
        nugget,
        _LEVEL_VARIANCE,
        _LEVEL_MEAN,
        False,
        lower,
        shapes.of,
        log_weights,
        lambda row: [column[row] for column in whitened],
    )


def _of_stairs(seen: _Observations) -> list[_Part]:
    rows = stairs.possible(dict(zip(seen.sizes_mb, seen.log_ms, strict=True)))
    if not rows:
        return []
    columns = [stairs.at(size) for size in seen.sizes_mb]
    away = [
        [value - column[row] for value, column in zip(seen.log_ms, columns, strict=True)]
        for row in rows
    ]
    parts = []
    for amplitude, nugget, weight in _AROUND_STAIRS:
        lower = cholesky(_covariance(seen, amplitude, nugget, _STAIRS_LEVEL_VARIANCE))
        constant = math.log(weight * _STAIRS_SHARE / len(stairs.ROWS)) - _log_determinant(lower)
        whitened = [solve_lower(lower, values) for values in away]
        log_weights = [constant - sum(map(mul, values, values)) / 2 for values in whitened]
        parts.append(
            _Part(
                seen,
                amplitude,
                nugget,
                _STAIRS_LEVEL_VARIANCE,
                0.0,
                True,
                lower,
                lambda some, size: stairs.of([rows[row] for row in some], size),
                log_weights,
                whitened.__getitem__,
            )
        )
    return parts


def _covariance(
    seen: _Observations, amplitude: float, nugget: float, level_variance: float
) -> Matrix:
    matrix = []
    for i, (one, variance) in enumerate(zip(seen.logs_mb, seen.variances, strict=True)):
        row = [
            level_variance
            + amplitude * amplitude * _alike(one, seen.logs_mb[j])
            + (_DAYS_VARIANCE if seen.former[i] and seen.former[j] else 0.0)
            for j in range(i + 1)
        ]
        row[i] += nugget * nugget + variance
        matrix.append(row)
    return matrix


def _alike(one: float, other: float) -> float:
    """Return the correlation of the process at two places, ln(memory)."""
    return math.exp(-0.5 * ((one - other) / _LENGTH) ** 2)


def _inverse(lower: Matrix) -> Matrix:
    """Return the rows of L⁻¹, which is a lower triangle as well."""
    size = len(lower)
    columns = [solve_lower(lower, [float(i == j) for i in range(size)]) for j in range(size)]
    return [[columns[j][i] for j in range(i + 1)] for i in range(size)]


def _log_determinant(lower: Matrix) -> float:
    return math.fsum(math.log(row[i]) for i, row in enumerate(lower))


def _shares(parts: Sequence[_Part], total: float, chance: random.Random) -> list[dict[int, int]]:
    """Return how many of the draws each row of each part gets: systematic resampling."""
    counts: list[dict[int, int]] = [{} for _ in parts]
    step = total / DRAWS
    due, sum_so_far, drawn = chance.random() * step, 0.0, 0
    for part, rows in zip(parts, counts, strict=True):
        for row, weight in enumerate(part.weights):
            sum_so_far += weight
            while due < sum_so_far and drawn < DRAWS:
                rows[row] = rows.get(row, 0) + 1
                due += step
                drawn += 1
    return counts
