"""Intervals of trimmed means of a few positive values, by the bootstrap.

The percentile interval of a plain bootstrap is too narrow for ten values: it forgets that the
variance is estimated as well. T. C. Hesterberg, "What Teachers Should Know About the Bootstrap",
The American Statistician 69 (2015), widens it by what Student's t and n / (n - 1) make of it; here
so is each draw, in its logarithm. `tests/unit/statistics/test_bootstrap.py` counts how often the
true value is inside.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import NormalDist

from lambda_dyno.statistics.distributions import t_quantile
from lambda_dyno.statistics.stats import CONFIDENCE, Interval, trimmed_mean

DRAWS = 1000
LEAST_VALUES = 8  # fewer say too little of their own spread

Groups = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Draws:
    """What a trimmed mean may be: its estimate, and draws around it.

    Attributes:
        estimate: Of the values themselves.
        values: Draws, in no order; those of two samples are independent.
    """

    estimate: float
    values: tuple[float, ...]

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Return the interval of the mean."""
        ordered = sorted(self.values)
        tail = (1 - confidence) / 2
        last = len(ordered) - 1
        return Interval(ordered[math.floor(tail * last)], ordered[math.ceil((1 - tail) * last)])

    def over(self, other: Draws) -> Draws:
        """Return the ratio to another mean, which is above 0."""
        pairs = zip(self.values, other.values, strict=True)
        return Draws(self.estimate / other.estimate, tuple(a / b for a, b in pairs))

    def minus(self, other: Draws) -> Draws:
        """Return the difference to another mean."""
        pairs = zip(self.values, other.values, strict=True)
        return Draws(self.estimate - other.estimate, tuple(a - b for a, b in pairs))

    def mapped(self, increasing: Callable[[float], float]) -> Draws:
        """Return what an increasing function makes of the mean."""
        return Draws(increasing(self.estimate), tuple(map(increasing, self.values)))


def draws(groups: Groups, trim: float, seed: str) -> Draws | None:
    """Return draws of a trimmed mean; None if the values are too few, or not above 0.

    Args:
        groups: Values above 0. Groups of fixed sizes, such as the requests of a workload, are drawn
            from and trimmed each by itself. If one has a single value, which says nothing of its
            own spread, all values are one group, untrimmed: what the groups differ by counts as
            spread then, so the interval is wider.
        trim: Share that is left out at each end of a group, 0 to below 0.5.
        seed: The same values with the same seed make the same draws.
    """
    count = sum(map(len, groups))
    if any(len(group) < 2 for group in groups):
        groups, trim = [list(chain.from_iterable(groups))], 0.0
    kept = sum(len(group) - 2 * int(len(group) * trim) for group in groups)
    fewest = min(map(len, groups), default=0)
    freedom = kept - len(groups)
    if count < LEAST_VALUES or freedom < 1 or min(map(min, groups)) <= 0:
        return None
    chance = random.Random(seed)  # noqa: S311 - resampling, not secrets
    estimate = _mean(groups, trim)
    middle = math.log(estimate)
    wider = math.sqrt(fewest / (fewest - 1))
    wider *= t_quantile((1 + CONFIDENCE) / 2, freedom) / NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    found = []
    for _ in range(DRAWS):
        again = [chance.choices(group, k=len(group)) for group in groups]
        found.append(math.exp(middle + wider * (math.log(_mean(again, trim)) - middle)))
    return Draws(estimate, tuple(found))


def _mean(groups: Groups, trim: float) -> float:
    total = sum(map(len, groups))
    return math.fsum(len(group) * trimmed_mean(group, trim) for group in groups) / total
