"""lambda_dyno.statistics.signed_rank: exact bounds of a difference from pairs."""

from __future__ import annotations

import math
import random

import pytest

from lambda_dyno.statistics import signed_rank
from lambda_dyno.statistics.signed_rank import SignedRank


class TestDistribution:
    def test_of_three_pairs_by_hand(self):
        """Eight equally likely sums of ranks: 0, 1, 2, 3, 3, 4, 5, 6."""
        found = [signed_rank.distribution(3, value) for value in range(-1, 7)]
        assert found == pytest.approx([0, 1 / 8, 2 / 8, 3 / 8, 5 / 8, 6 / 8, 7 / 8, 1])

    @pytest.mark.parametrize(
        ("pairs", "level", "value"),
        [(10, 0.025, 8), (20, 0.025, 52), (20, 0.01, 43), (20, 0.005, 37), (30, 0.005, 109)],
    )
    def test_critical_values_of_the_tables(self, pairs, level, value):
        """As in tables of Wilcoxon's signed-rank test (one-sided levels)."""
        assert signed_rank.critical(pairs, level) == value

    def test_too_few_pairs_have_no_critical_value(self):
        """Four pairs are all on one side by chance in 1 of 16 cases: too often for 5 %."""
        assert signed_rank.critical(4, 0.05) == -1
        assert signed_rank.critical(5, 0.05) == 0

    @pytest.mark.parametrize("level", [0.05, 0.0025, 2**-9, 0.001])
    def test_least_pairs_is_the_least_that_bounds(self, level):
        """So many pairs have a bound, one fewer has none."""
        least = signed_rank.least_pairs(level)
        assert signed_rank.critical(least, level) >= 0
        assert signed_rank.critical(least - 1, level) == -1

    @pytest.mark.parametrize("level", [0.05, 0.0025])
    def test_many_pairs_are_near_the_exact_ones(self, level):
        """Where the normal distribution takes over, it is within a thousandth."""
        last, first = signed_rank._MOST_EXACT, signed_rank._MOST_EXACT + 1
        exact = signed_rank.critical(last, level) / (last * (last + 1))
        normal = signed_rank.critical(first, level) / (first * (first + 1))
        assert normal == pytest.approx(exact, abs=1e-3)
        value = signed_rank.critical(first, level)
        assert signed_rank.distribution(first, value) <= level
        assert signed_rank.distribution(first, value + 1) == pytest.approx(level, rel=0.05)


class TestSignedRank:
    def test_estimate_by_hand(self):
        """Averages 1, 1.5, 2, 3.5, 4, 6 of 1, 2, 6: their median is 2.75."""
        assert SignedRank.of([1, 6, 2]).averages == (1, 1.5, 2, 3.5, 4, 6)
        assert SignedRank.of([1, 6, 2]).estimate == 2.75

    def test_all_above_zero_is_as_rare_as_it_can_be(self):
        """Ten differences above zero: 1 of 2^10."""
        assert SignedRank.of(range(1, 11)).p_value() == pytest.approx(2**-10)

    def test_ties_with_zero_count_against_a_difference(self):
        """Nothing but zeros is no sign of anything."""
        assert SignedRank.of([0.0] * 12).p_value() == 1
        assert SignedRank.of([0.0] * 12).lower_bound(0.01) == 0

    def test_bound_and_p_value_agree(self):
        """The lower bound is above zero exactly when the p-value is at most the level."""
        source = random.Random(1)
        seen = set()
        for _ in range(300):
            ranks = SignedRank.of([source.gauss(0.4, 1) for _ in range(15)])
            above = ranks.lower_bound(0.05) > 0
            assert above == (ranks.p_value() <= 0.05)
            seen.add(above)
        assert seen == {True, False}

    def test_bounds_mirror_each_other(self):
        """The upper bound of differences is the lower one of their opposites, negated."""
        source = random.Random(2)
        differences = [source.expovariate(1) for _ in range(20)]
        mirrored = SignedRank.of([-one for one in differences])
        assert SignedRank.of(differences).upper_bound(0.05) == -mirrored.lower_bound(0.05)

    def test_few_pairs_bound_nothing(self):
        """Both ends stay open."""
        ranks = SignedRank.of([1.0, 2.0, 3.0])
        assert ranks.lower_bound(0.05) == -math.inf
        assert ranks.upper_bound(0.05) == math.inf

    def test_one_wild_pair_moves_little(self):
        """Twenty pairs near 0.1 and one of 50: the bounds stay near 0.1."""
        source = random.Random(3)
        differences = [source.gauss(0.1, 0.02) for _ in range(20)]
        ranks = SignedRank.of([*differences, 50.0])
        assert 0.08 < ranks.lower_bound(0.01) < ranks.upper_bound(0.01) < 0.13

    def test_of_nothing(self):
        """No differences are a caller's mistake."""
        with pytest.raises(ValueError, match="no differences"):
            SignedRank.of([])
