"""lambda_dyno.statistics.batches: intervals of samples that depend on each other."""

from __future__ import annotations

import math
import random
from statistics import NormalDist, fmean

import pytest

from lambda_dyno.statistics import batches, stats
from lambda_dyno.statistics.batches import Observations


def bursts(count, size, source):
    """Return values that come in runs of `size` equal ones: an effective count of count / size."""
    return [v for _ in range(count // size) for v in [source.random()] * size]


def drifting(count, memory, source):
    """Return lognormal latencies, each like the one before by `memory` (autoregressive)."""
    state, values = source.gauss(0, 1), []
    for _ in range(count):
        state = memory * state + math.sqrt(1 - memory**2) * source.gauss(0, 1)
        values.append(100 * math.exp(0.5 * state))
    return values


class TestEffectiveCount:
    def test_design_effect_by_hand(self):
        """40 samples, 20 pairs of equal ones, every other pair a hit.

        rate 1/2; variance of the mean 20/19 * 20 * (2 * 1/2)^2 / 40^2 = 0.013158; of
        independent samples 1/4 / 40 = 0.00625; effect 2.10526; price of 20 groups against 39
        degrees of freedom (2.09302 / 2.02269)^2 = 1.07075: 40 / 2.25421 = 17.7446.
        """
        values = [pair % 2 for pair in range(20) for _ in range(2)]
        effective = batches.effective_count(Observations(values), lambda v: v == 1)
        assert effective == pytest.approx(17.7446, abs=1e-3)

    def test_independent_samples_count_nearly_all(self):
        """Samples without dependence lose at most what not knowing it costs."""
        source = random.Random(3)
        values = [source.random() for _ in range(2000)]
        effective = batches.effective_count(Observations(values), lambda v: v < 0.5)
        assert 1000 < effective <= 2000

    def test_bursts_count_once(self):
        """2,000 samples in runs of 20 equal ones are about 100, not 2,000."""
        values = bursts(2000, 20, random.Random(4))
        assert 40 < batches.effective_count(Observations(values), lambda v: v < 0.5) < 220

    def test_owners_are_a_grouping_of_their_own(self):
        """Two slow users of ten, who alternate with the others, are seen only by owner."""
        owners = [i % 10 for i in range(1000)]
        values = [2.0 if owner < 2 else 1.0 for owner in owners]
        by_time = batches.effective_count(Observations(values), lambda v: v < 2)
        by_user = batches.effective_count(Observations(values, owners), lambda v: v < 2)
        assert by_time > 800
        assert by_user < 10

    @pytest.mark.parametrize("values", [[], [1.0], [1.0] * 50, list(range(10))])
    def test_says_nothing_where_nothing_can_be_seen(self, values):
        """All alike, or too few to group: the count itself."""
        observed = Observations(values)
        assert batches.effective_count(observed, lambda v: v <= 1) == len(values)

    def test_refuses_owners_that_do_not_fit(self):
        """Each sample has one owner."""
        with pytest.raises(ValueError, match="2 owners of 3 values"):
            Observations([1, 2, 3], owners=[0, 1])


class TestIntervals:
    @pytest.mark.parametrize("q", [0.5, 0.95])
    @pytest.mark.parametrize("memory", [0.0, 0.8])
    def test_percentiles_are_covered_as_stated(self, q, memory):
        """Of 250 intervals at 95 %, at least 91 % hold the true percentile, dependent or not."""
        true = 100 * math.exp(0.5 * NormalDist().inv_cdf(q))
        covered = naive = 0
        for seed in range(250):
            values = drifting(600, memory, random.Random(seed))
            covered += true in batches.percentile_interval(Observations(values), q)
            naive += true in stats.percentile_interval(sorted(values), q)
        assert covered / 250 >= 0.91
        if memory:
            assert naive / 250 < 0.8, "and ignoring the dependence would not do"

    def test_rates_are_covered_as_stated(self):
        """Errors in bursts of ten: 95 % intervals hold the true 5 % at least 91 % of the time."""
        covered = naive = 0
        for seed in range(250):
            source = random.Random(seed)
            failed = [value < 0.05 for value in bursts(1000, 10, source)]
            covered += 0.05 in batches.rate_interval(Observations(failed), bool)
            naive += 0.05 in stats.rate_interval(sum(failed), 1000)
        assert covered / 250 >= 0.91
        assert naive / 250 < 0.7

    def test_means_are_covered_as_stated(self):
        """Batch means of drifting samples: 95 % intervals hold the true mean."""
        true = 100 * math.exp(0.125)
        covered = sum(
            true in batches.mean_interval(Observations(drifting(600, 0.8, random.Random(seed))))
            for seed in range(250)
        )
        assert covered / 250 >= 0.9

    def test_infinite_samples_are_the_slowest(self):
        """Requests without an answer count as slower than any: they raise the upper end."""
        values = [10.0] * 950 + [math.inf] * 50
        random.Random(5).shuffle(values)
        interval = batches.percentile_interval(Observations(values), 0.95)
        assert interval.high == math.inf
        assert batches.percentile_interval(Observations(values), 0.5).high == 10.0

    def test_too_few_samples_leave_an_end_open(self):
        """Fifty samples do not bound a p95."""
        interval = batches.percentile_interval(Observations(list(range(50))), 0.95)
        assert interval.high == math.inf

    def test_of_nothing(self):
        """No samples: anything is possible."""
        nothing = Observations([])
        assert batches.percentile_interval(nothing, 0.5) == stats.Interval(-math.inf, math.inf)
        assert batches.rate_interval(nothing, bool) == stats.Interval(0.0, 1.0)
        assert batches.mean_interval(nothing) == stats.Interval(-math.inf, math.inf)

    def test_no_event_is_the_exact_interval(self):
        """None of 300: the closed form, 1 - 0.025^(1/300)."""
        interval = batches.rate_interval(Observations([0.0] * 300), bool)
        assert interval.low == 0
        assert interval.high == pytest.approx(1 - 0.025 ** (1 / 300))

    def test_mean_interval_is_centred(self):
        """The mean is in the middle of its interval, whatever the groups' sizes."""
        values = [float(i % 7) for i in range(101)]
        interval = batches.mean_interval(Observations(values))
        assert (interval.low + interval.high) / 2 == pytest.approx(fmean(values))
