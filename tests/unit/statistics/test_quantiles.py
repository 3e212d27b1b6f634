"""lambda_dyno.statistics.quantiles: by hand, and where values come in steps."""

from __future__ import annotations

import math

import pytest

from lambda_dyno.statistics.quantiles import smooth_percentile


def test_median_of_three_by_hand():
    """Beta(2, 2) holds 7/27 below 1/3, 13/27 in the middle, 7/27 above 2/3."""
    assert smooth_percentile([0, 0, 27], 0.5) == pytest.approx(7)
    assert smooth_percentile([0, 27, 27], 0.5) == pytest.approx(20)


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_of_evenly_spread_values(q):
    """Of 1 to 1000 it is the percentile, within one value."""
    assert smooth_percentile(range(1, 1001), q) == pytest.approx(1000 * q, abs=1)


def test_does_not_jump_where_steps_meet():
    """One value more on the upper step moves it by a fraction of the step."""
    below, above = ([20.0] * (380 - k) + [40.0] * (20 + k) for k in (0, 1))
    step = smooth_percentile(above, 0.95) - smooth_percentile(below, 0.95)
    assert 0 < step < 3


def test_of_failed_requests():
    """Fewer than one in twenty failing leave p95 finite, more do not."""
    few, many = ([1.0] * (100 - k) + [math.inf] * k for k in (4, 6))
    assert smooth_percentile(few, 0.95) == 1
    assert smooth_percentile(many, 0.95) == math.inf
