"""Where a series of figures changes its level: a rank test at each place, and segmentation.

The test is that of two samples by Wilcoxon's ranks (Biometrics Bulletin 1, 1945, page 80), taken
at every place at which a series can be cut, the largest of them counting (A. N. Pettitt, "A
non-parametric approach to the change-point problem", Applied Statistics 28, 1979, page 126, here
with each place's statistic standardised, so that places near the ends count as much). If nothing
changes, every order of the values is as likely as every other, whatever their distribution: so how
large the largest statistic gets depends on their number alone. `tools.history_simulation` has
drawn that, and how often the test is wrong (docs/history.md).

A series is cut where the statistic is largest, if that is significant, and then its parts are
(binary segmentation: L. Y. Vostrikova, Soviet Mathematics Doklady 24, 1981, page 55). A series
that does not change is wrongly cut as often as the first test is wrong: once in a hundred.

Ranks say nothing of fewer than ten values, and little of a change with one or two runs behind it,
however large it is. So the last segment is looked at again by Student's t test of its logarithms,
at each place with three values before it (all places share the level: Bonferroni). Its level is a
tenth of the ranks', and theirs where there are too few values for them. It takes the logarithms to
be about normal, and finds what is several times as large as the scatter.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import fmean

from lambda_dyno.statistics.distributions import t_quantile
from lambda_dyno.statistics.stats import CONFIDENCE, Interval

FALSE_RATE = 0.01  # of series that do not change
LEAST_SIDE = 3  # values on each side of a cut
LEAST_FREEDOM = 7  # of a scatter: with fewer it may be half or twice of what it seems
LEAST_VALUES = 10  # fewer can be in any order once in a hundred times
LEAST_BEFORE = 3  # values that tell a scatter, where there are too few for ranks
LEAST_SD = 0.01  # of logarithms: figures that are rounded may be more alike than what they are of

# The largest statistic exceeds the second number once in a hundred series of so many values.
CRITICAL = (
    (10, 2.559),
    (11, 2.647),
    (12, 2.718),
    (13, 2.778),
    (14, 2.829),
    (16, 2.890),
    (18, 2.933),
    (20, 2.970),
    (25, 3.058),
    (30, 3.121),
    (40, 3.218),
    (60, 3.303),
    (100, 3.404),
    (200, 3.504),
    (500, 3.623),
    (1000, 3.676),
)


@dataclass(frozen=True, slots=True)
class Change:
    """A place at which a series changes.

    Attributes:
        at: Position of the first value after it.
        ratio: Level after it over the level before, as geometric means of the two segments.
        interval: 95 % of the ratio, as if the place had been known before.
    """

    at: int
    ratio: float
    interval: Interval


def changes(values: Sequence[float]) -> list[Change]:
    """Return where a series changes its level, in order.

    Args:
        values: Above 0, in the order in which they were measured.
    """
    logs = [math.log(value) for value in values]
    ends = [0, *_cuts(logs, 0, len(logs)), len(logs)]
    # each once more, between its neighbours, which the first look did not know of
    again = (_cut(logs, before, after) for before, after in zip(ends, ends[2:], strict=False))
    cuts = sorted({at for at in again if at is not None})
    begin = cuts[-1] if cuts else 0
    level = FALSE_RATE if len(logs) < LEAST_VALUES else FALSE_RATE / 10
    if (late := _cut_by_t(logs[begin:], level)) is not None:
        cuts.append(begin + late)
    ends = [0, *cuts, len(logs)]
    return [
        between(logs[before:at], logs[at:after], at)
        for before, at, after in zip(ends, cuts, ends[2:], strict=False)
    ]


@dataclass(frozen=True, slots=True)
class Scatter:
    """How much the values of a series differ between its changes.

    Attributes:
        sd: Standard deviation of their logarithms.
        freedom: Its degrees of freedom.
    """

    sd: float
    freedom: int


def scatter(values: Sequence[float]) -> Scatter | None:
    """Return how much the values of a series differ within its segments; None: too few to tell.

    Args:
        values: Above 0, in the order in which they were measured.
    """
    ends = [0, *(change.at for change in changes(values)), len(values)]
    freedom = len(values) - (len(ends) - 1)
    if freedom < LEAST_FREEDOM:
        return None
    logs = [math.log(value) for value in values]
    squares = 0.0
    for begin, end in pairwise(ends):
        mean = fmean(logs[begin:end])
        squares += math.fsum((value - mean) ** 2 for value in logs[begin:end])
    return Scatter(math.sqrt(squares / freedom), freedom)


def largest(values: Sequence[float]) -> tuple[float, int]:
    """Return the largest standardised rank statistic of a series, and the place that has it.

    Args:
        values: At least twice `LEAST_SIDE`.

    Returns:
        The statistic, 0 if all values are alike; and the position of the first value after.
    """
    count = len(values)
    scores = _centred_ranks(values)
    variance = math.fsum(score * score for score in scores) / (count - 1)
    if variance == 0:
        return 0.0, LEAST_SIDE
    sums = list(accumulate(scores))
    places = range(LEAST_SIDE, count - LEAST_SIDE + 1)
    found = max((abs(sums[at - 1]) / math.sqrt(at * (count - at)), at) for at in places)
    return found[0] * math.sqrt(count / variance), found[1]


def critical(count: int) -> float:
    """Return what the largest statistic of an unchanged series exceeds once in a hundred."""
    counts = [known for known, _ in CRITICAL]
    after = min(max(bisect_right(counts, count), 1), len(CRITICAL) - 1)
    (low, at_low), (high, at_high) = CRITICAL[after - 1 : after + 1]
    share = (math.log(count) - math.log(low)) / (math.log(high) - math.log(low))
    return at_low + share * (at_high - at_low)


def _cuts(values: Sequence[float], begin: int, end: int) -> list[int]:
    """Return the cuts of a part of a series, in order."""
    at = _cut(values, begin, end)
    if at is None:
        return []
    return [*_cuts(values, begin, at), at, *_cuts(values, at, end)]


def _cut(values: Sequence[float], begin: int, end: int) -> int | None:
    """Return where a part of a series changes most; None: it does not."""
    count = end - begin
    if count < LEAST_VALUES:
        return None
    statistic, at = largest(values[begin:end])
    return begin + at if statistic > critical(count) else None


def _cut_by_t(logs: Sequence[float], level: float) -> int | None:
    """Return where logarithms change most by the t test; None: it is not shown that they do.

    Args:
        logs: Of a segment.
        level: How often it may be wrong, over all places.
    """
    count = len(logs)
    places = range(LEAST_BEFORE, count)
    if not places:
        return None
    mean = fmean(logs)
    sums = list(accumulate(value - mean for value in logs))
    whole = math.fsum((value - mean) ** 2 for value in logs)
    # between the two parts, of the sum of squares: the rest is within them
    between, at = max((sums[at - 1] ** 2 * count / (at * (count - at)), at) for at in places)
    within = max((whole - between) / (count - 2), LEAST_SD**2)
    least = t_quantile(1 - level / len(places) / 2, count - 2) ** 2 * within
    return at if between > least else None


def _centred_ranks(values: Sequence[float]) -> list[float]:
    """Return ranks less their mean; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    middle = (len(values) - 1) / 2
    begin = 0
    while begin < len(order):
        end = begin
        while end < len(order) and values[order[end]] == values[order[begin]]:
            end += 1
        for at in order[begin:end]:
            ranks[at] = (begin + end - 1) / 2 - middle
        begin = end
    return ranks


def between(before: Sequence[float], after: Sequence[float], at: int) -> Change:
    """Return how much the level of logarithms changes between two segments.

    Args:
        before: Logarithms of the first one.
        after: Of the second one; three values or more together.
        at: Position of the second one.
    """
    parts = ((before, fmean(before)), (after, fmean(after)))
    difference = parts[1][1] - parts[0][1]
    squares = math.fsum((value - mean) ** 2 for part, mean in parts for value in part)
    freedom = len(before) + len(after) - 2
    spread = math.sqrt(squares / freedom * (1 / len(before) + 1 / len(after)))
    half = t_quantile((1 + CONFIDENCE) / 2, freedom) * spread
    return Change(
        at,
        math.exp(difference),
        Interval(math.exp(difference - half), math.exp(difference + half)),
    )
