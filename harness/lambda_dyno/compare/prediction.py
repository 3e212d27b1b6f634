"""What a tuning predicts of a load test, held against what was measured: pure functions.

The latency of a request is its tuned duration at that memory size and the API's own time. That is
measured before each load, with a request that is asked alone, one after the other: its latency
less its tuned duration. Of several loads the least counts: the API takes the same time whatever
memory the function has, and all else (a machine that is slower than the model) only adds to it.

The predicted median is that of the mixture in the load's proportions. It agrees if the measured
one is within 15 % or 5 ms of it, and differs if its whole 95 % interval is beyond: then the reason
is said, as far as the load test knows one. In between, the requests are too few to tell.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from lambda_dyno.core.results import (
    LoadResult,
    PowerDetail,
    Prediction,
    RequestDetail,
    Sample,
    TuningResult,
)
from lambda_dyno.statistics.batches import Observations, percentile_interval

TOLERANCE = 0.15
TOLERANCE_MS = 5.0
_THROTTLED = "http_429"
_THROTTLES_MAX = 0.01
_ERRORS_MAX = 0.05
_COLD_MAX = 0.1
_BUSY = 0.75  # of all cores: requests wait for each other
_OTHERS_MAX = 0.05  # of the requests that nobody tuned


def with_predictions(
    loads: Sequence[LoadResult],
    tuning: TuningResult | None,
    samples: Mapping[str, Sequence[Sample]],
) -> tuple[LoadResult, ...]:
    """Return load tests with what the tuning predicts of them.

    Args:
        loads: The load tests of a run.
        tuning: What was tuned; None predicts nothing.
        samples: The requests of each load test, by its label.
    """
    if tuning is None:
        return tuple(loads)
    api_ms = _api_ms(loads, tuning)
    return tuple(
        replace(load, prediction=_predict(load, tuning, samples.get(load.label, ()), api_ms))
        for load in loads
    )


def _api_ms(loads: Sequence[LoadResult], tuning: TuningResult) -> float | None:
    found = []
    for load in loads:
        tuned = _requests(tuning.detail(load.memory_mb))
        if load.probe is not None and load.probe.request in tuned:
            found.append(load.probe.p50_ms - tuned[load.probe.request].p50)
    return max(0.0, min(found)) if found else None


def _requests(detail: PowerDetail | None) -> dict[str, RequestDetail]:
    """Return the requests of a power value by name; of several with one name the last."""
    return {} if detail is None else {request.name: request for request in detail.requests}


def _predict(
    load: LoadResult, tuning: TuningResult, samples: Sequence[Sample], api_ms: float | None
) -> Prediction | None:
    if load.latency_ms is None:
        return None
    tuned = _requests(tuning.detail(load.memory_mb))
    counts = Counter(sample.request for sample in samples if sample.answered)
    if not tuned:
        return _nothing(
            f"{load.memory_mb:,} MB was not tuned"
            if tuning.detail(load.memory_mb) is None
            else "what was tuned, the payload of [tuning], is not what is loaded"
        )
    if api_ms is None:
        return _nothing("the API's own time was not measured")
    others = sum(count for name, count in counts.items() if name not in tuned)
    if 2 * others > sum(counts.values()):
        return _nothing(f"what was tuned is not what is loaded: {', '.join(sorted(tuned)[:3])}, …")
    shares = {name: count for name, count in counts.items() if name in tuned} or {
        name: request.count for name, request in tuned.items()
    }
    p50_ms = _median([(tuned[name], count) for name, count in shares.items()]) + api_ms
    slack_ms = max(TOLERANCE * p50_ms, TOLERANCE_MS)
    low_ms, high_ms = p50_ms - slack_ms, p50_ms + slack_ms
    in_time = sorted((s for s in samples if s.answered), key=lambda sample: sample.start_ms)
    measured = (load.latency_ms.p50, load.latency_ms.p50)
    if in_time:
        observations = Observations([s.response_ms for s in in_time], [s.user for s in in_time])
        interval = percentile_interval(observations, 0.5)
        measured = (interval.low, interval.high)  # infinite where requests are too few
    outcome: Literal["agrees", "differs", "open"] = "differs"
    if low_ms <= load.latency_ms.p50 <= high_ms:
        outcome, reason = "agrees", ""
    elif measured[0] <= high_ms and measured[1] >= low_ms:
        outcome = "open"
        reason = f"{sum(counts.values()):,} requests, as scattered as they are, are too few to tell"
    else:
        reason = _reason(load, others, slower=measured[0] > high_ms)
    least, most = (end if math.isfinite(end) else None for end in measured)
    return Prediction(p50_ms, low_ms, high_ms, api_ms, least, most, outcome, reason)


def _nothing(reason: str) -> Prediction:
    return Prediction(None, None, None, None, None, None, "open", reason)


def _median(requests: Sequence[tuple[RequestDetail, int]]) -> float:
    """Return the median of a mixture: of each request a quarter is near its least and most."""
    atoms = sorted(
        (value, count * share)
        for one, count in requests
        for value, share in ((one.min, 0.25), (one.p50, 0.5), (one.max, 0.25))
    )
    half, passed, before = sum(weight for _, weight in atoms) / 2, 0.0, atoms[0]
    # between the middles of the two atoms that half of the weight lies between
    middle_before = before[1] / 2
    for value, weight in atoms:
        middle = passed + weight / 2
        if middle >= half:
            span = middle - middle_before
            part = (half - middle_before) / span if span > 0 else 1.0
            return before[0] + (value - before[0]) * min(1.0, max(0.0, part))
        passed += weight
        before, middle_before = (value, weight), middle
    return atoms[-1][0]


def _reason(load: LoadResult, others: int, *, slower: bool) -> str:
    """Return why a load is not as predicted, as far as it knows itself."""
    reasons = []
    if load.saturated:
        reasons.append("it was saturated")  # by what, the load itself says
    elif load.late and slower:
        reasons.append("its answers were late")
    if others > _OTHERS_MAX * load.requests:
        reasons.append(f"{others:,} requests of the load were not tuned")
    throttled = load.errors_by_kind.get(_THROTTLED, 0)
    if throttled > _THROTTLES_MAX * load.requests:
        reasons.append(f"{throttled:,} requests were throttled")
    elif load.error_ratio > _ERRORS_MAX:
        reasons.append(f"{load.errors:,} of {load.requests:,} requests failed")
    answers = load.answers
    if slower and answers is not None and answers.cold > _COLD_MAX * answers.counted:
        reasons.append(f"{answers.cold:,} of {answers.counted:,} answers were cold starts")
    if slower and not reasons and load.machine_cpu_ratio > _BUSY:
        reasons.append(
            f"this machine was {100 * load.machine_cpu_ratio:.0f} % busy, and requests waited for "
            "each other"
        )
    return "; ".join(reasons) or "no cause is known: tune and load again, with nothing else running"
