"""lambda_dyno.statistics.stats: percentiles, means, rates and their intervals."""

from __future__ import annotations

import math
import random
from statistics import fmean

import pytest

from lambda_dyno.core.samples import latency_stats
from lambda_dyno.statistics import stats
from lambda_dyno.statistics.stats import Interval


class TestPercentile:
    @pytest.mark.parametrize(
        ("values", "q", "expected"),
        [
            # Hyndman and Fan, definition 1: the value of rank ceil(q * n).
            pytest.param([15, 20, 35, 40, 50], 0.05, 15, id="rank 1"),
            pytest.param([15, 20, 35, 40, 50], 0.30, 20, id="rank 1.5 up to 2"),
            pytest.param([15, 20, 35, 40, 50], 0.40, 20, id="rank 2 exactly"),
            pytest.param([15, 20, 35, 40, 50], 0.50, 35, id="median of an odd count"),
            pytest.param([15, 20, 35, 40, 50], 1.0, 50, id="the maximum"),
            pytest.param([1, 2, 3, 4], 0.5, 2, id="median of an even count is a real value"),
            pytest.param([7], 0.99, 7, id="one value"),
        ],
    )
    def test_is_the_value_of_the_nearest_rank(self, values, q, expected):
        """A percentile is the value whose rank is q times the count, rounded up."""
        assert stats.percentile(values, q) == expected

    @pytest.mark.parametrize("q", [0.07, 0.14, 0.28, 0.29, 0.55, 0.56, 0.57, 0.58, 0.95, 0.99])
    def test_rank_is_not_moved_by_floating_point(self, q):
        """Of 100 values the q-th percentile is number 100 q, although 0.07 * 100 exceeds 7."""
        assert stats.rank(100, q) == round(100 * q)

    def test_p95_of_one_to_a_hundred(self):
        """95 of the numbers from 1 to 100 are at most 95."""
        assert stats.percentile(range(1, 101), 0.95) == 95

    @pytest.mark.parametrize("q", [0, -0.1, 1.01, math.nan])
    def test_refuses_a_q_out_of_range(self, q):
        """A q that is no share is refused, not clamped."""
        with pytest.raises(ValueError, match="q must be above 0 and at most 1"):
            stats.percentile([1, 2], q)

    def test_refuses_no_values(self):
        """There is no percentile of nothing."""
        with pytest.raises(ValueError, match="at least one value"):
            stats.percentile([], 0.5)


class TestLeastSamples:
    @pytest.mark.parametrize(
        ("q", "expected"),
        [
            (0.5, 6),  # 0.5^6 = 0.0156 <= 0.025 < 0.5^5
            (0.9, 36),  # 0.9^36 = 0.0225, 0.9^35 = 0.0250316
            (0.95, 72),  # 0.95^72 = 0.0249, 0.95^71 = 0.0262
            (0.99, 368),  # 0.99^368 = 0.02476, 0.99^367 = 0.02501
            (0.1, 36),
        ],
    )
    def test_is_where_the_extreme_sample_becomes_a_bound(self, q, expected):
        """With one sample fewer the interval of the percentile has an open end."""
        assert stats.least_samples(q) == expected
        enough, too_few = list(range(expected)), list(range(expected - 1))
        assert all(map(math.isfinite, _ends(stats.percentile_interval(enough, q))))
        assert not all(map(math.isfinite, _ends(stats.percentile_interval(too_few, q))))


class TestPercentileInterval:
    @pytest.mark.parametrize(
        ("count", "q", "ranks"),
        [
            # P(B <= 1) = 11/1024 = 0.0107 <= 0.025 < P(B <= 2) = 56/1024
            pytest.param(10, 0.5, (2, 9), id="median of 10"),
            # P(B <= 0) = 1/64 = 0.0156 <= 0.025
            pytest.param(6, 0.5, (1, 6), id="median of 6"),
            # 1/32 = 0.03125 > 0.025: neither end
            pytest.param(5, 0.5, (0, 6), id="median of 5"),
            pytest.param(0, 0.5, (0, 1), id="nothing"),
            # sums of binomial(100, 0.5): P(B <= 39) = 0.0176, P(B <= 40) = 0.0284
            pytest.param(100, 0.5, (40, 61), id="median of 100"),
        ],
    )
    def test_ranks_worked_by_hand(self, count, q, ranks):
        """Its ranks are those of the binomial distribution's tails."""
        assert stats.interval_ranks(count, q) == ranks

    @pytest.mark.parametrize(("count", "q"), [(100, 0.95), (400, 0.99), (37, 0.9), (1000, 0.5)])
    def test_ranks_agree_with_a_plain_sum(self, count, q):
        """The fast search finds what adding up binomial probabilities finds."""
        cdf, total = [], 0.0
        for k in range(count + 1):
            total += math.comb(count, k) * q**k * (1 - q) ** (count - k)
            cdf.append(total)
        low = max((r for r in range(1, count + 1) if cdf[r - 1] <= 0.025), default=0)
        high = min((r for r in range(1, count + 1) if cdf[r - 1] >= 0.975), default=count + 1)
        assert stats.interval_ranks(count, q) == (low, high)

    def test_covers_as_often_as_it_says(self):
        """Of 2,000 intervals of a p95 at 95 %, at least 94 % hold the true value."""
        source = random.Random(1)
        true_p95 = -math.log(0.05)  # of the exponential distribution
        hits = sum(
            true_p95
            in stats.percentile_interval(sorted(source.expovariate(1) for _ in range(120)), 0.95)
            for _ in range(2000)
        )
        assert hits / 2000 >= 0.94


class TestMeans:
    def test_trimmed_mean_cuts_both_ends(self):
        """A fifth of ten values is two: the two smallest and the two largest are left out."""
        assert stats.trimmed_mean([1000, 1, 2, 3, 4, 5, 6, 7, 8, 0], 0.2) == fmean(
            [2, 3, 4, 5, 6, 7]
        )

    def test_trimmed_mean_rounds_the_cut_down(self):
        """A fifth of four values is none."""
        assert stats.trimmed_mean([1, 2, 3, 10], 0.2) == 4

    @pytest.mark.parametrize("share", [-0.1, 0.5, math.nan])
    def test_trimmed_mean_refuses_a_share_that_leaves_nothing(self, share):
        """At least something must be left in the middle."""
        with pytest.raises(ValueError, match="share"):
            stats.trimmed_mean([1, 2], share)

    def test_mean_interval_worked_by_hand(self):
        """Mean 5, deviation 2.1602, n 7: half width 2.4469 * 2.1602 / sqrt(7) = 1.9979."""
        interval = stats.mean_interval([2, 3, 4, 5, 6, 7, 8])
        assert interval.low == pytest.approx(5 - 1.9979, abs=1e-4)
        assert interval.high == pytest.approx(5 + 1.9979, abs=1e-4)

    def test_mean_interval_of_one_value_is_open(self):
        """One value says nothing about the spread."""
        assert stats.mean_interval([3.0]) == Interval(-math.inf, math.inf)


class TestRates:
    def test_no_event_in_n_is_the_closed_form(self):
        """With no error in 300 requests the upper end is 1 - 0.025^(1/300)."""
        interval = stats.rate_interval(0, 300)
        assert interval.low == 0
        assert interval.high == pytest.approx(1 - 0.025 ** (1 / 300), rel=1e-9)

    def test_all_events_mirror_none(self):
        """Everything failed: the interval is that of nothing failed, mirrored."""
        none, everything = stats.rate_interval(0, 50), stats.rate_interval(50, 50)
        assert everything.high == 1
        assert everything.low == pytest.approx(1 - none.high)

    def test_clopper_pearson_example(self):
        """4 of 20: P(X >= 4) is 0.025 at a rate of 0.0573, P(X <= 4) at 0.4366."""
        interval = stats.rate_interval(4, 20)
        assert interval.low == pytest.approx(0.0573, abs=5e-5)
        assert interval.high == pytest.approx(0.4366, abs=5e-5)

    def test_nothing_tried_says_nothing(self):
        """Without a trial the rate may be anything."""
        assert stats.rate_interval(0, 0) == Interval(0.0, 1.0)

    @pytest.mark.parametrize(("events", "count"), [(-1, 5), (6, 5)])
    def test_refuses_impossible_counts(self, events, count):
        """More events than trials are a bug of the caller's."""
        with pytest.raises(ValueError, match="trials"):
            stats.rate_interval(events, count)


class TestLatencyStats:
    def test_of_one_to_a_thousand(self):
        """Every field of the summary of 1 to 1000 ms, in any order."""
        values = list(range(1, 1001))
        random.Random(2).shuffle(values)
        summary = latency_stats(values)
        assert summary is not None
        assert (summary.mean, summary.p50, summary.p90) == (500.5, 500, 900)
        assert (summary.p95, summary.p99, summary.max) == (950, 990, 1000)

    def test_of_nothing(self):
        """No latency, no summary: None and not zeros."""
        assert latency_stats([]) is None


def _ends(interval):
    return interval.low, interval.high
