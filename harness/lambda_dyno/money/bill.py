"""What an invocation costs at each memory size, and what a run's recommendation saves."""

from __future__ import annotations

from lambda_dyno.core.results import (
    SET,
    Amount,
    Money,
    PowerDetail,
    RunResult,
    SizeCost,
    Traffic,
    TuningResult,
)
from lambda_dyno.money import rates, run_cost
from lambda_dyno.money.rates import Rates


def of_result(result: RunResult) -> Money | None:
    """Return what the function of a run costs; None: nothing was tuned."""
    tuning = result.tuning
    if tuning is None or tuning.detail(tuning.power) is None:  # a dry run recommends nothing
        return None
    discount = float(result.setting("traffic", "discount", 0.0))
    prices = rates.of_tuning(tuning, result.api)
    paid = 1 - discount
    found = {detail.power: size_cost(detail, tuning, prices) for detail in tuning.details}
    first = [mb for mb in (tuning.current_power, tuning.power) if found.get(mb)]
    order = dict.fromkeys([*first, *(mb for mb, cost in found.items() if cost)])
    sizes = [cost for mb in order if (cost := found[mb]) is not None]
    return Money(
        currency=prices.listed.currency,
        discount=discount,
        request_usd=float(prices.listed.request) * paid,
        api=prices.api,
        api_usd=None if prices.api_request is None else float(prices.api_request) * paid,
        sizes=tuple(_discounted(cost, paid) for cost in sizes),
        notes=prices.notes,
        run=run_cost.of_result(result, tuning, prices),
        traffic=result.traffic or _set(result),
    )


def size_cost(detail: PowerDetail, tuning: TuningResult, prices: Rates) -> SizeCost | None:
    """Return what one invocation costs at a size at list prices; None: it was not measured."""
    if detail.compute_usd is not None:
        return SizeCost(detail.power, detail.compute_usd, detail.saved_usd)
    if detail.cost_usd is None or detail.excluded:
        return None
    usd = detail.cost_usd * storage_factor(detail.power, tuning, prices)
    low, high = detail.cost_interval_usd or (detail.cost_usd, detail.cost_usd)
    factor = usd / detail.cost_usd if detail.cost_usd else 1.0
    return SizeCost(detail.power, Amount(usd, low * factor, high * factor), None)


def storage_factor(memory_mb: int, tuning: TuningResult, prices: Rates) -> float:
    """Return how many times as much a millisecond costs with the function's ephemeral storage."""
    own = float(prices.listed.per_ms(memory_mb))
    return prices.compute_per_ms(memory_mb, tuning.ephemeral_storage_mb) / own


def _set(result: RunResult) -> Traffic | None:
    """Return the traffic that the settings name."""
    number = result.setting("traffic", "invocations_per_month")
    if isinstance(number, int | float) and not isinstance(number, bool):
        return Traffic(float(number), SET)
    return None


def _discounted(cost: SizeCost, paid: float) -> SizeCost:
    saved = None if cost.saved_usd is None else cost.saved_usd.times(paid)
    return SizeCost(cost.memory_mb, cost.compute_usd.times(paid), saved)
