"""Change points: where they are, how large they are, and how often the test is wrong."""

from __future__ import annotations

import math
from random import Random

import pytest

from lambda_dyno.statistics import change_points
from lambda_dyno.statistics.change_points import changes, critical, largest
from tools.history_simulation.critical import value
from tools.history_simulation.rates import rates


def series(*levels: tuple[int, float], spread: float = 0.05, seed: int = 1) -> list[float]:
    chance = Random(seed)
    return [level * math.exp(chance.gauss(0, spread)) for n, level in levels for _ in range(n)]


def test_the_statistic_worked_by_hand() -> None:
    """Of 1 to 6 cut in the middle: rank sum 6 where 10.5 is expected, with a variance of 5.25."""
    assert largest([1, 2, 3, 4, 5, 6]) == (pytest.approx(4.5 / math.sqrt(5.25)), 3)


def test_values_that_are_alike_share_their_ranks_and_say_nothing() -> None:
    """Memory is counted in whole MB."""
    assert largest([83.0] * 12)[0] == 0
    assert changes([83.0] * 50) == []


@pytest.mark.parametrize("step", [0.5, 0.8, 1.25, 2.0])
def test_a_clear_step_is_found_at_its_place(step: float) -> None:
    """With its size, and an interval that has it."""
    (found,) = changes(series((20, 100), (10, 100 * step)))
    assert found.at == pytest.approx(20, abs=1)
    assert step in found.interval
    assert found.ratio == pytest.approx(step, rel=0.06)


def test_two_steps_are_two() -> None:
    """Also up and down again."""
    found = changes(series((25, 100), (25, 150), (25, 100)))
    assert [change.at for change in found] == [pytest.approx(25, abs=1), pytest.approx(50, abs=1)]
    assert [change.ratio > 1 for change in found] == [True, False]


def test_one_value_far_off_is_no_change() -> None:
    """Nor are two: a busy machine."""
    values = series((30, 100))
    values[11] = values[12] = 900.0
    assert changes(values) == []


@pytest.mark.parametrize("before", [3, 5, 9, 10, 26])
def test_a_large_step_shows_at_once_and_stays(before: int) -> None:
    """Ranks alone would need ten runs, and four of them after it."""
    for after in (1, 2, 3, 4, 6, 7):
        (found,) = changes(series((before, 100), (after, 300), spread=0.02))
        assert found.at == pytest.approx(before, abs=1)
        assert found.interval.low > 1.5


def test_a_step_that_the_scatter_may_be_is_none_by_few() -> None:
    """Ten per cent, by one run after three."""
    assert changes([100.0, 104.0, 98.0, 111.0]) == []


@pytest.mark.parametrize("count", range(4))
def test_too_few_values_have_no_change(count: int) -> None:
    """Whatever they are."""
    assert changes([10.0] * (count // 2) + [99.0] * (count - count // 2)) == []


def test_one_step_of_rounded_figures_is_no_change() -> None:
    """Memory is counted in whole MB: three runs that are alike may differ by less than one."""
    assert changes([46.0, 46.0, 46.0, 48.0]) == []
    assert [found.at for found in changes([46.0, 46.0, 46.0, 92.0])] == [3]


@pytest.mark.parametrize("count", [4, 6, 9, 10, 15])
def test_few_values_that_do_not_change_rarely_seem_to(count: int) -> None:
    """One in a hundred, and a tenth of that where ranks say something, too."""
    draws = 4000
    found = sum(bool(changes(series((count, 100), seed=seed))) for seed in range(draws))
    assert found / draws <= 0.011 + 3 * math.sqrt(0.01 * 0.99 / draws)


def test_the_critical_value_holds_where_there_are_few_orders() -> None:
    """Of the orders of ten values no more than one in a hundred is called a change."""
    chance = Random(1)
    orders = [chance.sample(range(10), 10) for _ in range(40_000)]
    above = sum(largest([float(x) for x in order])[0] > critical(10) for order in orders)
    assert above / len(orders) <= 0.0115


@pytest.mark.parametrize("count", [12, 30, 100])
def test_the_critical_values_are_those_of_the_simulation(count: int) -> None:
    """Drawn anew with another seed."""
    assert critical(count) == pytest.approx(value(count, seed=2, draws=8000), abs=0.12)


def test_between_and_beyond_the_known_counts_the_critical_value_grows() -> None:
    """It is between its neighbours'."""
    found = [critical(count) for count in range(10, 5000, 7)]
    assert found == sorted(found)
    assert change_points.CRITICAL[0][1] < found[-1] < 4.2


@pytest.mark.parametrize("noise", ["cpu", "io"])
def test_false_alarms_are_one_in_a_hundred_and_steps_are_found(noise: str) -> None:
    """As docs/history.md says; `make bench-history` has the whole table."""
    unchanged = rates(noise, 0.0, 300, seed=3)
    stepped = rates(noise, 0.1, 300, seed=3)
    assert unchanged.found <= 0.03  # 0.01, and three of its standard errors
    assert stepped.found >= stepped.known_place - 0.35 > 0.2
