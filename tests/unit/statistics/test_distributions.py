"""lambda_dyno.statistics.distributions, held against published tables and plain sums."""

from __future__ import annotations

import math

import pytest

from lambda_dyno.statistics import distributions as d


@pytest.mark.parametrize(
    ("probability", "degrees", "expected"),
    # Any printed table of Student's t.
    [
        (0.975, 1, 12.7062),
        (0.975, 6, 2.4469),
        (0.975, 30, 2.0423),
        (0.95, 9, 1.8331),
        (0.995, 4, 4.6041),
    ],
)
def test_t_quantile_is_the_tables(probability, degrees, expected):
    """Quantiles of t agree with printed tables, and are symmetric."""
    assert d.t_quantile(probability, degrees) == pytest.approx(expected, abs=5e-5)
    assert d.t_quantile(1 - probability, degrees) == pytest.approx(-expected, abs=5e-5)


def test_t_median_is_zero():
    """The t distribution is centred."""
    assert d.t_quantile(0.5, 7) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("count", "p"), [(1, 0.3), (20, 0.95), (300, 0.99), (500, 0.5)])
def test_binomial_cdf_is_the_plain_sum(count, p):
    """The incomplete beta function adds up the binomial probabilities."""
    total = 0.0
    for k in range(count + 1):
        total += math.comb(count, k) * p**k * (1 - p) ** (count - k)
        assert d.binomial_cdf(k, count, p) == pytest.approx(min(total, 1), abs=1e-11)
    assert d.binomial_cdf(-1, count, p) == 0


@pytest.mark.parametrize(("a", "b"), [(1, 1), (0.5, 0.5), (3, 7), (400, 2), (1, 300)])
@pytest.mark.parametrize("probability", [0.001, 0.025, 0.5, 0.975])
def test_beta_quantile_inverts_the_cdf(a, b, probability):
    """The distribution function of the quantile is the probability."""
    assert d.beta_cdf(d.beta_quantile(probability, a, b), a, b) == pytest.approx(
        probability, rel=1e-9
    )


def test_beta_cdf_closed_forms():
    """I_x(1, 1) is x; I_x(a, 1) is x^a; I_x(1/2, 1/2) is the arcsine law."""
    assert d.beta_cdf(0.3, 1, 1) == pytest.approx(0.3)
    assert d.beta_cdf(0.7, 4, 1) == pytest.approx(0.7**4)
    assert d.beta_cdf(0.2, 0.5, 0.5) == pytest.approx(2 / math.pi * math.asin(math.sqrt(0.2)))
    assert (d.beta_cdf(0, 2, 3), d.beta_cdf(1, 2, 3)) == (0, 1)


def test_large_counts_converge():
    """A million requests are no problem."""
    assert d.binomial_cdf(950_000, 1_000_000, 0.95) == pytest.approx(0.5, abs=0.01)
