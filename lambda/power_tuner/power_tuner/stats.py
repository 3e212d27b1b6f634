"""Statistics of one power value. No I/O, and nothing beyond the standard library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

# Two-sided 95 % quantiles of Student's t by degrees of freedom (any statistics textbook).
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_Z95 = 1.959964

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True)
class Summary:
    """Durations in milliseconds."""

    mean: float
    trimmed_mean: float
    p50: float
    p95: float
    p99: float
    min: float
    max: float
    std_dev: float
    ci95: tuple[float, float]


def summarise(groups: Sequence[Sequence[float]], trim: float) -> Summary:
    """Describe at least one value.

    Args:
        groups: Durations in any order, each kind of request by itself.
        trim: Share to leave out at each end for the trimmed mean, 0 to 0.4.
    """
    ordered = sorted(value for group in groups for value in group)
    mean = math.fsum(ordered) / len(ordered)
    deviation = standard_deviation(ordered, mean)
    trimmed = [len(group) / len(ordered) * trimmed_mean(group, trim) for group in groups]
    return Summary(
        mean=mean,
        trimmed_mean=math.fsum(trimmed),
        p50=percentile(ordered, 50),
        p95=percentile(ordered, 95),
        p99=percentile(ordered, 99),
        min=ordered[0],
        max=ordered[-1],
        std_dev=deviation,
        ci95=_interval_of_groups(groups, mean) or mean_interval(mean, deviation, len(ordered)),
    )


def _interval_of_groups(
    groups: Sequence[Sequence[float]], mean: float
) -> tuple[float, float] | None:
    """Return the 95 % interval of a mean of groups whose sizes are fixed (stratified sampling).

    How much they differ from each other is no noise. Degrees of freedom by Satterthwaite (1946).
    None for one group, or where one is too small to tell its own noise.
    """
    if len(groups) < 2 or min(map(len, groups)) < 2:
        return None
    total = sum(map(len, groups))
    parts = []
    for group in groups:
        own = standard_deviation(group, math.fsum(group) / len(group))
        parts.append((len(group) * (own / total) ** 2, len(group) - 1))
    variance = math.fsum(part for part, _ in parts)
    if not variance:
        return (mean, mean)
    freedom = variance**2 / math.fsum(part**2 / own for part, own in parts)
    half = _t95(max(1, math.floor(freedom))) * math.sqrt(variance)
    return (mean - half, mean + half)


def trimmed_mean(values: Sequence[float], trim: float) -> float:
    """Return the mean without the lowest and highest int(n × trim) values."""
    kept = _trimmed(values, trim)
    return math.fsum(kept) / len(kept)


def exact_trimmed_mean(groups: Sequence[Sequence[int]], trim: float) -> Fraction:
    """Return the `trimmed_mean` of whole numbers with nothing lost, so that it compares.

    Args:
        groups: What is trimmed by itself, such as the requests of a workload: the long ones of
            one would else be trimmed away for being another request. Each counts by its size.
        trim: As for `trimmed_mean`.
    """
    total = sum(map(len, groups))
    kept = [(len(group), _trimmed(group, trim)) for group in groups]
    return sum((Fraction(size * sum(own), len(own) * total) for size, own in kept), Fraction(0))


def _trimmed(values: Sequence[_Number], trim: float) -> list[_Number]:
    dropped = int(len(values) * trim)
    return sorted(values)[dropped : len(values) - dropped]


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return a percentile of sorted values, by linear interpolation between the two nearest."""
    position = (len(ordered) - 1) * percent / 100
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def standard_deviation(values: Sequence[float], mean: float) -> float:
    """Return the sample standard deviation (n − 1); 0 for a single value."""
    if len(values) < 2:
        return 0.0
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def mean_interval(mean: float, deviation: float, count: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of the mean, by Student's t."""
    if count < 2:
        return (mean, mean)
    half = _t95(count - 1) * deviation / math.sqrt(count)
    return (mean - half, mean + half)


def _t95(freedom: int) -> float:
    if freedom <= len(_T95):
        return _T95[freedom - 1]
    # Cornish and Fisher's expansion around the normal quantile: exact to 3 decimals from 31 on
    return _Z95 + (_Z95**3 + _Z95) / (4 * freedom)
