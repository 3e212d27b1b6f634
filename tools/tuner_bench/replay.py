"""One replay: a policy tunes a function of a curve, and is held against the truth."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lambda_dyno.tuner_contract import prices
from lambda_dyno.tuner_contract.keys import MOST_PASSES, most_passes
from lambda_dyno.tuner_policy.decide import Goal, Strategy
from lambda_dyno.tuner_policy.limits import Limit, Statistic
from tools.tuner_bench import policies
from tools.tuner_bench.curves import Curve, Function
from tools.tuner_bench.policies import LPT_MB, Choice

# What is replayed: the strategies, and limits on each statistic.
STRATEGIES: dict[str, tuple[Strategy, Statistic | None]] = {
    "cost": ("cost", None),
    "speed": ("speed", None),
    "balanced": ("balanced", None),
    "limit-mean": ("limit", "mean"),
    "limit-p50": ("limit", "p50"),
    "limit-p95": ("limit", "p95"),
}
_LIMIT_PAST = 0.05  # limits lie within the curve, and so much past its ends
NAMES = ("default", "sure", "prior", "lpt-6x10", "lpt-6x50", "parrotfish")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one replay came to."""

    curve: str
    plausible: bool
    policy: str
    strategy: str
    chosen_mb: int
    stated: float | None
    regret: float  # against the best; of a limit, the cheapest that keeps it
    invocations: int
    units: float  # cost over that of one invocation at the cheapest size
    sizes: int
    rounds: int
    usd: float
    limit_ms: float | None = None
    proven: bool = False  # that it keeps the limit
    keeps: bool = True  # what is true
    possible: bool = True  # whether any size keeps it

    def to_line(self) -> dict[str, Any]:
        """Return the line of `--choices`."""
        stated = None if self.stated is None else round(100 * self.stated, 3)
        limited = {"limit_ms": self.limit_ms, "proven": self.proven, "keeps": self.keeps}
        return {
            "curve": self.curve,
            "policy": self.policy,
            "strategy": self.strategy,
            "chosen_mb": self.chosen_mb,
            "stated_percent": stated,
            "invocations": self.invocations,
            "units": round(self.units, 3),
            "sizes": self.sizes,
            "rounds": self.rounds,
            **(limited if self.limit_ms is not None else {}),
        }


def replay(curve: Curve, strategy: str, repeat: int, seed: int) -> list[Replayed]:
    """Return what each policy does with a curve, each with invocations of its own.

    Args:
        curve: The curve.
        strategy: One of `STRATEGIES`.
        repeat: Which time.
        seed: Of all chance.
    """
    name = f"{seed} {curve.id} {strategy} {repeat}"
    word, on = STRATEGIES[strategy]
    goal = Goal(
        word,
        least_mb=curve.sizes_mb[0],
        most_mb=curve.sizes_mb[-1],
        most_passes=most_passes("default", word, on or ""),
        limit=None if on is None else _limit(curve, on, name),
    )
    sure = replace(
        goal,
        confidence="sure",
        most_passes=most_passes("sure", word, on or ""),
        ranking_passes=MOST_PASSES["sure"],
    )

    def function(policy: str) -> Function:
        chance = random.Random(f"{name} {policy}")  # noqa: S311 - noise, not secrets
        return Function(curve, chance)

    first = function("default")
    default = policies.adaptive(first, goal, name)
    made: list[tuple[str, Function, Choice]] = [("default", first, default)]
    again = function("prior")
    made.append(("prior", again, policies.adaptive(again, goal, f"{name} again", default.samples)))
    longer = function("sure")
    made.append(("sure", longer, policies.adaptive(longer, sure, name)))
    for policy, run in (
        ("lpt-6x10", policies.lpt(10)),
        ("lpt-6x50", policies.lpt(50)),
        ("parrotfish", policies.parrotfish),
    ):
        asked = function(policy)
        made.append((policy, asked, run(asked, goal, name)))
    truth = _Truth(curve, goal)
    return [
        _judged(curve, strategy, truth, policy, asked, choice) for policy, asked, choice in made
    ]


def _limit(curve: Curve, on: Statistic, name: str) -> Limit:
    """Return a limit that some sizes of a curve keep, as a rule."""
    chance = random.Random(f"{name} limit")  # noqa: S311 - noise, not secrets
    low = math.log(min(curve.durations_ms) * (1 - _LIMIT_PAST))
    high = math.log(max(curve.durations_ms) * (1 + _LIMIT_PAST))
    return Limit(math.exp(chance.uniform(low, high)) * curve.times_typical(on), on)


class _Truth:
    """What every size is really worth."""

    def __init__(self, curve: Curve, goal: Goal) -> None:
        self.curve, self.goal = curve, goal
        grid = range(curve.sizes_mb[0], curve.sizes_mb[-1] + 1, 64)
        within = [size for size in LPT_MB if goal.least_mb <= size <= goal.most_mb]
        self.sizes = sorted({*curve.sizes_mb, *grid, *within, curve.sizes_mb[-1]})
        self.cheapest = min(self.cost(size) for size in self.sizes)
        # Balanced is normalised by the ends of the range, which no policy can move.
        ends = (goal.least_mb, goal.most_mb)
        self.most_cost = max(self.cost(size) for size in ends)
        self.most_ms = max(curve.duration_ms(size) for size in ends)
        self._longest_ms = math.inf
        if goal.limit is not None:
            self._longest_ms = goal.limit.duration_ms / curve.times_typical(goal.limit.on)
        kept = [size for size in self.sizes if self.keeps(size)]
        self.possible = bool(kept)
        self.least = min(self.value(size) for size in kept or self.sizes)

    def keeps(self, memory_mb: int) -> bool:
        """Whether a size keeps the limit, if there is one."""
        return self.curve.duration_ms(memory_mb) <= self._longest_ms

    def cost(self, memory_mb: int) -> float:
        """Return MB milliseconds of an invocation as billed on average: half a ms is added."""
        return memory_mb * (self.curve.duration_ms(memory_mb) + 0.5)

    def value(self, memory_mb: int) -> float:
        """Return what is to be least."""
        duration = self.curve.duration_ms(memory_mb)
        if self.goal.strategy in ("cost", "limit"):
            return self.cost(memory_mb)
        if self.goal.strategy == "speed":
            return duration
        weight = self.goal.weight
        return (
            weight * self.cost(memory_mb) / self.most_cost + (1 - weight) * duration / self.most_ms
        )


def _judged(
    curve: Curve, strategy: str, truth: _Truth, policy: str, asked: Function, choice: Choice
) -> Replayed:
    cost = sum(truth.cost(size) for size in asked.invoked)
    return Replayed(
        curve.id,
        curve.plausible,
        policy,
        strategy,
        choice.memory_mb,
        choice.stated,
        truth.value(choice.memory_mb) / truth.least - 1,
        len(asked.invoked),
        cost / truth.cheapest,
        len(set(asked.invoked)),
        choice.rounds,
        _usd(asked.invoked, choice.transitions, curve),
        None if truth.goal.limit is None else truth.goal.limit.duration_ms,
        choice.proven,
        truth.keeps(choice.memory_mb),
        truth.possible,
    )


def _usd(invoked: Sequence[int], transitions: int, curve: Curve) -> float:
    """Return what a tuning costs in us-east-1: its invocations and the state machine."""
    price = prices.lookup("us-east-1", "x86_64")
    compute = sum(price.invocation(size, curve.duration_ms(size)) for size in invoked)
    return float(compute + price.request * len(invoked) + price.state_transition * transitions)
