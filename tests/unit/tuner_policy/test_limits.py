"""Whether a size keeps a limit: by counting, and which sizes are counted."""

from __future__ import annotations

import math
import random

import pytest

from lambda_dyno.tuner_policy.decide import Decision, Goal, decide, first_sizes
from lambda_dyno.tuner_policy.limits import Count, Limit, Statistic
from lambda_dyno.tuner_policy.posterior import Measured


@pytest.mark.parametrize(
    ("on", "invocations", "above", "proven"),
    [
        ("p95", 58, 0, False),
        ("p95", 59, 0, True),
        ("p95", 92, 1, False),
        ("p95", 93, 1, True),
        ("p95", 123, 2, False),
        ("p95", 124, 2, True),
        ("p95", 10_000, 400, True),
        ("p95", 10_000, 500, False),
        ("p50", 5, 0, False),
        ("p50", 6, 0, True),
        ("p50", 10_000, 5000, False),
        ("mean", 7, 0, False),
    ],
)
def test_it_is_counted_exactly(on: Statistic, invocations: int, above: int, proven: bool) -> None:
    """By the binomial distribution: no model, and no more than 5 % by chance."""
    count = Count.of(Limit(100, on), [101.0] * above + [99.0] * (invocations - above))
    assert count.is_proven is proven
    assert count.above == above
    if not proven and count.missing is not None:
        more = [101.0] * above + [99.0] * (invocations - above + count.missing)
        assert Count.of(Limit(100, on), more).is_proven


@pytest.mark.parametrize(("on", "passes"), [("p95", 0.06), ("p50", 0.06), ("mean", 0.06)])
def test_what_just_misses_a_limit_passes_seldom(on: Statistic, passes: float) -> None:
    """At the limit itself, looked at once with 60 invocations of a long tail."""
    chance = random.Random(4)
    drawn = [[math.exp(chance.gauss(0, 0.3)) for _ in range(60)] for _ in range(1500)]
    many = sorted(math.exp(chance.gauss(0, 0.3)) for _ in range(100_000))
    true = Count.of(Limit(math.inf, on), many).value_ms
    proven = [Count.of(Limit(true * 0.9999, on), one).is_proven for one in drawn]
    assert sum(proven) / len(proven) <= passes


def tune(
    limit_ms: float, on: Statistic, *, noise: float = 0.05, most: int = 400, seed: str = "s"
) -> tuple[Decision, dict[int, Count], int]:
    """Tune a function of 100 ms at one vCPU to the end."""
    chance = random.Random(seed)
    limit = Limit(limit_ms, on)
    goal = Goal("limit", most_mb=3008, most_passes=most, limit=limit)
    warm: dict[int, list[float]] = {}
    made, rounds = 0, 0

    def invoke(size: int, times: int) -> None:
        nonlocal made
        made += times
        drawn = [math.exp(chance.gauss(0, noise)) for _ in range(times)]
        warm.setdefault(size, []).extend(100 / min(1.0, size / 1769) * one for one in drawn)

    publish = first_sizes(goal)
    while True:
        rounds += 1
        for size in publish:
            invoke(size, goal.warm_of_new)
            made += 1
        while True:
            seen = [Measured.of(size, ms, limit) for size, ms in sorted(warm.items())]
            decision = decide(goal, seen, passes=made, rounds=rounds, seed=seed)
            if decision.action != "invoke":
                break
            for size in decision.sizes_mb:
                invoke(size, decision.times)
        if decision.action == "stop":
            return decision, {size: Count.of(limit, ms) for size, ms in warm.items()}, made
        publish = decision.sizes_mb


@pytest.mark.parametrize(("on", "most"), [("mean", 60), ("p50", 60), ("p95", 160)])
def test_the_smallest_size_that_keeps_it_is_proven(on: Statistic, most: int) -> None:
    """Of a function that costs the same at all sizes up to one vCPU, any that keeps it will do."""
    decision, counts, made = tune(300, on)
    assert counts[decision.best_mb].is_proven
    assert 100 / min(1.0, decision.best_mb / 1769) <= 300
    assert decision.best_mb <= 1769
    assert made <= most


def test_what_no_size_keeps_is_told_and_the_fastest_is_named() -> None:
    """Without counting at sizes that cannot keep it."""
    decision, counts, made = tune(60, "p95")
    assert decision.none_keeps
    assert decision.best_mb >= 1769 or decision.best_mb == max(counts)
    assert made <= 40


def test_what_may_not_be_counted_is_not_proven() -> None:
    decision, counts, made = tune(300, "p95", most=30)
    assert made <= 30
    assert not counts[decision.best_mb].is_proven
    assert decision.reason == "as much was measured as may be"
