"""The SLO gate: hold what a run measured against the limits of `[slo]`.

No evidence is never a pass. A check is

- `pass` when its value was measured, on enough samples, and is within the limit;
- `fail` when it was measured on enough samples and is above the limit, and also when so
  many requests failed that the percentile itself lies among the failures;
- `inconclusive` when there is nothing to judge by: not measured, too few samples, answers that
  came late since this machine is slower than AWS (latencies alone), or a load test in which the
  driver or the machine was saturated. Its figures then measure this
  machine, in both directions: slow answers are not the API's, and an API that got less than
  the intended load proves nothing by fast ones.

With the samples of the load test, a latency or error limit holds or is missed only when the whole
confidence interval is on one side of it; a limit inside the interval is `inconclusive`. The
interval pays for requests that depend on each other (`statistics.batches`). At 95 % a limit
that really is missed passes, and one that really holds fails, in at most 2.5 % of all runs. Without
the samples the measured value alone is compared.

Limits are inclusive. Latency and errors are judged at the deployed memory size (the load
result with the label "current"), cost and distance by what the tuner measured there.

Which limits there are is declared in `core.config.SloSettings`; here is how each is judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from lambda_dyno.core.config import SLO_KEYS, SloSettings
from lambda_dyno.core.formatting import number, requests
from lambda_dyno.core.results import (
    DEPLOYED,
    Check,
    LoadResult,
    PowerDetail,
    Sample,
    SizeVerdict,
    TuningResult,
    Verdict,
)
from lambda_dyno.gates.checks import CheckBuilder
from lambda_dyno.money import rates
from lambda_dyno.statistics.batches import Observations, percentile_interval, rate_interval
from lambda_dyno.statistics.stats import CONFIDENCE, Interval, finite, least_samples, percentile

# Below this many requests an error ratio says too little, whatever its limit is.
LEAST_REQUESTS_FOR_ERRORS = 100
# The tuner itself refuses to judge a power value by fewer invocations.
LEAST_INVOCATIONS = 5


def evaluate(
    slo: SloSettings,
    *,
    load: Sequence[LoadResult] = (),
    tuning: TuningResult | None = None,
    balanced_weight: float = 0.5,
    samples: Sequence[Sample] = (),
    confidence: float = CONFIDENCE,
) -> Verdict:
    """Judge a run.

    Args:
        slo: The limits; a limit of None is not checked.
        load: Every load test of the run.
        tuning: What the tuner measured; None if it did not run.
        balanced_weight: Weight of cost in the balanced strategy, as it was tuned with.
        samples: Every request of the load test at the deployed memory; none compares the
            measured values without their intervals.
        confidence: Of the intervals. Whoever asks for more requests after an inconclusive
            verdict, and judges again, at most n times, gives 1 - 0.05 / n.

    Returns:
        The checks in the order of `[slo]`, and what they come to.
    """
    result = next((result for result in load if result.label == DEPLOYED), None)
    loaded = None if result is None else _Loaded.of(result, samples, confidence)
    evidence = _Evidence(loaded, tuning, balanced_weight)
    return Verdict.of(
        JUDGES[key](CheckBuilder.of(key, limit), evidence) for key, limit in slo.limits.items()
    )


def confidence_of_a_look(slo: SloSettings) -> float:
    """Return the confidence of each verdict's intervals; 0: compare what was measured.

    Each round of load is another chance to err, so all of them share the rate: with `max_rounds`
    looks the intervals are at 1 - (1 - confidence) / max_rounds (Bonferroni), whether the first
    look decides or the last. Three looks at 95 % are at 98.3 %, whose intervals are 22 % wider.
    """
    if not slo.confidence:
        return 0.0
    return 1 - (1 - slo.confidence) / slo.max_rounds


def of_load(slo: SloSettings, load: LoadResult, samples: Sequence[Sample]) -> Verdict:
    """Judge one load test, whatever size it is of, by those limits that it can answer.

    Args:
        slo: The limits, and how sure a verdict must be.
        load: The load test.
        samples: Its requests.
    """
    return evaluate(
        slo.answered_by("load"),
        load=(replace(load, label=DEPLOYED),),
        samples=samples if slo.confidence else (),
        confidence=confidence_of_a_look(slo),
    )


def judged_mb(slo: SloSettings, load: Sequence[LoadResult], tuning: TuningResult | None) -> int:
    """Return the memory size that a run's limits are for; 0: the deployed one.

    Args:
        slo: The limits.
        load: Every load test of the run; a size that could not be loaded cannot be judged.
        tuning: What the tuner measured; None if it did not run.
    """
    if slo.judge == "deployed" or tuning is None or tuning.power == tuning.current_power:
        return 0
    loaded = {result.memory_mb for result in load}
    return tuning.power if not loaded or tuning.power in loaded else 0


def at_size(
    load: Sequence[LoadResult], tuning: TuningResult, memory_mb: int
) -> tuple[tuple[LoadResult, ...], TuningResult]:
    """Return what was measured at a memory size, as if that was the deployed one."""
    there = (replace(one, label=DEPLOYED) for one in load if one.memory_mb == memory_mb)
    return tuple(there), replace(tuning, current_power=memory_mb, kept_over=0)


def with_now(verdict: Verdict, deployed: Verdict) -> Verdict:
    """Return a verdict on another size with what was measured at the deployed one beside it."""
    now = {check.name: check.measured for check in deployed.checks}
    return Verdict.of(replace(check, now=now.get(check.name)) for check in verdict.checks)


def side_by_side(
    tuning: TuningResult, deployed: Verdict, recommended: Verdict, judged_mb: int
) -> Verdict:
    """Return a run's verdict with that on the deployed and that on the recommended size in it.

    Args:
        tuning: Which sizes those are.
        deployed: The verdict at the deployed size.
        recommended: The verdict at the recommended one.
        judged_mb: Which is the run's, as `judged_mb` says; 0: the deployed one.
    """
    verdict = with_now(recommended, deployed) if judged_mb else deployed
    both = (
        (tuning.current_power, DEPLOYED, deployed),
        (tuning.power, "recommended", recommended),
    )
    sizes = (
        SizeVerdict(mb, label, mb == (judged_mb or tuning.current_power), one.outcome, one.checks)
        for mb, label, one in both
    )
    return replace(verdict, sizes=tuple(sizes))


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The load test at the deployed memory, with its samples if they are there."""

    load: LoadResult
    latencies_ms: Observations | None  # infinite for a request without a good answer
    confidence: float

    @classmethod
    def of(cls, load: LoadResult, samples: Sequence[Sample], confidence: float) -> _Loaded:
        if not samples:
            return cls(load, None, confidence)
        in_time = sorted(samples, key=lambda sample: sample.start_ms)
        values = [math.inf if sample.error else sample.response_ms for sample in in_time]
        owners = [sample.user for sample in in_time]
        return cls(load, Observations(values, owners), confidence)

    def percentile(self, q: float) -> tuple[float | None, Interval | None]:
        """Return a percentile and its interval; None where there is no such number."""
        if self.latencies_ms is not None:
            return (
                finite(percentile(sorted(self.latencies_ms.values), q)),
                percentile_interval(self.latencies_ms, q, self.confidence),
            )
        # a percentile that is not among those of a result needs the samples
        value = getattr(self.load.latency_ms, f"p{q * 100:g}", None)
        return finite(value), None

    def missing(self) -> str:
        """Return why the load test proves nothing, or an empty string."""
        if not self.load.requests:
            return "no request was made"
        return self.load.saturated.rstrip(".")


def latency_intervals(
    load: LoadResult, samples: Sequence[Sample], names: Sequence[str]
) -> dict[str, tuple[float, float] | None]:
    """Return the 95 % interval of percentiles, in ms, of the requests that got an answer.

    None where the samples are not at hand, or are not those that the figures are of.

    Args:
        load: The load test.
        samples: Its requests, in any order.
        names: Of the percentiles, such as "p95".
    """
    intervals: dict[str, tuple[float, float] | None] = dict.fromkeys(names)
    answered = sorted((s for s in samples if s.answered), key=lambda sample: sample.start_ms)
    if not answered or load.latency_ms is None:
        return intervals
    seen = Observations([s.response_ms for s in answered], [s.user for s in answered])
    ordered = sorted(seen.values)
    for name in names:
        share = int(name.removeprefix("p")) / 100
        if math.isclose(percentile(ordered, share), getattr(load.latency_ms, name)):
            interval = percentile_interval(seen, share)
            intervals[name] = None if math.isinf(interval.low) else (interval.low, interval.high)
    return intervals


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What a run has measured, for any judge."""

    loaded: _Loaded | None
    tuning: TuningResult | None
    balanced_weight: float


def _latency(check: CheckBuilder, evidence: _Evidence) -> Check:
    """Judge one percentile of the latency at the deployed memory."""
    q, loaded = SLO_KEYS[check.name].quantile, evidence.loaded
    assert q is not None, f"{check.name} limits no latency"
    word = f"p{q * 100:g}"
    if loaded is None:
        return check.inconclusive(f"{word} was not measured: no load test at the deployed memory")
    load = loaded.load
    where = f"{word} at {load.memory_mb:,} MB"
    measured, interval = loaded.percentile(q)
    check = replace(check, measured=measured, interval=interval, confidence=loaded.confidence)
    if reason := loaded.missing() or load.late:
        return check.inconclusive(f"{where} cannot be judged: {reason}")
    if load.requests < (least := least_samples(q)):
        return check.inconclusive(
            f"{where} needs at least {least:,} requests, not {requests(load.requests)}"
        )
    if load.error_ratio > 1 - q:
        # A request without a good answer is slower than any limit, and there are so many
        # that the percentile is one of them.
        return check.fail(
            f"{where} is no latency: {load.errors:,} of {requests(load.requests)} failed, "
            f"limit {number(check.limit)} ms"
        )
    if measured is None:
        return check.inconclusive(f"{where} was not measured")
    return check.compare(f"{where} is {{}} ms{{}}, limit {{}} ms, {requests(load.requests)}")


def _errors(check: CheckBuilder, evidence: _Evidence) -> Check:
    """Judge the share of requests that failed at the deployed memory."""
    limit, loaded = check.limit, evidence.loaded
    if loaded is None:
        return check.inconclusive(
            "the error ratio was not measured: no load test at the deployed memory"
        )
    load = loaded.load
    where = f"the error ratio at {load.memory_mb:,} MB"
    if load.requests:
        check = replace(check, measured=load.error_ratio)
    # no number of requests proves that there is never an error
    if limit > 0 and loaded.latencies_ms is not None:
        interval = rate_interval(loaded.latencies_ms, math.isinf, loaded.confidence)
        check = replace(check, interval=interval, confidence=loaded.confidence)
    if reason := loaded.missing():
        return check.inconclusive(f"{where} cannot be judged: {reason}")
    # With fewer than 1 / limit requests a single error would already be a miss.
    least = max(LEAST_REQUESTS_FOR_ERRORS, math.ceil(1 / limit) if limit else 0)
    if load.requests < least:
        return check.inconclusive(
            f"{where} needs at least {least:,} requests, not {requests(load.requests)}"
        )
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(load.errors_by_kind.items()))
    return check.compare(
        f"{where} is {{}}{{}}, limit {{}}, {load.errors:,} of {requests(load.requests)}"
        + (f" ({kinds})" if kinds else "")
    )


def _cost(check: CheckBuilder, evidence: _Evidence) -> Check:
    """Judge a million invocations' duration cost at the deployed memory.

    It is the tuner's price of one invocation times a million. Like the tuner's it leaves the
    request fee out, which is the same at every memory size.
    """
    currency = evidence.tuning.currency if evidence.tuning else "USD"
    check = replace(check, unit=currency)
    detail, reason = _deployed_detail(evidence.tuning)
    if detail is None or detail.cost_usd is None:
        return check.inconclusive(f"the cost was not measured: {reason or 'no price'}")
    check = replace(check, measured=finite(detail.cost_usd * 1e6))
    fee = _request_fee(evidence.tuning)
    return check.compare(
        f"a million invocations at {detail.power:,} MB cost {{}} {currency}{{}}, "
        f"limit {{}} {currency}, {detail.count:,} invocations measured; {fee}"
    )


def _request_fee(tuning: TuningResult | None) -> str:
    if tuning is None:
        return "the request fee is not in it"
    listed = rates.of_tuning(tuning).listed
    fee = float(listed.request * 1_000_000)
    return f"the request fee of {fee:.2f} {listed.currency} per million is not in it"


def _distance(check: CheckBuilder, evidence: _Evidence) -> Check:
    """Judge how much worse the deployed memory is than the tuner's choice.

    The measure is the strategy's own: cost, duration, or their weighted sum.
    """
    limit, tuning = check.limit, evidence.tuning
    deployed, reason = _deployed_detail(tuning)
    if tuning is None or deployed is None:
        return check.inconclusive(f"the distance from the best was not measured: {reason}")
    own_mb, best_mb = deployed.power, tuning.kept_over or tuning.power
    word, scores = _scores(tuning, evidence.balanced_weight)
    missing = [mb for mb in (best_mb, own_mb) if mb not in scores]
    if missing:
        return check.inconclusive(
            f"the distance from the best was not measured: no {word} at {missing[0]:,} MB"
        )
    if scores[best_mb] > 0:  # zero is a measuring fault, not an infinitely good memory size
        check = replace(check, measured=finite(scores[own_mb] / scores[best_mb] - 1))
    if tuning.kept_over and check.measured is not None and check.measured > limit:
        return check.inconclusive(
            f"{own_mb:,} MB measured {number(check.measured * 100)} % worse than {best_mb:,} MB, "
            f"by {word}, limit {number(limit * 100)} %: no more than chance may do, too few "
            "invocations"
        )
    return check.compare(
        f"{own_mb:,} MB is {{}} worse{{}} than the best, {best_mb:,} MB, by {word}, limit {{}}",
        percent=True,
    )


JUDGES: Mapping[str, Callable[[CheckBuilder, _Evidence], Check]] = {
    "latency_p95_ms": _latency,
    "latency_p99_ms": _latency,
    "error_ratio": _errors,
    "cost_per_million_usd": _cost,
    "distance_from_best": _distance,
}


def _scores(tuning: TuningResult, weight: float) -> tuple[str, Mapping[int, float]]:
    """Return what a strategy minimises, as aws-lambda-power-tuning does: a word, and by MB."""
    word, cost_share = {
        "cost": ("cost", 1.0),
        "limit": ("cost", 1.0),
        "speed": ("duration", 0.0),
        "balanced": (f"balance (weight {weight:g})", min(max(weight, 0.0), 1.0)),
    }[tuning.strategy]
    compared = {
        detail.power: (detail.cost_usd, detail.duration_ms.trimmed_mean)
        for detail in tuning.details
        if not detail.excluded and detail.cost_usd is not None and detail.duration_ms is not None
    }
    highest_usd = max((usd for usd, _ in compared.values()), default=0.0)
    highest_ms = max((ms for _, ms in compared.values()), default=0.0)
    if highest_usd <= 0 or highest_ms <= 0:
        return word, {}
    return word, {
        mb: cost_share * usd / highest_usd + (1 - cost_share) * ms / highest_ms
        for mb, (usd, ms) in compared.items()
    }


def _deployed_detail(tuning: TuningResult | None) -> tuple[PowerDetail | None, str]:
    """Return what was measured at the deployed memory, or None and why there is nothing."""
    if tuning is None:
        return None, "there was no tuning"
    detail = tuning.detail(tuning.current_power)
    where = f"the deployed {tuning.current_power:,} MB"
    if detail is None:
        return None, f"{where} is not among the power values"
    if detail.excluded:
        return None, f"{where} was excluded: {detail.excluded}"
    # adaptive measuring pools all sizes, and stops when it knows enough
    if detail.count < LEAST_INVOCATIONS and tuning.statement is None:
        return None, f"{detail.count:,} invocations at {where} are too few"
    return detail, ""
