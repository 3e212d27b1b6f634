"""Which power value is best, by the words of aws-lambda-power-tuning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from lambda_dyno.tuner_contract.keys import Strategy


@dataclass(frozen=True, slots=True)
class Candidate:
    """A power value with what it takes, exactly: ties are decided, not left to rounding."""

    power: int  # MB
    cost: Fraction  # of one invocation
    duration: Fraction  # ms
    billed_ms: Fraction = Fraction(0)  # that the cost follows from


def best(candidates: Sequence[Candidate], strategy: Strategy, balanced_weight: float) -> Candidate:
    """Return the best of at least one candidate.

    Args:
        candidates: What was measured.
        strategy: What counts.
        balanced_weight: For `balanced`: 1 is all cost, 0 is all speed.

    Of equally expensive ones the faster is best, of equally fast ones the less expensive, and of
    those that are the same in both the smaller.
    """
    return _STRATEGIES[strategy](candidates, balanced_weight)


def _cheapest(candidates: Sequence[Candidate], _weight: float) -> Candidate:
    return min(candidates, key=lambda c: (c.cost, c.duration, c.power))


def _fastest(candidates: Sequence[Candidate], _weight: float) -> Candidate:
    return min(candidates, key=lambda c: (c.duration, c.cost, c.power))


def _balanced(candidates: Sequence[Candidate], weight: float) -> Candidate:
    # a function can be reported with 0 ms; its share is 0 then, not a division by 0
    max_cost = Fraction(max(c.cost for c in candidates)) or 1
    max_duration = Fraction(max(c.duration for c in candidates)) or 1
    of_cost = Fraction(str(weight))  # as it was written: 0.1 is a tenth

    def score(c: Candidate) -> Fraction:
        return of_cost * c.cost / max_cost + (1 - of_cost) * c.duration / max_duration

    return min(candidates, key=lambda c: (score(c), c.cost, c.duration, c.power))


_STRATEGIES: dict[Strategy, Callable[[Sequence[Candidate], float], Candidate]] = {
    "cost": _cheapest,
    "speed": _fastest,
    "balanced": _balanced,
}
