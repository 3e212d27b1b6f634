"""Statistics of latencies, durations and rates, in plain Python: nothing heavy to import.

Percentiles are by nearest rank (definition 1 of Hyndman and Fan, "Sample Quantiles in
Statistical Packages", The American Statistician 50 (1996), page 361): the smallest measured
value that at least the share q of all values does not exceed. So a percentile is always a
value that really occurred, "p95 is at most 250 ms" means exactly "at least 95 % of the
requests took at most 250 ms", and its confidence interval runs between two measured values.

A percentile needs a least sample count before it says anything; see `least_samples`.
The intervals here hold for independent samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from statistics import fmean, stdev

from lambda_dyno.statistics.distributions import (
    beta_quantile,
    binomial_cdf,
    t_quantile,
)

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, ends included; an open end is infinite."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def percentile(ordered: Sequence[float], q: float) -> float:
    """Return the q-th quantile of sorted values by nearest rank.

    Args:
        ordered: Values, ascending, at least one.
        q: Share of the values that the result is not below, above 0 and at most 1.

    Raises:
        ValueError: No values, or a q out of range.
    """
    if not ordered:
        raise ValueError("a percentile needs at least one value")
    return ordered[rank(len(ordered), q) - 1]


def rank(count: int, q: float) -> int:
    """Return the 1-based rank of the q-th quantile among `count` sorted values."""
    if not 0 < q <= 1:
        raise ValueError(f"q must be above 0 and at most 1, not {q!r}")
    # As floats 0.07 * 100 is 7.000000000000001, whose ceiling would be 8.
    return math.ceil(Fraction(repr(q)) * count)


@cache
def least_samples(q: float, confidence: float = CONFIDENCE) -> int:
    """Return how many samples the q-th quantile needs before it has a finite interval.

    That is the smallest count whose extreme sample bounds the quantile on its far side:
    q ** count <= (1 - confidence) / 2 (for q below 0.5: 1 - q). At 95 % it is 6 for p50,
    36 for p90, 72 for p95 and 368 for p99.
    """
    if not 0 < q < 1:
        raise ValueError(f"q must be between 0 and 1, not {q!r}")
    return math.ceil(math.log((1 - confidence) / 2) / math.log(max(q, 1 - q)))


def percentile_interval(
    ordered: Sequence[float], q: float, confidence: float = CONFIDENCE
) -> Interval:
    """Return the exact, distribution-free interval of a quantile from order statistics.

    How many samples lie below the true quantile is binomial, whatever the distribution of
    the samples (David and Nagaraja, "Order Statistics", 3rd edition, section 7.1). Each
    side is left at most half of 1 - confidence, so the interval covers the quantile at
    least as often as stated.

    Args:
        ordered: Values, ascending.
        q: Between 0 and 1.
        confidence: Least probability that the interval covers the true quantile.

    Returns:
        The interval; an end that needs more samples is infinite.
    """
    low, high = interval_ranks(len(ordered), q, confidence)
    return Interval(
        ordered[low - 1] if low >= 1 else -math.inf,
        ordered[high - 1] if high <= len(ordered) else math.inf,
    )


@cache
def interval_ranks(count: int, q: float, confidence: float = CONFIDENCE) -> tuple[int, int]:
    """Return the 1-based ranks between which a quantile of `count` samples lies.

    Ranks 0 and count + 1 stand for no bound. With B binomial(count, q), the sample of rank
    r is above the quantile with probability P(B < r), and below it with P(B >= r).
    """
    tail = (1 - confidence) / 2
    low = _largest(count, lambda r: binomial_cdf(r - 1, count, q) <= tail)
    high = _largest(count, lambda r: binomial_cdf(r - 1, count, q) < 1 - tail) + 1
    return low, high


def _largest(most: int, holds: Callable[[int], bool]) -> int:
    """Return the largest of 1 to `most` for which a condition holds, or 0 if none.

    The condition must hold up to some number and for none above.
    """
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


def trimmed_mean(values: Iterable[float], share: float) -> float:
    """Return the mean without the top and the bottom share of the values.

    Args:
        values: At least one.
        share: Cut from each end, 0 to below 0.5; int(count * share) values, as
            aws-lambda-power-tuning cuts them.

    Raises:
        ValueError: No values, or a share out of range.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a mean needs at least one value")
    if not 0 <= share < 0.5:
        raise ValueError(f"the trimmed share must be from 0 to below 0.5, not {share!r}")
    cut = int(len(ordered) * share)
    return fmean(ordered[cut : len(ordered) - cut])


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return the t interval of the mean; infinite with fewer than two values."""
    if len(values) < 2:
        return Interval(-math.inf, math.inf)
    half = (
        t_quantile((1 + confidence) / 2, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    )
    mean = fmean(values)
    return Interval(mean - half, mean + half)


def rate_interval(events: int, count: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the exact (Clopper-Pearson) interval of a rate: it never covers too seldom.

    Args:
        events: How often it happened.
        count: Out of how many trials.
        confidence: Least probability that the interval covers the true rate.
    """
    _check_rate(events, count)
    tail = (1 - confidence) / 2
    return Interval(
        0.0 if events == 0 else beta_quantile(tail, events, count - events + 1),
        1.0 if events == count else beta_quantile(1 - tail, events + 1, count - events),
    )


def _check_rate(events: int, count: int) -> None:
    if not 0 <= events <= count:
        raise ValueError(f"{events} events of {count} trials")


def finite(value: float | None, factor: float = 1.0) -> float | None:
    """Return a number as a result has it; what is not known, or infinite, is None there."""
    return value * factor if value is not None and math.isfinite(value) else None
