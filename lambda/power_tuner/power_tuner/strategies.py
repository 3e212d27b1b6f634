"""Which power value is best, by the words of aws-lambda-power-tuning, and by a limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from lambda_dyno.tuner_contract.keys import Strategy, TuningInput
from lambda_dyno.tuner_policy.limits import Count, Limit
from power_tuner.samples import Sample


@dataclass(frozen=True, slots=True)
class Candidate:
    """A power value with what it takes, exactly: ties are decided, not left to rounding."""

    power: int  # MB
    cost: Fraction  # of one invocation
    duration: Fraction  # ms
    billed_ms: Fraction = Fraction(0)  # that the cost follows from
    count: Count | None = None  # of invocations, against a limit


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


def limit_of(request: TuningInput) -> Limit | None:
    """Return the limit of strategy `limit`; None: it is another one."""
    if request.strategy != "limit":
        return None
    return Limit(request.max_duration_ms, request.limit_on, request.discard_top_bottom)


def count_of(request: TuningInput, samples: Sequence[Sample]) -> Count | None:
    """Return what samples, at least one, say of the limit; None: there is none.

    Cold starts do not count, unless all are cold.
    """
    limit = limit_of(request)
    if limit is None:
        return None
    warm = [sample for sample in samples if not sample.cold] or samples
    return Count.of(limit, [sample.duration_ms for sample in warm])


def outcome_of(
    chosen: Candidate, candidates: Sequence[Candidate], *, none_keeps: bool | None
) -> dict[str, Any]:
    """Return whether the choice was proven to keep its limit, as JSON.

    Args:
        chosen: One of the candidates.
        candidates: All of them.
        none_keeps: Whether none does, by the model of adaptive measuring; None: as was measured.
    """
    count = chosen.count
    assert count is not None
    if none_keeps is None:
        none_keeps = not any(c.count is not None and c.count.seems_kept for c in candidates)
    verdict = "proven" if count.is_proven else "none" if none_keeps else "not proven"
    return {
        "maxDurationMs": count.limit.duration_ms,
        "on": count.limit.on,
        "verdict": verdict,
        "valueMs": count.value_ms,
        "atMostMs": count.at_most_ms,
        "invocations": count.invocations,
        "above": count.above,
        "missing": count.missing,
    }


def _of_limit(candidates: Sequence[Candidate], _weight: float) -> Candidate:
    """Return the cheapest that was proven to keep the limit, or seems to; else the fastest."""
    for keeps in ("is_proven", "seems_kept"):
        kept = [c for c in candidates if getattr(c.count, keeps)]
        if kept:
            return _cheapest(kept, _weight)
    return _fastest(candidates, _weight)


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
    "limit": _of_limit,
}
