"""What a run says of the deployed size, how safe the recommended one is, and what else there is.

Finding and risk are words for people in a hurry; each reason of the risk is a sentence of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from lambda_dyno.core import formatting
from lambda_dyno.core.config import MEMORY_SIZES_MB
from lambda_dyno.core.results import Advice, Finding, Option, PowerDetail, RunResult, TuningResult

_HEADROOM = 0.1  # of the memory: with less free, a function is killed now and then
_MUCH_WORSE = 0.1  # than the best size: from here on "at most" is a risk
_COLD_SHARE = 0.2  # of the measured invocations: from here on the figures are those of cold starts
_SLOWER_START = 1.2

Level = Literal["low", "medium", "high"]


def advised(result: RunResult) -> RunResult:
    """Return a run with its advice, by all that it found so far."""
    tuning = result.tuning
    if tuning is None or tuning.detail(tuning.power) is None:  # a dry run recommends nothing
        return replace(result, advice=None)
    reasons = list(_reasons(result, tuning))
    levels = {level for level, _ in reasons}
    risk: Level = "high" if "high" in levels else "medium" if levels else "low"
    texts = tuple(text for _, text in sorted(reasons, key=lambda one: one[0]))  # high first
    return replace(result, advice=Advice(_finding(tuning), risk, texts, _options(result, tuning)))


def _finding(tuning: TuningResult) -> Finding:
    now = tuning.detail(tuning.current_power)
    if now is None or now.duration_ms is None or tuning.kept_over or len(measured(tuning)) < 2:
        return "cannot tell"
    if tuning.power == tuning.current_power:
        return "optimised"
    return "over-provisioned" if tuning.power < tuning.current_power else "under-provisioned"


def measured(tuning: TuningResult) -> list[PowerDetail]:
    """Return the sizes that have a duration and a cost, ascending."""
    return [
        detail
        for detail in tuning.details
        if detail.duration_ms is not None and detail.cost_usd is not None and not detail.excluded
    ]


def risk(advice: Advice, tuning: TuningResult) -> str:
    """Return how safe the recommended size is, with the reasons."""
    reasons = f" ({'; '.join(advice.reasons)})" if advice.reasons else ""
    return f"Risk of {tuning.power} MB: {advice.risk}{reasons}."


def finding(advice: Advice, tuning: TuningResult) -> str:
    """Return what the deployed size is, as a sentence."""
    if advice.finding == "cannot tell":
        return f"Whether the deployed {tuning.current_power} MB is right cannot be told."
    return f"The deployed {tuning.current_power} MB is {advice.finding}."


# --- risk -----------------------------------------------------------------------------------


def _reasons(result: RunResult, tuning: TuningResult) -> Iterator[tuple[Level, str]]:
    """Yield what may go wrong at the recommended size, and how bad that is."""
    yield from _of_slo(result, tuning)
    best = tuning.detail(tuning.power)
    used_mb = max((d.max_memory_used_mb or 0 for d in tuning.details), default=0)
    if used_mb > (1 - _HEADROOM) * tuning.power:
        yield "high", f"it used up to {used_mb} MB of memory, which leaves less than 10 % free"
    if edge := edge_of(tuning):
        yield "medium", edge
    stated = tuning.statement
    if stated is not None and stated.at_most_ratio > _MUCH_WORSE:
        worse = formatting.percent(stated.at_most_ratio)
        yield "medium", f"it may be up to {worse} worse than the best size"
    now = tuning.detail(tuning.current_power)
    if now is None or now.duration_ms is None:
        yield "medium", f"the deployed {tuning.current_power} MB was not measured"
    elif tuning.power != tuning.current_power and best is not None and _close(best):
        yield "medium", "in duration and cost it cannot be told from the deployed size with 95 %"
    if best is None:
        return
    if best.cold_starts > _COLD_SHARE * best.count:
        yield "medium", f"{best.cold_starts} of {best.count} measured invocations were cold starts"
    if now is not None and now.cold_ms and (best.cold_ms or 0) > _SLOWER_START * now.cold_ms:
        times = (formatting.milliseconds(detail.cold_ms) for detail in (best, now))
        yield "medium", "its cold starts take {} ms instead of {} ms".format(*times)


def _close(best: PowerDetail) -> bool:
    """Whether neither duration nor cost was shown to differ from the deployed size's."""
    ratios = [ratio for ratio in (best.duration_ratio, best.cost_ratio) if ratio is not None]
    return bool(ratios) and not any(ratio.is_apart for ratio in ratios)


def _of_slo(result: RunResult, tuning: TuningResult) -> Iterator[tuple[Level, str]]:
    verdict = result.verdict
    own = next((s for s in verdict.sizes if s.memory_mb == tuning.power), None) if verdict else None
    if own is None and (verdict is None or tuning.power != tuning.current_power):
        yield "medium", "it was not held against the SLOs"
        return
    found = own or verdict
    assert found is not None
    missed = sum(check.outcome == "fail" for check in found.checks)
    if missed:
        yield "high", f"it misses {missed} of {len(found.checks)} SLOs"
    elif found.outcome == "inconclusive":
        yield "medium", "its SLOs could not be decided" if found.checks else "no SLO is set"


def edge_of(tuning: TuningResult) -> str:
    """Return that the best size is the last one that was looked at; empty if it is not.

    What was excluded was looked at, and so was what adaptive measuring's model is about.
    """
    best = tuning.kept_over or tuning.power
    seen = {detail.power for detail in tuning.details} | {p.memory_mb for p in tuning.curve}
    if len(seen) < 2 or best not in (min(seen), max(seen)):
        return ""
    if best in (MEMORY_SIZES_MB[0], MEMORY_SIZES_MB[-1]):
        return ""
    word, beyond = ("smallest", "smaller") if best == min(seen) else ("largest", "larger")
    return (
        f"{best} MB is at the edge of what was measured: the {word} size, and a {beyond} one may "
        "be better still"
    )


# --- options --------------------------------------------------------------------------------


def _options(result: RunResult, tuning: TuningResult) -> tuple[Option, ...]:
    """Return the cheapest, the balanced and the fastest of the measured sizes.

    Of the strategy that was tuned for, the tuner's own choice; adaptive measuring's durations are
    the model's, which two invocations at a size say little beside.
    """
    known = measured(tuning)
    taken = {detail.power: figures(tuning, detail) for detail in known}
    if not taken:
        return ()
    weight = float(result.setting("tuning", "balanced_weight", 0.5))
    most_ms, most_usd = (max(values) or 1.0 for values in zip(*taken.values(), strict=True))

    def score(mb: int, share: float) -> float:
        ms, usd = taken[mb]
        return (1 - share) * ms / most_ms + share * usd / most_usd

    def least(share: float) -> int:
        return min(taken, key=lambda mb: score(mb, share))

    chosen = {"cheapest": least(1.0), "balanced": least(weight), "fastest": least(0.0)}
    own = {"cost": "cheapest", "balanced": "balanced", "speed": "fastest"}.get(tuning.strategy)
    if own is not None and tuning.detail(tuning.kept_over or tuning.power) in known:
        chosen[own] = tuning.kept_over or tuning.power
    by_mb = {detail.power: detail for detail in known}
    return tuple(
        Option(
            name,  # type: ignore[arg-type]  # the three names above
            mb,
            *taken[mb],
            by_mb[mb].duration_ratio,
            by_mb[mb].cost_ratio,
        )
        for name, mb in chosen.items()
    )


def figures(tuning: TuningResult, detail: PowerDetail) -> tuple[float, float]:
    """Return a measured size's duration in ms and cost in USD: the model's, if there is one."""
    assert detail.duration_ms is not None and detail.cost_usd is not None
    mean_ms = detail.duration_ms.trimmed_mean
    ms = next((p.middle for p in tuning.curve if p.memory_mb == detail.power), mean_ms)
    return ms, detail.cost_usd * (ms / mean_ms if mean_ms else 1.0)
