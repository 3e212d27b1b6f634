"""The model's curve, its band, and how sizes differ from the deployed one."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from lambda_dyno.tuner_policy.curve import Point, curve
from lambda_dyno.tuner_policy.decide import Goal, conclude
from lambda_dyno.tuner_policy.posterior import Measured
from tools.tuner_bench import curves, policies


def measured(**durations_ms: list[float]) -> list[Measured]:
    """What was measured, by `mb128` and so on."""
    return [Measured.of(int(size[2:]), values) for size, values in durations_ms.items()]


def curve_of(
    seen: Sequence[Measured], current_mb: int, least_mb: int = 128, most_mb: int = 3008
) -> list[Point]:
    """The curve that a tuning ends with."""
    goal = Goal(least_mb=least_mb, most_mb=most_mb, current_mb=current_mb)
    drawn = conclude(goal, seen, seed="x", reason="").drawn
    assert drawn is not None
    return curve(drawn, [size.memory_mb for size in seen], current_mb)


def test_the_curve_is_over_all_sizes_and_changes_are_at_measured_ones() -> None:
    """A CPU-bound function: half the time at twice the memory."""
    seen = measured(mb128=[8000.0, 8200.0], mb256=[4000.0, 4040.0], mb512=[2020.0, 2000.0])
    points = {point.memory_mb: point for point in curve_of(seen, 128)}
    assert {128, 192, 256, 384, 512, 1024, 1769, 3008} <= points.keys()
    assert all(p.duration_ms[0] < p.duration_ms[1] < p.duration_ms[2] for p in points.values())
    ratio, cost = points[512].duration_ratio, points[512].cost_ratio
    assert ratio is not None
    assert cost is not None
    assert ratio[0] < 0.25 < ratio[2] < 0.4
    assert cost[0] < 1.0 < cost[2]
    assert points[1024].duration_ratio is None
    own = points[128].duration_ratio
    assert own is not None
    assert set(own) == {1.0}
    wide, narrow = (p.duration_ms[2] / p.duration_ms[0] for p in (points[3008], points[512]))
    assert wide > narrow


def test_without_the_deployed_size_no_change_is_known() -> None:
    """There is nothing to compare with."""
    seen = measured(mb128=[400.0, 410.0], mb256=[200.0, 202.0])
    assert all(p.duration_ratio is None for p in curve_of(seen, 1024))


@pytest.mark.slow
def test_what_is_stated_with_95_percent_is_true_as_often() -> None:
    """On real curves with real noise, tuned as Measure does, from a deployed size by chance."""
    inside = total = 0
    for function in curves.read():
        least, most = function.sizes_mb[0], function.sizes_mb[-1]
        chance = random.Random(function.id)
        within = [size for size in (128, 256, 512, 1024, 1769, 3008) if least <= size <= most]
        current = chance.choice(within or [least])
        goal = Goal("cost", least_mb=least, most_mb=most, current_mb=current)
        chosen = policies.adaptive(curves.Function(function, chance), goal, function.id)
        for point in curve_of(chosen.samples, current, least, most):
            if point.duration_ratio is None or point.memory_mb == current:
                continue
            ratio = function.duration_ms(point.memory_mb) / function.duration_ms(current)
            inside += point.duration_ratio[0] <= ratio <= point.duration_ratio[2]
            total += 1
    assert total > 100
    assert inside >= 0.93 * total, f"{inside} of {total}"
