"""How well each memory size's duration and cost are known, and how they differ from the deployed.

Fixed measuring: by the bootstrap of each size's warm invocations. Adaptive measuring: by the
model's draws, which all sizes are in, so that two invocations at a size say more than those two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import mul
from statistics import fmean
from typing import Any

from lambda_dyno.core.results import Amount, CurvePoint, PowerDetail, Ratio, TuningResult
from lambda_dyno.money import bill, rates
from lambda_dyno.money.model_difference import difference
from lambda_dyno.statistics.bootstrap import Draws, draws

Span = tuple[float, float, float]  # low, middle, high

_ROUNDING_MS = 0.5  # billed is the whole millisecond above


def known(tuning: TuningResult) -> TuningResult:
    """Return a tuning with the intervals that its single invocations give.

    Args:
        tuning: As it was parsed; its `raw` output has every duration, and may have the curve.
    """
    raw = {entry["power"]: entry for entry in tuning.raw.get("details", ())}
    curve = (tuning.raw.get("adaptive") or {}).get("curve") or []
    if curve:
        by_mb = {point["power"]: point for point in curve}
        priced = _priced(tuning, by_mb)
        details = [
            _modelled(detail, by_mb.get(detail.power), priced, tuning) for detail in tuning.details
        ]
    else:
        details = _bootstrapped(tuning, raw)
    return replace(
        tuning,
        details=tuple(_with_cold(d, raw.get(d.power, {})) for d in details),
        curve=tuple(CurvePoint(point["power"], *point["durationMs"]) for point in curve),
    )


def _priced(tuning: TuningResult, by_mb: Mapping[int, Mapping[str, Any]]) -> dict[int, Span]:
    """Return what an invocation costs at each size by the model, ephemeral storage included."""
    prices = rates.of_tuning(tuning)
    found: dict[int, Span] = {}
    for memory_mb, point in by_mb.items():
        per_ms = prices.compute_per_ms(memory_mb, tuning.ephemeral_storage_mb)
        low, middle, high = ((end + _ROUNDING_MS) * per_ms for end in point["durationMs"])
        found[memory_mb] = low, middle, high
    return found


def _modelled(
    detail: PowerDetail,
    point: Mapping[str, Any] | None,
    priced: Mapping[int, Span],
    tuning: TuningResult,
) -> PowerDetail:
    if point is None or detail.duration_ms is None or detail.cost_usd is None:
        return detail
    own, now = priced[detail.power], priced.get(tuning.current_power)
    ratio = point.get("costRatio")
    is_other = now is not None and ratio is not None and ratio[0] != ratio[2]
    low, middle, high = point["durationMs"]
    usd_per_ms = detail.cost_usd / (middle + _ROUNDING_MS)
    low_usd, high_usd = ((end + _ROUNDING_MS) * usd_per_ms for end in (low, high))
    return replace(
        detail,
        duration_interval_ms=(low, high),
        cost_interval_usd=(low_usd, high_usd),
        duration_ratio=_ratio_in(point.get("durationRatio")),
        cost_ratio=_ratio_in(ratio),
        compute_usd=Amount(own[1], own[0], own[2]),
        saved_usd=difference(now, own, tuple(ratio)) if is_other and now and ratio else None,
    )


def _ratio_in(span: Sequence[float] | None) -> Ratio | None:
    """Return a ratio of the model; None at the deployed size, whose own is 1 without a doubt."""
    if span is None or span[0] == span[2]:
        return None
    low, middle, high = span
    return Ratio(middle, low, high)


def _bootstrapped(tuning: TuningResult, raw: Mapping[int, Mapping[str, Any]]) -> list[PowerDetail]:
    trim = float(tuning.raw.get("discardTopBottom", 0.2))
    durations, costs, paid = {}, {}, {}
    prices = rates.of_tuning(tuning)
    for detail in tuning.details:
        groups = _groups(raw.get(detail.power, {}))
        found = draws(groups, trim, f"{detail.power} MB") if groups else None
        usd_per_ms = _usd_per_ms(detail)
        if found is None or usd_per_ms is None:
            continue
        billed = draws([list(map(math.ceil, own)) for own in groups], trim, f"{detail.power} MB")
        assert billed is not None
        durations[detail.power] = found
        costs[detail.power] = billed.mapped(
            partial(_cost_usd, usd_per_ms=usd_per_ms, whole=not detail.requests)
        )
        factor = bill.storage_factor(detail.power, tuning, prices)
        paid[detail.power] = costs[detail.power].mapped(partial(mul, factor))
    details = []
    for detail in tuning.details:
        mb, now = detail.power, tuning.current_power
        if mb in durations:
            is_new = mb != now and now in durations
            detail = replace(  # noqa: PLW2901 - the same size, better known
                detail,
                duration_interval_ms=_ends(durations[mb]),
                cost_interval_usd=_ends(costs[mb]),
                duration_ratio=_ratio(durations[mb].over(durations[now])) if is_new else None,
                cost_ratio=_ratio(costs[mb].over(costs[now])) if is_new else None,
                compute_usd=_amount(paid[mb]),
                saved_usd=_amount(paid[now].minus(paid[mb])) if is_new else None,
            )
        details.append(detail)
    return details


def _cost_usd(billed_ms: float, *, usd_per_ms: float, whole: bool) -> float:
    """Return what an invocation costs; with one payload it is billed a whole millisecond."""
    return (math.ceil(billed_ms) if whole else billed_ms) * usd_per_ms


def _groups(raw: Mapping[str, Any]) -> list[list[float]]:
    """Return the warm durations in ms by request; all of them where none is warm."""
    durations, cold_at = raw.get("durations") or [], raw.get("coldAt")
    if cold_at is None or not durations:
        return []
    cold = set(cold_at) if len(cold_at) < len(durations) else set()
    requests = raw.get("requestAt") or [0] * len(durations)
    if len(requests) != len(durations):
        return []
    groups: dict[int, list[float]] = {}
    for at, (ms, request) in enumerate(zip(durations, requests, strict=True)):
        if at not in cold:
            groups.setdefault(request, []).append(ms)
    return list(groups.values())


def _with_cold(detail: PowerDetail, raw: Mapping[str, Any]) -> PowerDetail:
    durations = raw.get("durations") or []
    cold = [durations[at] for at in raw.get("coldAt") or () if 0 <= at < len(durations)]
    return replace(detail, cold_ms=fmean(cold)) if cold else detail


def _usd_per_ms(detail: PowerDetail) -> float | None:
    billed_ms = detail.billed_ms_trimmed_mean
    if not billed_ms or not detail.cost_usd:
        return None
    return detail.cost_usd / (billed_ms if detail.requests else math.ceil(billed_ms))


def _ends(of: Draws) -> tuple[float, float]:
    interval = of.interval()
    return interval.low, interval.high


def _amount(of: Draws) -> Amount:
    return Amount(of.estimate, *_ends(of))


def _ratio(of: Draws) -> Ratio:
    return Ratio(of.estimate, *_ends(of))
