"""Wilcoxon's signed-rank statistic: what pairs say of a difference, whatever their distribution.

When nothing changed, the two members of a pair could as well have been swapped, so each
difference is as likely to be above zero as below, at every size. That alone gives the exact
distribution of the statistic, with no other word about the noise (F. Wilcoxon, "Individual
Comparisons by Ranking Methods", Biometrics Bulletin 1 (1945)). Turned around it bounds the
difference: the bounds are averages of two differences each (Walsh averages), and the estimate is
their median (J. L. Hodges and E. L. Lehmann, "Estimates of Location Based on Rank Tests", The
Annals of Mathematical Statistics 34 (1963)). A few wild pairs move neither far.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from statistics import median

from lambda_dyno.statistics.distributions import normal_quantile

# From here on the normal distribution is as good, and the exact one slow.
_MOST_EXACT = 150


@dataclass(frozen=True, slots=True)
class SignedRank:
    """The differences of independent pairs, ready to be asked.

    Attributes:
        pairs: How many there are.
        averages: Of every two differences, and of each with itself; ascending.
    """

    pairs: int
    averages: tuple[float, ...]

    @classmethod
    def of(cls, differences: Sequence[float]) -> SignedRank:
        """Prepare finite differences, at least one."""
        if not differences:
            raise ValueError("no differences")
        averages = sorted(
            (one + other) / 2
            for position, one in enumerate(differences)
            for other in differences[position:]
        )
        return cls(len(differences), tuple(averages))

    @property
    def estimate(self) -> float:
        """The middle of the differences, as Hodges and Lehmann estimate it."""
        return median(self.averages)

    def p_value(self) -> float:
        """Return how often so much above zero is seen when the difference is zero or below.

        A tie with zero counts against it, so ties make the answer larger than need be.
        """
        return distribution(self.pairs, bisect_right(self.averages, 0.0))

    def lower_bound(self, level: float) -> float:
        """Return what the difference is above, wrong with at most the probability `level`.

        It is above zero exactly when `p_value` is at most the level. Minus infinity with too
        few pairs.
        """
        rank = critical(self.pairs, level)
        return self.averages[rank] if rank >= 0 else -math.inf

    def upper_bound(self, level: float) -> float:
        """Return what the difference is below, wrong with at most the probability `level`."""
        rank = critical(self.pairs, level)
        return self.averages[-1 - rank] if rank >= 0 else math.inf


def least_pairs(level: float) -> int:
    """Return how many pairs it takes for a finite bound: the least n with 2^-n <= level."""
    return math.ceil(-math.log2(level))


def critical(pairs: int, level: float) -> int:
    """Return the largest value that the statistic is at most with probability <= `level`.

    -1 if even zero is more likely than that.
    """
    if pairs > _MOST_EXACT:
        mean, deviation = _moments(pairs)
        return math.floor(mean + normal_quantile(level) * deviation - 0.5)
    return bisect_right(_exact(pairs), level) - 1


def distribution(pairs: int, value: int) -> float:
    """Return how often the statistic of so many pairs is at most `value` by chance."""
    if pairs > _MOST_EXACT:
        mean, deviation = _moments(pairs)
        return 0.5 * math.erfc((mean - value - 0.5) / deviation / math.sqrt(2))
    return _exact(pairs)[value] if value >= 0 else 0.0


def _moments(pairs: int) -> tuple[float, float]:
    return (
        pairs * (pairs + 1) / 4,
        math.sqrt(pairs * (pairs + 1) * (2 * pairs + 1) / 24),
    )


@cache
def _exact(pairs: int) -> tuple[float, ...]:
    """Return the distribution function: rank i is in the sum or not, each with chance 1/2."""
    chances = [1.0]
    for rank in range(1, pairs + 1):
        without = chances + [0.0] * rank
        with_it = [0.0] * rank + chances
        chances = [(a + b) / 2 for a, b in zip(without, with_it, strict=True)]
    return tuple(accumulate(chances))
