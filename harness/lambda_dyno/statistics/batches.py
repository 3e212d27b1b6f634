"""Intervals for samples that depend on each other, as the requests of a load test do.

Requests that are near in time meet the same noisy neighbour, and requests of one user the
same connection. Treated as independent, they promise more than they know. So the samples are
put into groups (stretches of time, users); how much the groups differ among themselves, against
how much independent samples would, is the design effect (Kish, "Survey Sampling", 1965), and
the count of samples divided by it is the effective count:

- rates: the exact binomial interval at the effective count (Korn and Graubard, "Confidence
  Intervals for Proportions with Small Expected Number of Positive Counts Estimated from Survey
  Data", Survey Methodology 24 (1998)), which also pays for the few groups by Student's t;
- percentiles: the order-statistic interval at the effective count of the samples below it
  (Woodruff, "Confidence Intervals for Medians and Other Position Measures", Journal of the
  American Statistical Association 47 (1952));
- means: batch means with Student's t.

With independent samples the design effect is about 1, and these are the intervals of
`statistics.stats` but for the price of not having known it. Twenty groups of time are
within the 10 to 30 that Schmeiser, "Batch Size Effects in the Analysis of Simulation Output",
Operations Research 30 (1982), finds enough.

One load test sees one environment: what differs between environments (where AWS placed it) no
grouping of its samples can tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from lambda_dyno.statistics.distributions import beta_quantile, t_quantile
from lambda_dyno.statistics.stats import CONFIDENCE, Interval, interval_ranks, percentile

TIME_GROUPS = 20
# Fewer groups than this say too little about how much they differ.
LEAST_GROUPS = 8


@dataclass(frozen=True, slots=True)
class Observations:
    """Samples in the order of time, and whose they are.

    Attributes:
        values: What was measured; infinite for a request without a good answer.
        owners: Who each sample depends on, such as its user; empty if nobody is known.
    """

    values: Sequence[float]
    owners: Sequence[Hashable] = ()

    def __post_init__(self) -> None:
        if self.owners and len(self.owners) != len(self.values):
            raise ValueError(f"{len(self.owners)} owners of {len(self.values)} values")

    def groupings(self) -> list[list[list[int]]]:
        """Return the ways to group the samples, each a list of groups of positions."""
        count = len(self.values)
        times = min(TIME_GROUPS, count // 2)
        stretches = [
            list(range(count * i // times, count * (i + 1) // times)) for i in range(times)
        ]
        of_owner: dict[Hashable, list[int]] = {}
        for position, owner in enumerate(self.owners):
            of_owner.setdefault(owner, []).append(position)
        found = [stretches, list(of_owner.values())]
        return [groups for groups in found if len(groups) >= LEAST_GROUPS]


def percentile_interval(
    observations: Observations, q: float, confidence: float = CONFIDENCE
) -> Interval:
    """Return the interval of a percentile.

    Args:
        observations: The samples.
        q: Share of the samples that the percentile is not below, between 0 and 1.
        confidence: How often such intervals cover the true percentile.

    Returns:
        The interval; an end that needs more samples is infinite.
    """
    ordered = sorted(observations.values)
    count = len(ordered)
    if not count:
        return Interval(-math.inf, math.inf)
    point = percentile(ordered, q)
    effective = int(effective_count(observations, lambda value: value <= point, confidence))
    low, high = interval_ranks(effective, q, confidence)
    # the ranks among the effective samples, outwards to the ranks among all
    return Interval(
        ordered[max(1, low * count // effective) - 1] if low >= 1 else -math.inf,
        ordered[-(-high * count // effective) - 1] if high <= effective else math.inf,
    )


def rate_interval(
    observations: Observations,
    happened: Callable[[float], bool],
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the interval of the share of samples of which something is true.

    When it is true of none or of all of them, nothing can be seen of their dependence, and the
    interval is that of independent samples.
    """
    count = len(observations.values)
    if not count:
        return Interval(0.0, 1.0)
    rate = sum(map(happened, observations.values)) / count
    effective = effective_count(observations, happened, confidence)
    events = rate * effective
    tail = (1 - confidence) / 2
    return Interval(
        0.0 if rate == 0 else beta_quantile(tail, events, effective - events + 1),
        1.0 if rate == 1 else beta_quantile(1 - tail, events + 1, effective - events),
    )


def mean_interval(observations: Observations, confidence: float = CONFIDENCE) -> Interval:
    """Return the interval of the mean from the grouping that varies most.

    Infinite with too few samples to group.
    """
    values = observations.values
    widest = Interval(-math.inf, math.inf)
    halves = []
    for groups in observations.groupings():
        error = math.sqrt(_variance_of_mean(values, groups))
        halves.append(t_quantile((1 + confidence) / 2, len(groups) - 1) * error)
    if not halves:
        return widest
    mean = math.fsum(values) / len(values)
    return Interval(mean - max(halves), mean + max(halves))


def effective_count(
    observations: Observations,
    happened: Callable[[float], bool],
    confidence: float = CONFIDENCE,
) -> float:
    """Return how many independent samples would know a rate as well as these do.

    It is never more than there are: groups that are more alike than chance makes them are
    taken for chance.
    """
    hits = [1.0 if happened(value) else 0.0 for value in observations.values]
    count = len(hits)
    rate = sum(hits) / count if count else 0.0
    groupings = observations.groupings()
    if not groupings or rate in (0.0, 1.0):
        return float(count)
    independent = rate * (1 - rate) / count
    effects = [(_variance_of_mean(hits, groups) / independent, groups) for groups in groupings]
    effect, groups = max(effects, key=lambda pair: pair[0])
    ahead = (1 + confidence) / 2
    # with few groups the effect itself is known badly
    price = (t_quantile(ahead, len(groups) - 1) / t_quantile(ahead, count - 1)) ** 2
    return count / (max(1.0, effect) * price)


def _variance_of_mean(values: Sequence[float], groups: Sequence[Sequence[int]]) -> float:
    """Return the variance of the mean of all values, from how much the groups differ.

    The ratio estimator's, so groups may be of different sizes.
    """
    count = len(values)
    mean = math.fsum(values) / count
    squares = (math.fsum(values[i] - mean for i in group) ** 2 for group in groups)
    return len(groups) / (len(groups) - 1) * math.fsum(squares) / count**2
