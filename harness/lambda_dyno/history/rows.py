"""The rows of a run: what its result comes to in the tables of the history. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lambda_dyno.core.errors import brief
from lambda_dyno.core.results import DEPLOYED, LoadResult, PowerDetail, RunResult, TuningResult
from lambda_dyno.history.schema import LARGEST, Row, Value

_ERROR_CHARS = 300
_NAME_CHARS = 200
_LATENCIES = ("mean", "p50", "p90", "p95", "p99", "max")
# What a function is given may be anything, secrets included; that it changed shows by its hash.
_PAYLOADS = ("payload", "workload", "payload_s3")


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of a record beside the run's result.

    Attributes:
        record_id: `RUN_MODE_RANDOM`.
        mode: One of `schema.MODES`.
        recorded_at: Now, UTC.
        dyno_version: This release.
        branch: Of the working tree; empty: not known.
        account_id: The AWS account; empty: not known.
        region: The AWS region; empty: not known.
    """

    record_id: str
    mode: str
    recorded_at: datetime
    dyno_version: str
    branch: str = ""
    account_id: str = ""
    region: str = ""


def has_figures(result: RunResult) -> bool:
    """Whether a run has found anything that history has a table for."""
    return bool(result.tuning or result.load or result.verdict or result.regression)


def rows_of(result: RunResult, recording: Recording) -> dict[str, list[Row]]:
    """Return the rows of a record, by table.

    Args:
        result: What the run has found.
        recording: What else is known of it.
    """
    key = {"record_id": recording.record_id, "run_id": result.run_id}
    tables: dict[str, Iterable[Row]] = {
        "tunings": _tunings(result.tuning),
        "samples": _samples(result.tuning),
        "loads": map(_load, result.load),
        "checks": _checks(result),
        "runs": [_run(result, recording)],
    }
    return {
        name: [{**key, **{column: _safe(value) for column, value in row.items()}} for row in rows]
        for name, rows in tables.items()
    }


def _safe(value: Value) -> Value:
    """Return a value that every reader takes: no figure without end, no broken text."""
    if isinstance(value, float) and not (math.isfinite(value) and abs(value) <= LARGEST):
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value


def _run(result: RunResult, recording: Recording) -> Row:
    tuning = result.tuning
    memory_mb = _deployed_mb(result)
    now = tuning.detail(memory_mb) if tuning and memory_mb else None
    best = _figures(tuning.detail(tuning.power) if tuning else None)
    load = _load_at(result, DEPLOYED, memory_mb)
    better = _load_at(result, "recommended", tuning.power if tuning else None)
    sha, _, changes = result.git_sha.partition("+")
    per_million = _limit(result, "cost_per_million_usd")
    return {
        "mode": recording.mode,
        "recorded_at": recording.recorded_at,
        "started_at": _time(result.started_at) or recording.recorded_at,
        "dyno_version": recording.dyno_version,
        "env": result.settings_env[:_NAME_CHARS],
        "function_name": function_name(result)[:_NAME_CHARS],
        "account_id": recording.account_id,
        "region": recording.region or (tuning.region if tuning else ""),
        "is_embedded": result.on_embedded_aws,
        "architecture": _architecture(result),
        "branch": recording.branch[:_NAME_CHARS],
        "git_sha": sha,
        "is_dirty": bool(changes),
        "code_sha256": _code_of(tuning),
        "outcome": result.verdict.outcome if result.verdict else None,
        "error": brief(" ".join(result.error.split()), most=_ERROR_CHARS),
        "run_s": math.fsum(result.timings.values()),
        "memory_mb": memory_mb,
        "recommended_mb": tuning.power if tuning else None,
        **_figures(now),
        "p95_ms": load.latency_ms.p95 if load and load.latency_ms else None,
        "error_ratio": load.error_ratio if load else None,
        "requests_per_s": load.requests_per_s if load else None,
        "recommended_duration_ms": best["duration_ms"],
        "recommended_cost_usd": best["cost_usd"],
        "recommended_p95_ms": better.latency_ms.p95 if better and better.latency_ms else None,
        "judged": str(result.setting("slo", "judge", "") or ""),
        "p95_limit_ms": _limit(result, "latency_p95_ms"),
        "cost_limit_usd": None if per_million is None else per_million / 1e6,
        "settings_json": settings_json(result.settings),
    }


def _figures(detail: PowerDetail | None) -> dict[str, Value]:
    """Return what a memory size takes; NULLs if it was not measured."""
    low_ms, high_ms = (detail and detail.duration_interval_ms) or (None, None)
    low_usd, high_usd = (detail and detail.cost_interval_usd) or (None, None)
    stats = detail.duration_ms if detail else None
    return {
        "duration_ms": stats.trimmed_mean if stats else None,
        "duration_low_ms": low_ms,
        "duration_high_ms": high_ms,
        "cost_usd": detail.cost_usd if detail else None,
        "cost_low_usd": low_usd,
        "cost_high_usd": high_usd,
        "memory_used_mb": detail.max_memory_used_mb if detail else None,
    }


def _deployed_mb(result: RunResult) -> int | None:
    """Return the memory size that the function is declared with; None: not known."""
    if result.tuning:
        return result.tuning.current_power
    declared = result.outputs.get("memory_mb")
    return declared if type(declared) is int else None


def _load_at(result: RunResult, label: str, memory_mb: int | None) -> LoadResult | None:
    """Return the load test with a label, or else at a memory size; None: there is none."""
    by_label = (load for load in result.load if load.label == label)
    at_size = (load for load in result.load if load.memory_mb == memory_mb)
    return next(by_label, None) or next(at_size, None)


def _limit(result: RunResult, name: str) -> float | None:
    limit = result.setting("slo", name)
    return float(limit) if type(limit) in (int, float) else None


def _architecture(result: RunResult) -> str:
    if result.tuning:
        return result.tuning.architecture
    return str(result.outputs.get("architecture") or "")


def _code_of(tuning: TuningResult | None) -> str:
    """Return the hash of the code that a tuning measured, where the power tuner tells it."""
    told = tuning.raw.get("prior") if tuning else None
    return str(told.get("codeSha256") or "") if isinstance(told, Mapping) else ""


def function_name(result: RunResult) -> str:
    """Return what a function is called in every run: without the run's own prefix."""
    arn = result.function_arn or (result.tuning.function_arn if result.tuning else "")
    name = arn.split(":", 6)[6] if arn.count(":") >= 6 else arn
    whole = str(result.outputs.get("function_name") or "") if not result.function_arn else name
    # an ARN of an environment's function names an alias of this run's own, too
    return (whole or name).removeprefix(f"{result.name_prefix}-") or "function"


def _tunings(tuning: TuningResult | None) -> Iterator[Row]:
    for detail in tuning.details if tuning else ():
        assert tuning is not None
        yield {
            "architecture": tuning.architecture,
            "memory_mb": detail.power,
            "is_deployed": detail.power == tuning.current_power,
            "is_recommended": detail.power == tuning.power,
            "strategy": tuning.strategy,
            "invocations": detail.count,
            "cold_starts": detail.cold_starts,
            "errors": detail.errors,
            **_figures(detail),
            **{f"{p}_ms": getattr(detail.duration_ms, p, None) for p in ("p50", "p95", "p99")},
            "billed_ms": detail.billed_ms_mean,
            "cold_ms": detail.cold_ms,
            "currency": tuning.currency,
        }


def _samples(tuning: TuningResult | None) -> Iterator[Row]:
    """Yield the invocations of the state machine's output; an older tuner does not tell them."""
    details = tuning.raw.get("details") if tuning else None
    for entry in details if isinstance(details, list) else ():
        durations = entry.get("durations") or []
        cold = set(entry.get("coldAt") or ())
        requests = entry.get("requestAt") or []
        if len(requests) != len(durations):
            requests = [0] * len(durations)
        for at, (duration_ms, request) in enumerate(zip(durations, requests, strict=True)):
            yield {
                "memory_mb": entry.get("power"),
                "position": at,
                "request": request,
                "is_cold": at in cold,
                "duration_ms": float(duration_ms),
            }


def _load(load: LoadResult) -> Row:
    return {
        "label": load.label,
        "memory_mb": load.memory_mb,
        "loop": load.loop,
        "profile": load.profile,
        "virtual_users": load.virtual_users,
        "load_s": load.duration_s,
        "requests": load.requests,
        "errors": load.errors,
        "requests_per_s": load.requests_per_s,
        **{f"{name}_ms": getattr(load.latency_ms, name, None) for name in _LATENCIES},
        "saturated": load.saturated,
    }


def _checks(result: RunResult) -> Iterator[Row]:
    nothing: Row = dict.fromkeys(("baseline_value", "ratio", "ratio_low", "ratio_high"))
    for check in result.verdict.checks if result.verdict else ():
        yield {
            "source": "slo",
            "name": check.name,
            "unit": check.unit,
            "outcome": check.outcome,
            "measured": check.measured,
            "limit_value": check.limit,
            **nothing,
            "baseline_sha": "",
        }
    against = result.regression
    for found in against.checks if against else ():
        assert against is not None
        yield {
            "source": "baseline",
            "name": found.name,
            "unit": found.unit,
            "outcome": found.outcome,
            "measured": found.candidate,
            "limit_value": 1 + against.margin,
            "baseline_value": found.baseline,
            "ratio": found.ratio,
            "ratio_low": found.ratio_low,
            "ratio_high": found.ratio_high,
            "baseline_sha": against.git_sha.partition("+")[0],
        }


def settings_json(settings: Mapping[str, Any]) -> str:
    """Return settings as JSON, without what functions are given: that may be anything."""
    kept = {
        section: {
            name: _digest(value) if name in _PAYLOADS and value not in (None, "") else value
            for name, value in keys.items()
        }
        if isinstance(keys, Mapping)
        else keys
        for section, keys in settings.items()
    }
    return json.dumps(kept, sort_keys=True, default=str)


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _time(text: str) -> datetime | None:
    """Return a time in UTC without its zone, as the store has it; None: it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
