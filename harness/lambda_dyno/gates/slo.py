"""The SLO gate: hold what a run measured against the limits of `[slo]`.

No evidence is never a pass. A check is

- `pass` when its value was measured, on enough samples, and is within the limit;
- `fail` when it was measured on enough samples and is above the limit, and also when so
  many requests failed that the percentile itself lies among the failures;
- `inconclusive` when there is nothing to judge by: not measured, too few samples, or a load
  test in which the driver or the machine was saturated. Its figures then measure this
  machine, in both directions: slow answers are not the API's, and an API that got less than
  the intended load proves nothing by fast ones.

With the samples of the load test, a latency or error limit holds or is missed only when the whole
confidence interval is on one side of it; a limit inside the interval is `inconclusive`. The
interval pays for requests that depend on each other (`statistics.batches`). At 95 % a limit
that really is missed passes, and one that really holds fails, in at most 2.5 % of all runs. Without
the samples the measured value alone is compared.

Limits are inclusive. Latency and errors are judged at the deployed memory size (the load
result with the label "current"), cost and distance by what the tuner measured there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lambda_dyno.core.config import SloSettings
from lambda_dyno.core.results import (
    Check,
    LoadResult,
    Outcome,
    PowerDetail,
    Sample,
    TuningResult,
    Verdict,
)
from lambda_dyno.gates.checks import Draft, number, requests
from lambda_dyno.statistics.batches import Observations, percentile_interval, rate_interval
from lambda_dyno.statistics.stats import CONFIDENCE, Interval, least_samples, percentile

DEPLOYED = "current"

# Below this many requests an error ratio says too little, whatever its limit is.
LEAST_REQUESTS_FOR_ERRORS = 100
# The tuner itself refuses to judge a power value by fewer invocations.
LEAST_INVOCATIONS = 5

_REQUEST_FEE = "the request fee of 0.20 USD per million is not in it"


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
        The checks in the order of `[slo]`. `fail` if any failed, else `inconclusive` if any
        is or none was asked for, else `pass`.
    """
    result = next((result for result in load if result.label == DEPLOYED), None)
    deployed = None if result is None else _Evidence.of(result, samples, confidence)
    checks: list[Check] = []
    if slo.latency_p95_ms is not None:
        checks.append(_latency("latency_p95_ms", 0.95, slo.latency_p95_ms, deployed))
    if slo.latency_p99_ms is not None:
        checks.append(_latency("latency_p99_ms", 0.99, slo.latency_p99_ms, deployed))
    if slo.error_ratio is not None:
        checks.append(_errors(slo.error_ratio, deployed))
    if slo.cost_per_million_usd is not None:
        checks.append(_cost(slo.cost_per_million_usd, tuning))
    if slo.distance_from_best is not None:
        checks.append(_distance(slo.distance_from_best, tuning, balanced_weight))
    return Verdict(outcome=overall(checks), checks=tuple(checks))


def overall(checks: Sequence[Check]) -> Outcome:
    """Return the outcome of several checks; of none at all it is open."""
    outcomes = {check.outcome for check in checks}
    if "fail" in outcomes:
        return "fail"
    return "pass" if outcomes == {"pass"} else "inconclusive"


@dataclass(frozen=True, slots=True)
class _Evidence:
    """A load test, with its samples if they are there."""

    load: LoadResult
    latencies_ms: Observations | None  # infinite for a request without a good answer
    confidence: float

    @classmethod
    def of(cls, load: LoadResult, samples: Sequence[Sample], confidence: float) -> _Evidence:
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
                _finite(percentile(sorted(self.latencies_ms.values), q)),
                percentile_interval(self.latencies_ms, q, self.confidence),
            )
        if self.load.latency_ms is None:
            return None, None
        return _finite({0.95: self.load.latency_ms.p95, 0.99: self.load.latency_ms.p99}[q]), None

    def error_interval(self) -> Interval | None:
        if self.latencies_ms is None:
            return None
        return rate_interval(self.latencies_ms, math.isinf, self.confidence)

    def missing(self) -> str:
        """Return why the load test proves nothing, or an empty string."""
        if not self.load.requests:
            return "no request was made"
        return self.load.saturated.rstrip(".")


def _latency(name: str, q: float, limit: float, evidence: _Evidence | None) -> Check:
    """Judge one percentile of the latency at the deployed memory."""
    draft = Draft(name, limit, "ms")
    word = f"p{q * 100:g}"
    if evidence is None:
        return draft.inconclusive(f"{word} was not measured: no load test at the deployed memory")
    load = evidence.load
    where = f"{word} at {load.memory_mb:,} MB"
    measured, interval = evidence.percentile(q)
    draft = replace(draft, measured=measured, interval=interval, confidence=evidence.confidence)
    if reason := evidence.missing():
        return draft.inconclusive(f"{where} cannot be judged: {reason}")
    if load.requests < (least := least_samples(q)):
        return draft.inconclusive(
            f"{where} needs at least {least:,} requests, not {requests(load.requests)}"
        )
    if load.error_ratio > 1 - q:
        # A request without a good answer is slower than any limit, and there are so many
        # that the percentile is one of them.
        return draft.fail(
            f"{where} is no latency: {load.errors:,} of {requests(load.requests)} failed, "
            f"limit {number(limit)} ms"
        )
    if measured is None:
        return draft.inconclusive(f"{where} was not measured")
    return draft.compare(f"{where} is {{}} ms{{}}, limit {{}} ms, {requests(load.requests)}")


def _errors(limit: float, evidence: _Evidence | None) -> Check:
    """Judge the share of requests that failed at the deployed memory."""
    draft = Draft("error_ratio", limit, "")
    if evidence is None:
        return draft.inconclusive(
            "the error ratio was not measured: no load test at the deployed memory"
        )
    load = evidence.load
    where = f"the error ratio at {load.memory_mb:,} MB"
    if load.requests:
        draft = replace(draft, measured=load.error_ratio)
    if limit > 0:  # no number of requests proves that there is never an error
        interval = evidence.error_interval()
        draft = replace(draft, interval=interval, confidence=evidence.confidence)
    if reason := evidence.missing():
        return draft.inconclusive(f"{where} cannot be judged: {reason}")
    # With fewer than 1 / limit requests a single error would already be a miss.
    least = max(LEAST_REQUESTS_FOR_ERRORS, math.ceil(1 / limit) if limit else 0)
    if load.requests < least:
        return draft.inconclusive(
            f"{where} needs at least {least:,} requests, not {requests(load.requests)}"
        )
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(load.errors_by_kind.items()))
    return draft.compare(
        f"{where} is {{}}{{}}, limit {{}}, {load.errors:,} of {requests(load.requests)}"
        + (f" ({kinds})" if kinds else "")
    )


def _cost(limit: float, tuning: TuningResult | None) -> Check:
    """Judge a million invocations' duration cost at the deployed memory.

    It is the tuner's price of one invocation times a million. Like the tuner's it leaves the
    request fee out, which is the same at every memory size.
    """
    draft = Draft("cost_per_million_usd", limit, "USD")
    detail, reason = _deployed_detail(tuning)
    if detail is None or detail.cost_usd is None:
        return draft.inconclusive(f"the cost was not measured: {reason or 'no price'}")
    draft = replace(draft, measured=_finite(detail.cost_usd * 1e6))
    return draft.compare(
        f"a million invocations at {detail.power:,} MB cost {{}} USD{{}}, limit {{}} USD, "
        f"{detail.count:,} invocations measured; {_REQUEST_FEE}"
    )


def _distance(limit: float, tuning: TuningResult | None, weight: float) -> Check:
    """Judge how much worse the deployed memory is than the tuner's choice.

    The measure is the strategy's own: cost, duration, or their weighted sum.
    """
    draft = Draft("distance_from_best", limit, "")
    deployed, reason = _deployed_detail(tuning)
    if tuning is None or deployed is None:
        return draft.inconclusive(f"the distance from the best was not measured: {reason}")
    best_mb = tuning.kept_over or tuning.power
    best = tuning.detail(best_mb)
    score = _Score.of(tuning, weight)
    if best is None or (best_score := score(best)) is None or (own := score(deployed)) is None:
        return draft.inconclusive(
            f"the distance from the best was not measured: no {score.word} at "
            f"{best_mb if best is None or score(best) is None else deployed.power:,} MB"
        )
    # A best score of zero is a measuring fault, not an infinitely good memory size.
    draft = replace(draft, measured=_finite(own / best_score - 1) if best_score > 0 else None)
    if tuning.kept_over and draft.measured is not None and draft.measured > limit:
        return draft.inconclusive(
            f"{deployed.power:,} MB measured {number(draft.measured * 100)} % worse than "
            f"{best.power:,} MB, by {score.word}, limit {number(limit * 100)} %: no more than "
            "chance may do, too few invocations"
        )
    return draft.compare(
        f"{deployed.power:,} MB is {{}} worse{{}} than the best, {best.power:,} MB, "
        f"by {score.word}, limit {{}}",
        percent=True,
    )


@dataclass(frozen=True, slots=True)
class _Score:
    """What a strategy minimises, as aws-lambda-power-tuning does."""

    word: str
    cost_share: float  # weight of the cost
    highest_cost: float
    highest_duration: float

    @classmethod
    def of(cls, tuning: TuningResult, weight: float) -> _Score:
        share = {"cost": 1.0, "speed": 0.0, "balanced": min(max(weight, 0.0), 1.0)}
        word = {"cost": "cost", "speed": "duration", "balanced": f"balance (weight {weight:g})"}
        return cls(
            word[tuning.strategy],
            share[tuning.strategy],
            max((d.cost_usd for d in tuning.details if d.cost_usd), default=0.0),
            max((d.duration_ms.trimmed_mean for d in tuning.details if d.duration_ms), default=0.0),
        )

    def __call__(self, detail: PowerDetail) -> float | None:
        if detail.cost_usd is None or detail.duration_ms is None:
            return None
        if self.highest_cost <= 0 or self.highest_duration <= 0:
            return None
        return (
            self.cost_share * detail.cost_usd / self.highest_cost
            + (1 - self.cost_share) * detail.duration_ms.trimmed_mean / self.highest_duration
        )


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
    if detail.count < LEAST_INVOCATIONS:
        return None, f"{detail.count:,} invocations at {where} are too few"
    return detail, ""


def _finite(value: float) -> float | None:
    """Return a number that can be compared and written as JSON, or None."""
    return value if math.isfinite(value) else None
