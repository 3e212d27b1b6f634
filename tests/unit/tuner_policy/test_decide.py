"""Which size comes next, when it ends, and what is said of the choice."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from lambda_dyno.tuner_contract.keys import MOST_PASSES
from lambda_dyno.tuner_policy import sizes, stairs
from lambda_dyno.tuner_policy.decide import (
    Confidence,
    Decision,
    Goal,
    Strategy,
    decide,
    first_sizes,
)
from lambda_dyno.tuner_policy.posterior import Measured, noise_variance, posterior

Law = Callable[[int], float]


def one_thread(cpu_ms: float, waits_ms: float = 0.0) -> Law:
    """Return the durations of a function that is given its share of one vCPU, smoothly."""
    return lambda memory_mb: waits_ms + cpu_ms / min(1.0, memory_mb / 1769)


def tune(
    law: Law, goal: Goal, *, noise: float = 0.03, seed: str = "a", former: Sequence[Measured] = ()
) -> tuple[Decision, dict[int, list[float]], list[int]]:
    """Tune a law to the end; return the last decision, the samples and the sizes of each round."""
    chance = random.Random(seed)
    warm: dict[int, list[float]] = {}
    rounds: list[int] = []
    invocations = 0

    def invoke(memory_mb: int) -> float:
        nonlocal invocations
        invocations += 1
        return law(memory_mb) * math.exp(chance.gauss(0.0, noise))

    publish = first_sizes(goal, former)
    for _ in range(200):
        rounds.append(len(publish))
        for size in publish:
            assert size not in warm, "a size is published once"
            invoke(size)
            warm[size] = [invoke(size) for _ in range(goal.warm_of_new)]
        while True:
            decision = decide(
                goal,
                [Measured.of(size, ms) for size, ms in sorted(warm.items())],
                passes=invocations,
                rounds=len(rounds),
                seed=seed,
                former=former,
            )
            if decision.action != "invoke":
                break
            for size in decision.sizes_mb:
                warm[size].append(invoke(size))
        if decision.action == "stop":
            return decision, warm, rounds
        publish = decision.sizes_mb
    raise AssertionError("it does not end")


@pytest.mark.parametrize(
    ("law", "strategy", "right"),
    [
        (one_thread(300), "cost", range(128, 1770)),  # the same price up to one vCPU
        (one_thread(5, 400), "cost", range(128, 129)),
        (one_thread(300), "speed", range(1700, 10241)),
        (lambda memory_mb: 3000 / min(memory_mb / 1769, 6.0), "speed", range(9000, 10241)),
        (one_thread(300), "balanced", range(900, 2049)),
    ],
)
def test_the_choice_is_right(law: Law, strategy: Strategy, right: range) -> None:
    """Whatever decides: CPU, waiting, threads."""
    for seed in "abc":
        decision, warm, _ = tune(law, Goal(strategy), seed=seed)
        assert decision.best_mb in right
        assert decision.best_mb in warm, "what is chosen was measured"


@pytest.mark.parametrize("confidence", ["default", "sure"])
@pytest.mark.parametrize("noise", [0.0, 0.6])
def test_it_ends_within_its_budget(confidence: Confidence, noise: float) -> None:
    """However much the function scatters."""
    goal = Goal(confidence=confidence, most_passes=MOST_PASSES[confidence])
    decision, warm, rounds = tune(one_thread(40, 30), goal, noise=noise)
    invocations = sum(map(len, warm.values())) + len(warm)
    assert invocations <= goal.most_passes
    assert len(warm) <= 8
    assert len(rounds) <= 4
    assert decision.reason


def test_a_budget_of_ones_own_is_kept() -> None:
    """The first sizes are measured in any case."""
    decision, warm, _ = tune(one_thread(40), Goal(most_passes=9, confidence="sure"))
    assert sum(map(len, warm.values())) + len(warm) <= 12
    assert decision.reason == "as much was measured as may be"


@pytest.mark.parametrize(("least", "most"), [(128, 128), (512, 1024), (1000, 3008), (4096, 10240)])
@pytest.mark.parametrize("strategy", ["cost", "speed", "balanced"])
def test_nothing_outside_the_range_is_measured(least: int, most: int, strategy: Strategy) -> None:
    """An account may allow no more than 3008 MB, and one size alone is a range, too."""
    goal = Goal(strategy, least_mb=least, most_mb=most)
    _, warm, _ = tune(one_thread(200, 20), goal)
    assert all(least <= size <= most for size in warm)


def test_the_same_samples_give_the_same_decision() -> None:
    """A state that is tried again decides as before."""
    samples = [Measured.of(128, (900.0, 950.0)), Measured.of(256, (440.0, 480.0))]
    made = [decide(Goal(), samples, passes=6, rounds=1, seed="x") for _ in range(2)]
    assert made[0] == made[1]


def test_what_cannot_be_known_is_not_claimed() -> None:
    """With much noise and few invocations the statement is wide."""
    noisy, *_ = tune(one_thread(40, 30), Goal(), noise=0.5)
    quiet, *_ = tune(one_thread(40, 30), Goal(), noise=0.01)
    assert noisy.at_most > 2 * quiet.at_most
    assert quiet.close > noisy.close


def test_a_former_tuning_saves_invocations() -> None:
    """Of the same code."""
    first, warm, _ = tune(one_thread(120, 60), Goal())
    former = [Measured.of(size, ms) for size, ms in warm.items()]
    again, fewer, _ = tune(one_thread(120, 60), Goal(), seed="b", former=former)
    assert sum(map(len, fewer.values())) < sum(map(len, warm.values()))
    assert again.at_most <= 1.5 * first.at_most


def test_short_functions_end_at_the_foot_of_a_step() -> None:
    """17 ms of CPU time, by the law that was fitted to AWS's own measurements."""
    rows = stairs.ROWS
    row = min(range(len(rows)), key=lambda row: abs(rows[row][0] - 17) + rows[row][1])

    def law(memory_mb: int) -> float:
        return math.exp(stairs.at(memory_mb)[row])

    decision, *_ = tune(law, Goal(most_mb=3008), noise=0.02)
    every = range(128, 3009, 8)
    least = min(size * (law(size) + 0.5) for size in every)
    assert decision.stairs > 0.5
    assert decision.best_mb * (law(decision.best_mb) + 0.5) <= 1.08 * least
    assert decision.step is not None
    assert decision.step.from_mb <= decision.best_mb
    assert law(decision.best_mb) <= 20 * decision.step.periods * 1.05
    assert decision.step.periods == 1 or law(decision.best_mb) > 20 * (decision.step.periods - 1.2)


@pytest.mark.parametrize("cpu_ms", [5.0, 6.9, 9.0])
def test_a_step_that_its_neighbours_do_not_show_is_looked_at(cpu_ms: float) -> None:
    """By the plain quota 128, 256 and 512 MB look smooth, and twice as expensive as the best."""

    def law(memory_mb: int) -> float:
        quota_ms = 20 * min(1.0, memory_mb / 1769)
        whole = math.ceil(cpu_ms / quota_ms) - 1
        return 20 * whole + cpu_ms - whole * quota_ms + 3

    decision, warm, _ = tune(law, Goal(most_mb=3008), noise=0.03)
    least = min(size * (law(size) + 0.5) for size in range(128, 3009, 8))
    assert any(law(size) < 20 for size in warm)
    assert decision.best_mb * (law(decision.best_mb) + 0.5) <= 1.35 * least


def test_who_stops_in_doubt_states_more() -> None:
    """Where the budget ends before a choice is known well enough."""

    def law(memory_mb: int) -> float:
        return one_thread(300, 30)(memory_mb) * (1.5 if memory_mb in (256, 1024) else 1.0)

    goal = Goal(most_mb=3008, most_passes=12)
    decision, warm, _ = tune(law, goal, noise=0.3)
    measured = [Measured.of(size, ms) for size, ms in sorted(warm.items())]
    known = decide(replace(goal, most_passes=99), measured, passes=12, rounds=4, seed="a")
    assert decision.reason == "as much was measured as may be"
    assert known.action != "stop"
    assert (decision.best_mb, known.regret > 0.02) == (known.best_mb, True)
    assert decision.at_most > known.at_most


def test_outliers_do_not_move_a_size() -> None:
    """A garbage collection in one of five is no slower size."""
    assert Measured.of(128, (10, 10, 10, 10, 500)).log_ms == pytest.approx(math.log(10))
    assert noise_variance([Measured.of(128, (10, 10, 10, 10, 500))]) > 1


def test_draws_hold_the_truth() -> None:
    """At sizes that were not measured: nine in ten curves within the middle 90 %, or more."""
    chance = random.Random(5)
    within = 0
    for number in range(40):
        law = one_thread(chance.uniform(20, 2000), chance.uniform(0, 400))
        samples = [
            Measured.of(size, tuple(law(size) * math.exp(chance.gauss(0, 0.05)) for _ in range(3)))
            for size in (128, 512, 2048)
        ]
        drawn = posterior(samples, lambda stepped: sizes.judged(128, 10240, stairs=stepped), "s")
        values = sorted(drawn.of(1024))
        within += values[15] <= math.log(law(1024)) <= values[284]
        assert len(values) >= 299, number
    assert within >= 34


@pytest.mark.parametrize("current", [128, 300, 512, 3008, 10240])
def test_the_current_size_is_measured_first_and_kept_if_it_will_do(current: int) -> None:
    """What costs the same at all sizes up to one vCPU is no reason to change anything."""
    goal = Goal(current_mb=current)
    assert current in first_sizes(goal)
    assert len(first_sizes(goal)) <= 4
    decision, *_ = tune(one_thread(300), goal, noise=0.02)
    assert decision.best_mb == current if current <= 1769 else decision.best_mb <= 1769
