"""Which power value is best, by the words of aws-lambda-power-tuning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from power_tuner.request import Strategy


@dataclass(frozen=True, slots=True)
class Candidate:
    """A power value with what it takes."""

    power: int  # MB
    cost: float  # of one invocation
    duration: float  # ms


def best(candidates: Sequence[Candidate], strategy: Strategy, balanced_weight: float) -> Candidate:
    """Return the best of at least one candidate.

    Args:
        candidates: What was measured.
        strategy: What counts.
        balanced_weight: For `balanced`: 1 is all cost, 0 is all speed.
    """
    return _STRATEGIES[strategy](candidates, balanced_weight)


def _cheapest(candidates: Sequence[Candidate], _weight: float) -> Candidate:
    return min(candidates, key=lambda c: (c.cost, c.duration))


def _fastest(candidates: Sequence[Candidate], _weight: float) -> Candidate:
    return min(candidates, key=lambda c: (c.duration, c.cost))


def _balanced(candidates: Sequence[Candidate], weight: float) -> Candidate:
    # a function can be reported with 0 ms; its share is 0 then, not a division by 0
    max_cost = max(c.cost for c in candidates) or 1.0
    max_duration = max(c.duration for c in candidates) or 1.0
    return min(
        candidates,
        key=lambda c: weight * c.cost / max_cost + (1 - weight) * c.duration / max_duration,
    )


_STRATEGIES: dict[Strategy, Callable[[Sequence[Candidate], float], Candidate]] = {
    "cost": _cheapest,
    "speed": _fastest,
    "balanced": _balanced,
}
