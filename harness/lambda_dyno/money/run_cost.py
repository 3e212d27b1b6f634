"""What a run itself costs on AWS, at list prices: the tuning, the requests of its tests.

Not in it, since nobody counts them here: the table behind the function, logs, data transfer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lambda_dyno.core.results import Amount, Expense, LoadResult, RunResult, TuningResult
from lambda_dyno.money.rates import Rates

_MILLION = 1_000_000


def of_result(result: RunResult, tuning: TuningResult, prices: Rates) -> tuple[Expense, ...]:
    """Return what a run costs, part by part."""
    return tuple(one for one in _expenses(result, tuning, prices) if one.count)


def of_tuning(output: Mapping[str, Any]) -> tuple[Expense, ...]:
    """Return what a tuning costs: the function's invocations, and the tuner's own.

    Args:
        output: The state machine's; one of an older tuner has less to say.
    """
    machine, own = output.get("stateMachine"), output.get("tuner")
    if not isinstance(machine, Mapping) or not isinstance(own, Mapping):
        return ()
    count = sum(detail.get("invocations") or 0 for detail in output.get("details", ()))
    fee = (output.get("prices") or {}).get("requestsPerMillion", 0.0) / _MILLION
    transitions = machine.get("executionCost", 0.0)
    invoked = machine.get("lambdaCost", 0.0) + count * fee
    return (
        Expense("invocations while tuning", count, _exact(invoked)),
        Expense("state transitions", int(own.get("transitions", 0)), _exact(transitions)),
        Expense("run of the tuner's own functions", 1, _exact(own.get("cost", 0.0) - transitions)),
    )


def total(expenses: tuple[Expense, ...]) -> Amount:
    """Return the sum. Parts are of the same measured durations, so their intervals add up."""
    ends = ([getattr(one.usd, name) for one in expenses] for name in ("middle", "low", "high"))
    return Amount(*map(sum, ends))


def _expenses(result: RunResult, tuning: TuningResult, prices: Rates) -> Iterator[Expense]:
    yield from of_tuning(tuning.raw)
    asked: dict[int, int] = {}
    smoke = result.smoke.requests if result.smoke else 0
    for memory_mb, count in ((tuning.current_power, smoke), *map(_requests, result.load)):
        asked[memory_mb] = asked.get(memory_mb, 0) + count
    if result.regression:
        compared = sum(result.regression.requests.values())
        asked[tuning.current_power] = asked.get(tuning.current_power, 0) + compared
    requests = sum(asked.values())
    fee = float(prices.listed.request)
    spent = [_invoked(tuning, memory_mb).times(count) for memory_mb, count in asked.items()]
    ends = ([getattr(one, name) for one in spent] for name in ("middle", "low", "high"))
    invoked = Amount(*(sum(end) + requests * fee for end in ends))
    yield Expense("invocations by requests", requests, invoked)
    if prices.api_request is not None:
        what = f"requests to the {prices.api} API"
        yield Expense(what, requests, _exact(requests * float(prices.api_request)))


def _requests(load: LoadResult) -> tuple[int, int]:
    """Return a load test's memory size and all of its requests, its warm-up's among them."""
    probe = load.probe.count if load.probe else 0
    return load.memory_mb, load.requests + load.warm_up_requests + probe


def _invoked(tuning: TuningResult, memory_mb: int) -> Amount:
    """Return what an invocation costs at a size; at one that was not measured, at the nearest."""
    measured = [one for one in tuning.details if one.cost_usd is not None]
    if not measured:
        return _exact(0.0)
    nearest = min(measured, key=lambda one: abs(one.power - memory_mb))
    if nearest.compute_usd is not None:
        return nearest.compute_usd
    return _exact(nearest.cost_usd or 0.0)


def _exact(usd: float) -> Amount:
    return Amount(usd, usd, usd)
