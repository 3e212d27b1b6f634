"""Analyze: decide whether enough is measured, then which power value is best."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from lambda_dyno.tuner_contract.keys import TuningInput
from lambda_dyno.tuner_contract.prices import Prices, checked_on, lookup
from power_tuner import visualization
from power_tuner.samples import Sample
from power_tuner.state import PowerState, TuningState
from power_tuner.stats import Summary, exact_trimmed_mean, percentile, summarise, trimmed_mean
from power_tuner.strategies import Candidate, best, count_of, outcome_of

_MILLION = 1_000_000
_US_PER_MS = 1000
# So many samples are put out as they are; more would not fit beside the rest.
_MOST_DURATIONS = 5_000
# Means compare if the shares of cold starts in them differ by no more than this.
_COLD_SHARES_APART = 0.2
_NOT_PUT_OUT = ("power", "noneKeeps")  # of a decision, since it is said elsewhere


def detour(request: TuningInput, state: TuningState) -> str:
    """Return the state that must come before CleanUp; empty if there is none."""
    if request.adaptive and not state.timed_out and state.decision is None:
        unpublished = any(not power.done and not power.versions for power in state.powers)
        return "Prepare" if unpublished else "Measure"
    if not all(power.done for power in state.powers):
        return "Prepare" if request.only_cold_starts else "Measure"
    # what was not measured in full is reported, and nothing is changed by it
    optimizes = request.auto_optimize and not request.dry_run and not state.timed_out
    if optimizes and request.strategy == "limit":
        optimizes = _proven(request, state)
    return "Optimize" if optimizes else ""


def analyze(request: TuningInput, state: TuningState, visualization_url: str) -> dict[str, Any]:
    """Return the execution's output, complete but for what CleanUp adds of the tuner's own cost.

    Args:
        request: The checked input.
        state: All that was measured.
        visualization_url: Of the page with the interactive curve.
    """
    region = request.function.region
    prices = lookup(region, state.architecture)
    details = [_detail(request, power, prices) for power in state.powers]
    candidates = _candidates(request, state, prices)
    chosen = None if request.dry_run else _chosen(request, state, candidates)
    output: dict[str, Any] = {"dryRun": True} if chosen is None else _outcome(chosen)
    output["stateMachine"] = {
        "executionCost": 0.0,
        "lambdaCost": sum(d["totalCost"] for d in details),
        "visualization": visualization.url(visualization_url, candidates, region),
    }
    if request.include_output_results:
        output["stats"] = [
            {
                "value": c.power,
                "averagePrice": float(c.cost),
                "averageDuration": float(c.duration),
            }
            for c in candidates
        ]
    if state.timed_out:
        output["timedOut"] = True
    if state.decision is not None:
        output["adaptive"] = {k: v for k, v in state.decision.items() if k not in _NOT_PUT_OUT} | {
            "confidence": request.confidence,
            "rounds": state.batch,
            "passes": sum(power.planned for power in state.powers),
            "prior": (request.prior.run or "given") if request.prior and state.uses_prior else "",
        }
    if state.payload and candidates and not (request.dry_run or request.only_cold_starts):
        from power_tuner.adaptive import as_prior  # a dry run does not wait for it

        output["prior"] = as_prior(state)
    if chosen is not None and chosen.count is not None:
        decided = state.decision
        none_keeps = None if decided is None else decided["noneKeeps"]
        output["limit"] = outcome_of(chosen, candidates, none_keeps=none_keeps)
    return output | {
        "lambdaARN": request.function.whole,
        "isolation": "clone" if request.cloned else "alias",
        "region": region,
        "architecture": state.architecture,
        "originalPower": state.original_power,
        "strategy": request.strategy,
        "current": _current(state.original_power, candidates, chosen),
        "details": _with_durations(details, state.powers, workload=request.workload is not None),
        "warnings": state.warnings + _warnings(request, state, prices),
        "prices": _prices(prices),
        "discardTopBottom": request.discard_top_bottom,
    }


def _candidates(request: TuningInput, state: TuningState, prices: Prices) -> list[Candidate]:
    return [
        _candidate(request, power, prices)
        for power in state.powers
        if power.samples and not power.excluded
    ]


def _proven(request: TuningInput, state: TuningState) -> bool:
    """Whether the choice was proven to keep its limit: nothing is changed for less."""
    prices = lookup(request.function.region, state.architecture)
    chosen = _chosen(request, state, _candidates(request, state, prices))
    return chosen.count is not None and chosen.count.is_proven


def _candidate(request: TuningInput, power: PowerState, prices: Prices) -> Candidate:
    """Return a power value that has samples with its trimmed means, exactly."""
    groups, trim = _by_request(power.samples).values(), request.discard_top_bottom
    duration_us = exact_trimmed_mean([[one.duration_us for one in own] for own in groups], trim)
    billed_ms = exact_trimmed_mean([[one.billed_ms for one in own] for own in groups], trim)
    cost = _cost(request, prices, power, billed_ms)
    count = count_of(request, power.samples)
    return Candidate(power.power, cost, duration_us / _US_PER_MS, billed_ms, count)


def _cost(request: TuningInput, prices: Prices, power: PowerState, billed_ms: Fraction) -> Fraction:
    """Return what an invocation costs on average.

    One payload takes one duration, which is billed by the full millisecond. What the requests of a
    workload are billed on average need not be a full one.
    """
    if request.workload is None:
        return prices.invocation(power.power, billed_ms)
    return billed_ms * prices.per_ms(power.power)


def _by_request(samples: Sequence[Sample]) -> dict[int, list[Sample]]:
    """Return the samples of each request of a workload; a payload is one request."""
    groups: dict[int, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.request, []).append(sample)
    return dict(sorted(groups.items()))


def _chosen(request: TuningInput, state: TuningState, candidates: list[Candidate]) -> Candidate:
    if state.decision is not None:
        return next(c for c in candidates if c.power == state.decision["power"])
    return best(candidates, request.strategy, request.balanced_weight)


def _outcome(of: Candidate) -> dict[str, Any]:
    return {"power": of.power, "cost": float(of.cost), "duration": float(of.duration)}


def _detail(request: TuningInput, power: PowerState, prices: Prices) -> dict[str, Any]:
    samples = power.samples
    excluded = power.excluded or ("" if samples else "nothing was measured")
    detail: dict[str, Any] = {
        "power": power.power,
        "count": len(samples),
        "duration": None,
        "billedMean": None,
        "billedTrimmedMean": None,
        "cost": None,
        "totalCost": float(power.billed_ms * prices.per_ms(power.power)),
        "invocations": power.attempts,
        "coldStarts": _colds(power),
        "errors": sum(power.errors.values()),
        "errorsByType": power.errors,
        "retries": power.retries,
        "maxMemoryUsed": power.max_memory_used_mb or None,
        "excluded": excluded,
    }
    if samples:
        groups = _by_request(samples)
        billed_ms = [sample.billed_ms for sample in samples]
        trim = request.discard_top_bottom
        measured = _candidate(request, power, prices)
        summary = summarise([[s.duration_ms for s in own] for own in groups.values()], trim)
        detail["duration"] = _summary(summary, measured.duration)
        detail["billedMean"] = sum(billed_ms) / len(billed_ms)
        detail["billedTrimmedMean"] = float(measured.billed_ms)
        detail["cost"] = float(measured.cost)
        if request.workload is not None:
            detail["requests"] = [
                _of_request(request, position, own, power, prices)
                for position, own in groups.items()
            ]
    return detail


def _of_request(
    request: TuningInput,
    position: int,
    samples: list[Sample],
    power: PowerState,
    prices: Prices,
) -> dict[str, Any]:
    """Return what one request of a workload took."""
    assert request.workload is not None
    trim = request.discard_top_bottom
    durations = sorted(sample.duration_ms for sample in samples)
    billed_ms = exact_trimmed_mean([[sample.billed_ms for sample in samples]], trim)
    return {
        "name": request.workload.requests[position].name,
        "count": len(samples),
        "trimmedMean": trimmed_mean(durations, trim),
        "p50": percentile(durations, 50),
        "min": durations[0],
        "max": durations[-1],
        "cost": float(_cost(request, prices, power, billed_ms)),
    }


def _summary(summary: Summary, trimmed_mean_ms: Fraction) -> dict[str, Any]:
    return {
        "mean": summary.mean,
        "trimmedMean": float(trimmed_mean_ms),
        "p50": summary.p50,
        "p95": summary.p95,
        "p99": summary.p99,
        "min": summary.min,
        "max": summary.max,
        "stdDev": summary.std_dev,
        "ci95": list(summary.ci95),
    }


def _with_durations(
    details: list[dict[str, Any]], powers: list[PowerState], *, workload: bool
) -> list[dict[str, Any]]:
    """Put out every duration, where among them the cold starts are, and whose request each is."""
    if sum(len(power.samples) for power in powers) <= _MOST_DURATIONS:
        for detail, power in zip(details, powers, strict=True):
            detail["durations"] = [sample.duration_ms for sample in power.samples]
            detail["coldAt"] = [at for at, sample in enumerate(power.samples) if sample.cold]
            if workload:
                detail["requestAt"] = [sample.request for sample in power.samples]
    return details


def _current(
    original_power: int, candidates: list[Candidate], chosen: Candidate | None
) -> dict[str, Any]:
    """Say where the function stands now, and what changing it would save."""
    now = next((c for c in candidates if c.power == original_power), None)
    if now is None or chosen is None:
        return {"power": original_power, "measured": now is not None}
    return _outcome(now) | {
        "measured": True,
        "savingPerMillion": float((now.cost - chosen.cost) * _MILLION),
        "fasterBy": float(now.duration - chosen.duration),
    }


def _warnings(request: TuningInput, state: TuningState, prices: Prices) -> list[str]:
    warnings = []
    powers = state.powers
    if state.timed_out and request.auto_optimize:
        warnings.append("autoOptimize: nothing was changed, since time was up before the end")
    elif request.auto_optimize and request.strategy == "limit" and not _proven(request, state):
        warnings.append("autoOptimize: nothing was changed, since no size was proven to keep it")
    if prices.assumed:
        warnings.append(f"the price is no published one: {prices.assumed}")
    for power in powers:
        if power.excluded:
            warnings.append(f"{power.power} MB is left out: {power.excluded}")
        elif power.failure:
            failed = power.attempts - len(power.samples) - power.discarded
            warnings.append(
                f"{power.power} MB: {failed} of {power.attempts} invocations failed, first: "
                f"{power.failure}"
            )
        if any(sample.duration_us and not sample.billed_ms for sample in power.samples):
            warnings.append(
                f"{power.power} MB: a REPORT says nothing of a billed duration, so the cost is too "
                "low, and the choice may be wrong"
            )
    warnings += _uneven_cold_starts(request, powers)
    if len(powers) == 1 and not request.dry_run:
        warnings.append("only one power value: there is nothing to compare it with")
    return warnings


def _uneven_cold_starts(request: TuningInput, powers: list[PowerState]) -> list[str]:
    """Warn where one power value looks slower only because its environments had to start."""
    shares = {
        _cold_share(power, request.discard_top_bottom): power
        for power in powers
        if power.samples and not power.excluded
    }
    if not shares or max(shares) - min(shares) <= _COLD_SHARES_APART:
        return []
    most, least = shares[max(shares)], shares[min(shares)]
    words = f"{_cold_starts(most)}, {_cold_starts(least)}: their durations do not compare"
    if request.parallel_invocation and least.retries:
        words += (
            ". Throttled invocations found environments that were warm by then: do without "
            "parallelInvocation, or have more concurrency for the account or the function"
        )
    return [words]


def _cold_share(power: PowerState, trim: float) -> float:
    """Return the share of cold starts in the trimmed mean; they are the longest, as a rule."""
    dropped = int(len(power.samples) * trim)
    kept = len(power.samples) - 2 * dropped
    return min(max(_colds(power) - dropped, 0), kept) / kept


def _cold_starts(power: PowerState) -> str:
    return f"{_colds(power)} cold starts in {len(power.samples)} invocations at {power.power} MB"


def _colds(power: PowerState) -> int:
    return sum(sample.cold for sample in power.samples)


def _prices(prices: Prices) -> dict[str, Any]:
    """The request fee is the same at every power value, so it is in no `cost`."""
    return {
        "currency": prices.currency,
        "gbSecond": float(prices.gb_second),
        "requestsPerMillion": float(prices.request * _MILLION),
        "stateTransition": float(prices.state_transition),
        "checked": checked_on(),
    }
