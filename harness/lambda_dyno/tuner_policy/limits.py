"""Whether a memory size keeps a limit on its duration, by counting its invocations.

No model: a mean is learnt from few invocations, a tail is not, and it differs between sizes. So
the model only says which size to try.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Statistic = Literal["mean", "p50", "p95"]

_SHARE = {"p50": 0.5, "p95": 0.05}  # of invocations that may be longer than the limit
# How likely a size that does not keep the limit may pass at one look. Of p95 that gives 59
# invocations with none above, 93 with one, 124 with two; p50 and mean are looked at more often.
_ERROR = {"mean": 0.02, "p50": 0.02, "p95": 0.05}
# A size is given up when it has so many above, or after so many invocations.
_MOST_ABOVE_P95, _MOST_OF_MIDDLE = 2, 40
_LEAST_OF_MEAN = 8
_AT_ONCE = 10
_Z98 = 2.053749  # the normal quantile


@dataclass(frozen=True, slots=True)
class Limit:
    """So long a function may take.

    Attributes:
        duration_ms: In ms.
        on: What may be no longer: of warm invocations the mean, the median or the 95th percentile.
        trim: Share that the mean leaves out at each end.
    """

    duration_ms: float
    on: Statistic = "p95"
    trim: float = 0.2


@dataclass(frozen=True)
class Count:
    """What the invocations of one size say of a limit.

    Attributes:
        limit: The limit.
        durations_ms: Ascending, at least one.
    """

    limit: Limit
    durations_ms: tuple[float, ...]

    @classmethod
    def of(cls, limit: Limit, durations_ms: Sequence[float]) -> Count:
        """Return what durations in any order say."""
        return cls(limit, tuple(sorted(durations_ms)))

    @property
    def invocations(self) -> int:
        """How many there are."""
        return len(self.durations_ms)

    @cached_property
    def above(self) -> int:
        """How many are longer than the limit."""
        return sum(ms > self.limit.duration_ms for ms in self.durations_ms)

    @cached_property
    def value_ms(self) -> float:
        """The mean, median or percentile as it was measured."""
        if self.limit.on == "mean":
            kept = self._kept()
            return math.fsum(kept) / len(kept)
        place = (self.invocations - 1) * (1 - _SHARE[self.limit.on])
        low = int(place)
        high = min(low + 1, self.invocations - 1)
        below, over = self.durations_ms[low], self.durations_ms[high]
        return below + (over - below) * (place - low)

    @property
    def seems_kept(self) -> bool:
        """Whether what was measured keeps the limit, proven or not."""
        return self.value_ms <= self.limit.duration_ms

    @property
    def at_most_ms(self) -> float | None:
        """What the mean is at most, with 98 %; None: too few invocations, or another limit."""
        most = self.bounds_ms[1] if self.limit.on == "mean" else math.inf
        return most if math.isfinite(most) else None

    @cached_property
    def is_proven(self) -> bool:
        """Whether it keeps the limit, by what was counted alone."""
        if self.limit.on == "mean":
            return self.bounds_ms[1] <= self.limit.duration_ms
        return _at_most(self.above, self.invocations, _SHARE[self.limit.on]) <= self._error

    @cached_property
    def is_hopeless(self) -> bool:
        """Whether to count no further: it was shown to be longer, or would take too many."""
        if self.is_proven:
            return False
        if self.limit.on == "p95":
            return self.above > _MOST_ABOVE_P95
        if self.invocations >= _MOST_OF_MIDDLE:
            return True
        if self.limit.on == "mean":
            return self.bounds_ms[0] > self.limit.duration_ms
        below = self.invocations - self.above
        return _at_most(below, self.invocations, _SHARE["p50"]) <= self._error

    @cached_property
    def missing(self) -> int | None:
        """How many more would prove it if none of them were above; None: of a mean, or too many."""
        if self.limit.on == "mean" or self.above > _MOST_OF_MIDDLE:
            return None
        share = _SHARE[self.limit.on]
        return max(0, needed(share, self._error, self.above) - self.invocations)

    @property
    def next_look(self) -> int:
        """How many more to make before asking again."""
        if self.missing is None:
            return max(_LEAST_OF_MEAN - self.invocations, 2)
        return min(self.missing, _AT_ONCE)

    @cached_property
    def bounds_ms(self) -> tuple[float, float]:
        """Between which the mean is, each with 98 %: Tukey and McLaughlin's (1963) interval."""
        count = self.invocations
        if count < _LEAST_OF_MEAN:
            return 0.0, math.inf
        cut = int(count * self.limit.trim)
        kept = self._kept()
        pulled = [*[kept[0]] * cut, *kept, *[kept[-1]] * cut]
        middle = math.fsum(pulled) / count
        squares = math.fsum((value - middle) ** 2 for value in pulled)
        deviation = math.sqrt(squares / (count - 1)) / (len(kept) / count) / math.sqrt(count)
        half = _t98(len(kept) - 1) * deviation
        return self.value_ms - half, self.value_ms + half

    @property
    def _error(self) -> float:
        return _ERROR[self.limit.on]

    def _kept(self) -> tuple[float, ...]:
        cut = int(self.invocations * self.limit.trim)
        return self.durations_ms[cut : self.invocations - cut]


def needed(share: float, error: float, above: int) -> int:
    """Return of how many invocations so many may be above to prove that a share is no more."""
    count = above + 1
    while _at_most(above, count, share) > error:
        count += 1
    return count


def _at_most(above: int, count: int, share: float) -> float:
    """Return how likely no more than so many of so many are above if each is with `share`."""
    yes, no = math.log(share), math.log1p(-share)
    ways = math.lgamma(count + 1)
    return math.fsum(
        math.exp(
            ways
            - math.lgamma(number + 1)
            - math.lgamma(count - number + 1)
            + number * yes
            + (count - number) * no
        )
        for number in range(above + 1)
    )


def _t98(freedom: int) -> float:
    """Return Student's t at 98 %, expanded around the normal one (Abramowitz, Stegun, 26.7.5)."""
    z = _Z98
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, 1))
