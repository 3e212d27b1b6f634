"""Whether a choice of memory size hangs on how fast the CPU was, which varies on this machine."""

from __future__ import annotations

from collections.abc import Mapping

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.results import TuningResult
from lambda_dyno.emulator import model

_LEAST_SIZES = 2


def doubt(tuning: TuningResult, account: Account, balanced_weight: float) -> str:
    """Return a sentence if another size would be the best at 15 % more or less CPU speed.

    Processors of Lambda differ by more than that, and so do a shared machine's moments.

    Args:
        tuning: Its sizes were measured there.
        account: Where; on AWS nothing is said, since its own machines have decided.
        balanced_weight: Of cost, by strategy balanced.
    """
    measured = {
        detail.power: detail.duration_ms.trimmed_mean
        for detail in tuning.details
        if detail.duration_ms is not None and detail.duration_ms.trimmed_mean > 0
    }
    if not account.endpoint or len(measured) < _LEAST_SIZES or tuning.power not in measured:
        return ""
    by_speed = model.durations_by_speed(measured)
    found = {_best(durations, tuning.strategy, balanced_weight) for durations in by_speed.values()}
    others = sorted(found - {_best(measured, tuning.strategy, balanced_weight), tuning.power})
    if not others:
        return ""
    sizes = " or ".join(str(size) for size in sorted({tuning.power, *others}))
    return f"{sizes} MB: it hangs on 15 % of CPU speed; processors differ as much on AWS"


def _best(durations_ms: Mapping[int, float], strategy: str, weight: float) -> int:
    most_cost = max(size * ms for size, ms in durations_ms.items())
    most_ms = max(durations_ms.values())
    weight = {"cost": 1.0, "limit": 1.0, "speed": 0.0}.get(strategy, weight)

    def value(size: int) -> float:
        ms = durations_ms[size]
        return weight * size * ms / most_cost + (1 - weight) * ms / most_ms

    return min(durations_ms, key=lambda size: (value(size), size))
