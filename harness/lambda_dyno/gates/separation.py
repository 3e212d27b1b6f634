"""Whether two memory sizes differ by more than their noise, and what follows for the choice.

The state machine takes the least mean, whatever the noise. What a person is told to change rests
on a gain that was shown: in cost, duration or one of both, as the strategy says. Where none was
shown the deployed size is kept.
"""

from __future__ import annotations

import math
from dataclasses import replace

from lambda_dyno.core.results import DurationStats, PowerDetail, TuningResult
from lambda_dyno.statistics.distributions import t_quantile

_LEAST_FOR_ORDER = 10  # invocations from which their order says enough
_LEAST_WITHOUT_ONE = 5  # invocations from which the variance without one of them does


def settled(tuning: TuningResult) -> TuningResult:
    """Return a tuning that keeps the deployed size unless a gain over it was shown.

    Args:
        tuning: With the choice of the state machine. A deployed size that was not measured has
            nothing to be compared with, so the choice stays.
    """
    if tuning.statement is not None or tuning.limit is not None:
        return tuning  # adaptive measuring has done so, with a model of all sizes; limits count
    now, best = tuning.detail(tuning.current_power), tuning.detail(tuning.power)
    if now is None or best is None or now.power == best.power:
        return tuning
    if now.duration_ms is None or now.cost_usd is None or best.duration_ms is None:
        return tuning
    gains = {"speed": is_faster(best, now), "cost": is_cheaper(best, now)}
    counted = gains.values() if tuning.strategy == "balanced" else [gains[tuning.strategy]]
    if any(counted):
        return tuning
    return replace(
        tuning,
        power=now.power,
        cost=now.cost_usd,
        duration=now.duration_ms.trimmed_mean,
        kept_over=best.power,
    )


def is_faster(one: PowerDetail, other: PowerDetail) -> bool:
    """Tell whether a size was shown to be faster than another one.

    Either the 95 % intervals of the means are apart, without the one cold start that there may be,
    or half of its invocations beat every one of the other's. With 10 invocations each the latter
    happens to equal sizes in 1.6 % of the cases: the first 5 of 20 in a row are all of one size.
    """
    return _is_less(one, other, 1.0, 1.0)


def is_cheaper(one: PowerDetail, other: PowerDetail) -> bool:
    """Tell whether a size was shown to cost less, by its durations at its price for each ms."""
    return _is_less(one, other, _usd_per_ms(one), _usd_per_ms(other))


def are_apart(one: PowerDetail, other: PowerDetail) -> bool:
    """Tell whether one of two sizes was shown to be faster."""
    return is_faster(one, other) or is_faster(other, one)


def _usd_per_ms(detail: PowerDetail) -> float:
    stats = detail.duration_ms
    if stats is None or detail.cost_usd is None or stats.trimmed_mean <= 0:
        return 0.0
    return detail.cost_usd / stats.trimmed_mean


def _is_less(one: PowerDetail, other: PowerDetail, factor: float, other_factor: float) -> bool:
    few, many = one.duration_ms, other.duration_ms
    if few is None or many is None:
        return False
    if _interval(one, few)[1] * factor < _interval(other, many)[0] * other_factor:
        return True
    enough = min(one.count, other.count) >= _LEAST_FOR_ORDER
    return enough and few.p50 * factor < many.min * other_factor


def _interval(detail: PowerDetail, stats: DurationStats) -> tuple[float, float]:
    """Return a 95 % interval of the mean, in ms, without the longest if one start was cold.

    A cold start is no sample of what follows it, and widens the interval of ten by far more than
    their own noise. Mean and variance without one value follow from those with it.
    """
    count = detail.count
    if detail.cold_starts != 1 or count < _LEAST_WITHOUT_ONE:
        return stats.ci95
    mean = (count * stats.mean - stats.max) / (count - 1)
    squares = (count - 1) * stats.std_dev**2 + count * stats.mean**2 - stats.max**2
    variance = max(0.0, squares - (count - 1) * mean**2) / (count - 2)
    half = t_quantile(0.975, count - 2) * math.sqrt(variance / (count - 1))
    return mean - half, mean + half
