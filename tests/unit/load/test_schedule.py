"""lambda_dyno.load.schedule: when users come and go, and when iterations are due."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean

import pytest

from lambda_dyno.load.schedule import ClosedSchedule, Stage, closed_loop, open_loop, ramp_and_hold


class TestClosedLoop:
    def test_the_usual_test(self):
        """Four users, a ramp-up of 2 s, 10 s altogether: one every half second, all to the end."""
        schedule = closed_loop(ramp_and_hold(4, 2.0, 10.0))
        assert schedule == ClosedSchedule(((0.0, 10.0), (0.5, 10.0), (1.0, 10.0), (1.5, 10.0)))

    def test_the_forerunners_test(self):
        """Ten users, two minutes, ramp-up of ten seconds: user i begins after i seconds."""
        schedule = closed_loop(ramp_and_hold(10, 10.0, 120.0))
        assert schedule.lifetimes_s == tuple((float(user), 120.0) for user in range(10))

    def test_without_a_ramp_all_begin_at_once(self):
        """A jump takes no time."""
        assert closed_loop(ramp_and_hold(3, 0.0, 5.0)).lifetimes_s == ((0.0, 5.0),) * 3

    def test_up_and_down(self):
        """Who came last leaves first: up to 2 in 4 s, down to 0 in 4 s."""
        schedule = closed_loop([Stage(2, 4.0), Stage(0, 4.0)])
        assert schedule.lifetimes_s == ((0.0, 8.0), (2.0, 6.0))

    def test_steps(self):
        """1 user, then 3, then 1 again, 5 s each: two stay for the middle only."""
        steps = [Stage(1, 0), Stage(1, 5), Stage(3, 0), Stage(3, 5), Stage(1, 0), Stage(1, 5)]
        assert closed_loop(steps).lifetimes_s == ((0.0, 15.0), (5.0, 10.0), (5.0, 10.0))

    def test_who_comes_back_is_another(self):
        """A level that falls to nothing and rises again makes two users of one."""
        waves = [Stage(1, 0), Stage(1, 2), Stage(0, 0), Stage(0, 2), Stage(1, 0), Stage(1, 2)]
        assert closed_loop(waves).lifetimes_s == ((0.0, 2.0), (4.0, 6.0))

    @pytest.mark.parametrize("stages", [[], [Stage(0, 10)]])
    def test_nobody(self, stages):
        """Without a level above zero there is nobody."""
        assert closed_loop(stages).lifetimes_s == ()


class TestOpenLoop:
    def test_a_constant_rate_is_evenly_spaced(self):
        """Two iterations a second for 2 s: at a quarter, three quarters, ..."""
        schedule = open_loop([Stage(2, 0), Stage(2, 2)], users=5)
        assert schedule.arrivals_s == pytest.approx((0.25, 0.75, 1.25, 1.75))
        assert (schedule.users, schedule.duration_s) == (5, 2.0)

    def test_a_ramp_by_hand(self):
        """From 0 to 4 a second in 2 s, t^2 iterations are due by t: the k-th at sqrt(k - 1/2)."""
        schedule = open_loop([Stage(4, 2)], users=1)
        assert schedule.arrivals_s == pytest.approx([math.sqrt(k + 0.5) for k in range(4)])

    def test_a_falling_ramp_is_a_rising_one_backwards(self):
        """From 4 to 0 in 2 s: the mirror image."""
        falling = open_loop([Stage(4, 0), Stage(0, 2)], users=1).arrivals_s
        rising = open_loop([Stage(4, 2)], users=1).arrivals_s
        assert falling == pytest.approx([2 - t for t in reversed(rising)])

    def test_stages_follow_each_other_without_a_gap(self):
        """Ten a second throughout, in however many stages, is one even row."""
        whole = open_loop([Stage(10, 0), Stage(10, 3)], users=1).arrivals_s
        parts = open_loop([Stage(10, 0), Stage(10, 0.33), Stage(10, 1.17), Stage(10, 1.5)], users=1)
        assert parts.arrivals_s == pytest.approx(whole)

    def test_a_pause_has_no_arrivals(self):
        """Nothing is due while the rate is zero."""
        stages = [Stage(5, 0), Stage(5, 1), Stage(0, 0), Stage(0, 10), Stage(5, 0), Stage(5, 1)]
        arrivals = open_loop(stages, users=1).arrivals_s
        assert len(arrivals) == 10
        assert not any(1 < t < 11 for t in arrivals)

    def test_at_random_is_a_poisson_process(self):
        """Of 5,000 arrivals at 50 a second the gaps are exponential: mean and deviation 20 ms."""
        arrivals = open_loop([Stage(50, 0), Stage(50, 100)], users=1, random_seed=1).arrivals_s
        gaps = [b - a for a, b in pairwise(arrivals)]
        mean = fmean(gaps)
        deviation = math.sqrt(fmean((gap - mean) ** 2 for gap in gaps))
        assert mean == pytest.approx(0.02, rel=0.05)
        assert deviation == pytest.approx(0.02, rel=0.05)
        assert (
            arrivals == open_loop([Stage(50, 0), Stage(50, 100)], users=1, random_seed=1).arrivals_s
        )

    def test_needs_somebody(self):
        """Iterations do not make themselves."""
        with pytest.raises(ValueError, match="at least one user"):
            open_loop([Stage(1, 1)], users=0)


@pytest.mark.parametrize(
    ("level", "duration_s"), [(-1, 1), (1, -1), (math.nan, 1), (1, math.inf), (math.inf, 1)]
)
def test_a_stage_needs_sensible_numbers(level, duration_s):
    """Neither negative, nor infinite, nor not a number."""
    with pytest.raises(ValueError, match="a stage needs"):
        Stage(level, duration_s)
