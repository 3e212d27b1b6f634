"""The policies that are held against each other, each as a function that is given one to tune."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lambda_dyno.tuner_policy.decide import Decision, Goal, decide, first_sizes
from lambda_dyno.tuner_policy.limits import Count
from lambda_dyno.tuner_policy.posterior import Measured
from tools.tuner_bench.curves import Function

LPT_MB = (128, 256, 512, 1024, 1536, 3008)  # aws-lambda-power-tuning's own default
_TRIM = 0.2
_LPT_TRANSITIONS, _LPT_PER_SIZE = 6, 3
_TRANSITIONS_OF_A_ROUND = 4
_PARROTFISH_MB = (128, 1024, 3008)
_PARROTFISH_WIDTH_MB = 200.0


@dataclass(frozen=True, slots=True)
class Choice:
    """What a policy chose."""

    memory_mb: int
    rounds: int
    transitions: int
    stated: float | None  # at most so much worse than the best, as a ratio; None: says nothing
    samples: tuple[Measured, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether the choice was proven to keep a limit."""
        counts = [size.count for size in self.samples if size.memory_mb == self.memory_mb]
        return any(count is not None and count.is_proven for count in counts)


Policy = Callable[[Function, Goal, str], Choice]
Deciding = Callable[..., Decision]  # as `decide`


def adaptive(
    function: Function,
    goal: Goal,
    seed: str,
    former: Sequence[Measured] = (),
    deciding: Deciding = decide,
) -> Choice:
    """Tune as Measure does, by the tuner's own decisions, or by what stands in their place."""
    warm: dict[int, list[float]] = {}
    publish: tuple[int, ...] = first_sizes(goal, former)
    rounds = 1
    while True:
        for size in publish:
            function.invoke(size)  # cold
            warm[size] = [function.invoke(size) for _ in range(goal.warm_of_new)]
        decision = _decide(deciding, goal, warm, function, rounds, seed, former)
        while decision.action == "invoke":
            for size in decision.sizes_mb:
                warm[size] += [function.invoke(size) for _ in range(decision.times)]
            decision = _decide(deciding, goal, warm, function, rounds, seed, former)
        if decision.action == "stop":
            samples = tuple(Measured.of(size, ms, goal.limit) for size, ms in sorted(warm.items()))
            transitions = _TRANSITIONS_OF_A_ROUND * rounds
            return Choice(decision.best_mb, rounds, transitions, decision.at_most, samples)
        publish = decision.sizes_mb
        rounds += 1


def _decide(
    deciding: Deciding,
    goal: Goal,
    warm: dict[int, list[float]],
    function: Function,
    rounds: int,
    seed: str,
    former: Sequence[Measured],
) -> Decision:
    return deciding(
        goal,
        [Measured.of(size, ms, goal.limit) for size, ms in sorted(warm.items())],
        passes=len(function.invoked),
        rounds=rounds,
        seed=seed,
        former=former,
    )


def lpt(count: int) -> Policy:
    """Return aws-lambda-power-tuning: so many at each of its sizes, the least trimmed mean."""

    def policy(function: Function, goal: Goal, _seed: str) -> Choice:
        sizes = [size for size in LPT_MB if goal.least_mb <= size <= goal.most_mb]
        sizes = sizes or [goal.least_mb, goal.most_mb]
        found = {size: [function.invoke(size) for _ in range(count)] for size in sizes}
        means = {size: _trimmed(durations) for size, durations in found.items()}
        if goal.limit is not None:  # who has these figures takes the cheapest that seems to keep it
            counts = {size: Count.of(goal.limit, durations) for size, durations in found.items()}
            kept = {size: means[size] for size in sizes if counts[size].seems_kept}
            means = kept or {min(means, key=lambda size: means[size]): 1.0}
        best = _least(goal, means)
        return Choice(best, 1, _LPT_TRANSITIONS + _LPT_PER_SIZE * len(sizes), None)

    return policy


def parrotfish(function: Function, goal: Goal, _seed: str) -> Choice:
    """Tune like Parrotfish: fit a0 + a1 exp(-m / a2), look where the fit is best, until known.

    As many warm-ups as samples at each size; up to 3008 MB; the search ends when a kernel of
    200 MB around the sizes that were visited covers the fit's best size.
    """
    most = min(goal.most_mb, _PARROTFISH_MB[-1])
    visited: dict[int, float] = {}
    publish = sorted({min(max(size, goal.least_mb), most) for size in _PARROTFISH_MB})
    rounds = 0
    while True:
        rounds += 1
        for size in publish:
            samples = [function.invoke(size) for _ in range(10)][5:]
            visited[size] = sum(samples) / len(samples)
        fit = _exponential(visited)
        grid = range(goal.least_mb, most + 1, max(1, (most - goal.least_mb) // 180))
        best = _least(goal, {size: fit(size) for size in grid})
        known = math.fsum(
            math.exp(-(((best - size) / _PARROTFISH_WIDTH_MB) ** 2)) for size in visited
        )
        if known >= 1 - 1e-9 or len(visited) >= 8 or best in visited or known > 0.5:
            transitions = _TRANSITIONS_OF_A_ROUND * rounds
            return Choice(best, rounds, transitions, None)
        publish = [best]


def _exponential(points: dict[int, float]) -> Callable[[float], float]:
    """Return the least-squares fit of a0 + a1 exp(-m / a2)."""
    best: tuple[float, float, float, float] | None = None
    for step in range(60):
        scale = 60.0 * 1.1**step
        xs = [math.exp(-size / scale) for size in points]
        ys = list(points.values())
        mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
        spread = sum((x - mean_x) ** 2 for x in xs)
        if spread <= 1e-18:
            continue
        slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
        base = mean_y - slope * mean_x
        rest = sum((base + slope * x - y) ** 2 for x, y in zip(xs, ys, strict=True))
        if best is None or rest < best[0]:
            best = (rest, base, slope, scale)
    assert best is not None
    _, base, slope, scale = best
    return lambda size: max(0.5, base + slope * math.exp(-size / scale))


def _least(goal: Goal, durations_ms: dict[int, float]) -> int:
    """Return the size with the least objective; balanced divides by the maxima, as LPT does."""
    costs = {size: size * math.ceil(ms) for size, ms in durations_ms.items()}
    if goal.strategy in ("cost", "limit"):
        return min(costs, key=lambda size: (costs[size], durations_ms[size]))
    if goal.strategy == "speed":
        return min(durations_ms, key=lambda size: (durations_ms[size], costs[size]))
    most_cost, most_ms = max(costs.values()), max(durations_ms.values())
    weight = goal.weight
    return min(
        costs,
        key=lambda size: (
            weight * costs[size] / most_cost + (1 - weight) * durations_ms[size] / most_ms
        ),
    )


def _trimmed(values: Sequence[float]) -> float:
    ordered = sorted(values)
    cut = int(_TRIM * len(ordered))
    kept = ordered[cut : len(ordered) - cut]
    return sum(kept) / len(kept)
