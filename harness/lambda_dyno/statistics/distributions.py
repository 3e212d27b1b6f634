"""The few probability distributions that the statistics need, in plain Python.

All rest on the regularized incomplete beta function. Its continued fraction is 8.17.22 of
the NIST Digital Library of Mathematical Functions, evaluated by the modified Lentz method.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from statistics import NormalDist

_TINY = 1e-300
_PRECISION = 1e-15
_MOST_TERMS = 10_000


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b), for a and b above 0."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    # The fraction converges fast on one side of the mean only; symmetry gives the other.
    if x > (a + 1) / (a + b + 2):
        return 1.0 - beta_cdf(1 - x, b, a)
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    return math.exp(log_front) / (a * _beta_fraction(x, a, b))


def _beta_fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction 1 + d1 x / (1 + d2 x / (1 + ...)) of I_x(a, b)."""
    value, c, d = 1.0, 1.0, 0.0
    for term in range(1, _MOST_TERMS):
        m = term // 2
        if term % 2:
            numerator = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            numerator = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / ((1 + numerator * d) or _TINY)
        c = (1 + numerator / c) or _TINY
        value *= c * d
        if abs(c * d - 1) < _PRECISION:
            return value
    raise ArithmeticError(f"I_{x}({a}, {b}) does not converge")


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Return x with I_x(a, b) = probability."""
    return _solve(lambda x: beta_cdf(x, a, b) - probability, 0.0, 1.0)


def binomial_cdf(k: int, count: int, p: float) -> float:
    """Return the probability of at most k successes among `count` trials."""
    if k < 0:
        return 0.0
    if k >= count:
        return 1.0
    return beta_cdf(1 - p, count - k, k + 1)


def t_cdf(t: float, degrees: float) -> float:
    """Return the distribution function of Student's t."""
    tail = beta_cdf(degrees / (degrees + t * t), degrees / 2, 0.5) / 2
    return 1 - tail if t > 0 else tail


@cache
def t_quantile(probability: float, degrees: float) -> float:
    """Return the quantile of Student's t."""
    if probability < 0.5:
        return -t_quantile(1 - probability, degrees)
    high = 1.0
    while t_cdf(high, degrees) < probability:
        high *= 2
    return _solve(lambda t: t_cdf(t, degrees) - probability, 0.0, high)


def normal_quantile(probability: float) -> float:
    """Return the quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(probability)


def _solve(increasing: Callable[[float], float], low: float, high: float) -> float:
    """Return the root of an increasing function by bisection, to the last bit or so."""
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return middle
        if increasing(middle) < 0:
            low = middle
        else:
            high = middle
