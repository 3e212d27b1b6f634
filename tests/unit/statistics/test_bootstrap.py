"""Intervals of trimmed means by the bootstrap: how often the true value is inside."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from lambda_dyno.statistics import bootstrap
from lambda_dyno.statistics.stats import trimmed_mean

Draw = Callable[[random.Random], float]
DURATIONS: dict[str, Draw] = {
    "even": lambda chance: chance.gauss(100.0, 10.0),
    "skewed": lambda chance: 100.0 * chance.lognormvariate(0.0, 0.3),
    "tail": lambda chance: 100.0 + chance.expovariate(1 / 30.0),
}


@pytest.fixture
def fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws cost time; the ends of an interval are as often right with fewer, only less even."""
    monkeypatch.setattr(bootstrap, "DRAWS", 300)


@pytest.mark.usefixtures("fewer_draws")
@pytest.mark.parametrize("draw", DURATIONS.values(), ids=DURATIONS)
def test_the_true_mean_is_inside_as_often_as_stated(draw: Draw) -> None:
    """Of 9 warm invocations among 10, trimmed as the tuner trims: at least 93 of 100."""
    chance = random.Random(7)
    truth = trimmed_mean([draw(chance) for _ in range(40_000)], 0.2)
    found = [
        bootstrap.draws([[draw(chance) for _ in range(9)]], 0.2, str(run)) for run in range(120)
    ]
    inside = sum(one is not None and truth in one.interval() for one in found)
    assert inside >= 0.93 * len(found)


@pytest.mark.usefixtures("fewer_draws")
def test_the_ratio_of_equal_sizes_is_one_as_often_as_stated() -> None:
    """So a difference is claimed of no more than 7 of 100 equal pairs."""
    chance = random.Random(3)
    inside = 0
    for run in range(100):
        one, other = (
            bootstrap.draws(
                [[chance.lognormvariate(0.0, 0.2) for _ in range(10)]], 0.2, f"{run} {size}"
            )
            for size in (128, 256)
        )
        assert one is not None
        assert other is not None
        inside += 1.0 in one.over(other).interval()
    assert inside >= 93


def test_a_difference_that_is_there_is_found() -> None:
    """30 % with 10 % of noise, and its size is in the interval."""
    chance = random.Random(5)
    one, other = (
        bootstrap.draws([[middle * chance.gauss(1.0, 0.1) for _ in range(10)]], 0.2, str(middle))
        for middle in (70.0, 100.0)
    )
    assert one is not None
    assert other is not None
    interval = one.over(other).interval()
    assert interval.high < 1
    assert 0.7 in interval


def test_requests_are_drawn_each_by_itself() -> None:
    """How much the requests of a workload differ from each other is no noise."""
    chance = random.Random(9)
    groups = [[middle * chance.gauss(1.0, 0.02) for _ in range(5)] for middle in (10.0, 500.0)]
    apart, together = (
        bootstrap.draws(values, 0.2, "x") for values in (groups, [[*groups[0], *groups[1]]])
    )
    assert apart is not None
    assert together is not None
    assert apart.interval().high - apart.interval().low < 20
    assert together.interval().high - together.interval().low > 200


def test_requests_that_were_made_once_each_say_how_much_they_differ() -> None:
    """Ten invocations of ten requests: what differs between these is not told from noise."""
    middles = [5.0, 5.5, 6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0, 30.0]
    single = bootstrap.draws([[middle] for middle in middles], 0.2, "x")
    assert single == bootstrap.draws([middles], 0.0, "x")
    assert single is not None
    assert single.estimate == pytest.approx(9.3)
    assert single.interval().low < 7
    assert single.interval().high > 14


@pytest.mark.parametrize("groups", [[], [[1.0] * 7], [[1.0] * 6, [1.0]], [[0.0] * 10]])
def test_too_little_is_no_interval(groups: list[list[float]]) -> None:
    """Few values, a request with one, and durations of nothing."""
    assert bootstrap.draws(groups, 0.2, "x") is None


def test_the_same_values_have_the_same_interval() -> None:
    """A report that is written again says the same."""
    values = [[float(value) for value in range(1, 20)]]
    assert bootstrap.draws(values, 0.2, "a") == bootstrap.draws(values, 0.2, "a")
