"""A quantile that does not jump where values come in steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from lambda_dyno.statistics.distributions import beta_cdf
from lambda_dyno.statistics.stats import percentile


def smooth_percentile(ordered: Sequence[float], q: float) -> float:
    """Return the q-th quantile as an average of the values around it.

    F. E. Harrell and C. E. Davis, "A New Distribution-Free Quantile Estimator", Biometrika 69
    (1982). Durations on Lambda come in steps of CPU periods; where a step is near the
    percentile, the nearest rank jumps from one to the other, and this does not. It is the
    nearest rank when requests without an answer would be in the average.
    """
    first, weights = _weights(len(ordered), q)
    if math.isinf(ordered[first + len(weights) - 1]):
        return percentile(ordered, q)
    return math.fsum(
        weight * value
        for weight, value in zip(weights, ordered[first : first + len(weights)], strict=True)
    )


@lru_cache(maxsize=4096)
def _weights(count: int, q: float) -> tuple[int, tuple[float, ...]]:
    """Return the first position and the weights of those that matter, which sum up to 1.

    Value i has what a beta distribution holds between i / count and (i + 1) / count. Beyond
    five standard deviations that is nothing.
    """
    a, b = (count + 1) * q, (count + 1) * (1 - q)
    reach = 5 * math.sqrt(q * (1 - q) / (count + 2))
    first = max(0, math.floor((q - reach) * count))
    last = min(count, math.ceil((q + reach) * count))
    below = [beta_cdf(i / count, a, b) for i in range(first, last + 1)]
    shares = [high - low for low, high in pairwise(below)]
    total = math.fsum(shares)
    return first, tuple(share / total for share in shares)
