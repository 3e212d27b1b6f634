"""Runs to make reports of.

Durations: a Node.js function that reads and writes DynamoDB, mean and p99 of 300 warm
invocations on AWS (us-east-2, x86_64, December 2025), from
github.com/cebert/aws-lambda-performance-benchmarks, MIT licence. Everything else is made up
around them.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from lambda_dyno.core.config import SloSettings
from lambda_dyno.core.results import (
    Amount,
    CurvePoint,
    DurationStats,
    LatencyStats,
    LoadResult,
    PowerDetail,
    Ratio,
    RegressionCheck,
    RegressionResult,
    RunResult,
    SmokeResult,
    StateMachineCost,
    TuningResult,
)
from lambda_dyno.gates.slo import evaluate, side_by_side
from lambda_dyno.statistics.stats import percentile

USD_PER_GB_SECOND = 0.0000166667  # x86_64, us-east-2

MEASURED = {  # power: (mean, p99)
    128: (71.45, 259.85),
    256: (27.51, 137.04),
    512: (15.17, 41.17),
    1024: (10.32, 18.6),
    1769: (10.57, 18.04),
}


def stats(trimmed_mean: float, p99: float | None = None, spread: float = 0.05) -> DurationStats:
    """Durations around a trimmed mean."""
    worst = p99 or trimmed_mean * 1.3
    return DurationStats(
        mean=trimmed_mean * 1.02,
        trimmed_mean=trimmed_mean,
        p50=trimmed_mean * 0.99,
        p95=(trimmed_mean + worst) / 2,
        p99=worst,
        min=trimmed_mean * 0.9,
        max=worst,
        std_dev=trimmed_mean * 0.1,
        ci95=(trimmed_mean * (1 - spread), trimmed_mean * (1 + spread)),
    )


def detail(power: int, trimmed_mean: float, cost_usd: float | None = None, **more: Any) -> Any:
    """A power value that was measured."""
    billed = float(int(trimmed_mean) + 1)
    cost = power / 1024 * billed / 1000 * USD_PER_GB_SECOND if cost_usd is None else cost_usd
    fields: dict[str, Any] = {
        "power": power,
        "count": 20,
        "duration_ms": stats(trimmed_mean, more.pop("p99", None)),
        "billed_ms_mean": billed,
        "cost_usd": cost,
        "cold_starts": 1,
        "errors": 0,
        "max_memory_used_mb": 83,
    }
    return PowerDetail(**{**fields, **more})


def excluded(power: int, reason: str) -> PowerDetail:
    """A power value that could not be measured."""
    return PowerDetail(power, 0, None, None, None, 0, 5, None, {"Runtime.ExitError": 5}, 0, reason)


def tuning(*details: PowerDetail, power: int, current: int, **more: Any) -> TuningResult:
    """A tuning of these power values."""
    best = next((d for d in details if d.power == power), None)
    fields: dict[str, Any] = {
        "function_arn": "arn:aws:lambda:us-east-2:123456789012:function:dyno-crud",
        "power": power,
        "cost": best.cost_usd if best else 2e-7,
        "duration": best.duration_ms.trimmed_mean if best and best.duration_ms else 20.0,
        "strategy": "balanced",
        "current_power": current,
        "architecture": "x86_64",
        "region": "us-east-2",
        "details": details,
        "state_machine": StateMachineCost("arn:aws:states:::execution", 0.000175, 0.0000612, "x"),
    }
    return TuningResult(**{**fields, **more})


def latencies(median_ms: float, count: int, seed: int = 7) -> list[float]:
    """Latencies with a long tail, the same on every call."""
    source = random.Random(seed)
    return [median_ms * source.lognormvariate(0, 0.35) for _ in range(count)]


def load(label: str, memory_mb: int, values: list[float], **more: Any) -> LoadResult:
    """A load test with these latencies."""
    ordered = sorted(values)
    latency = LatencyStats(
        mean=sum(values) / len(values),
        p50=percentile(ordered, 0.5),
        p90=percentile(ordered, 0.9),
        p95=percentile(ordered, 0.95),
        p99=percentile(ordered, 0.99),
        max=ordered[-1],
    )
    fields: dict[str, Any] = {
        "label": label,
        "memory_mb": memory_mb,
        "virtual_users": 10,
        "ramp_up_s": 3.0,
        "duration_s": 15.2,
        "requests": len(values),
        "errors": 0,
        "errors_by_kind": {},
        "latency_ms": latency,
        "requests_per_s": len(values) / 15.2,
        "driver_cpu_ratio": 0.41,
        "machine_cpu_ratio": 0.55,
        "samples_path": f"load/{label}.jsonl",
    }
    return LoadResult(**{**fields, **more})


CURRENT = latencies(104.0, 1180, seed=1)
RECOMMENDED = latencies(38.0, 1420, seed=2)

SLO = SloSettings(
    latency_p95_ms=250,
    latency_p99_ms=500,
    error_ratio=0.01,
    cost_per_million_usd=0.5,
    distance_from_best=1.5,
)
TUNING = tuning(
    *(detail(power, mean, p99=p99) for power, (mean, p99) in MEASURED.items()),
    power=512,
    current=128,
)
LOAD = (load("current", 128, CURRENT), load("recommended", 512, RECOMMENDED))
AT_BEST = replace(TUNING, current_power=512)
VERDICT = evaluate(SLO, load=LOAD, tuning=TUNING)


def mended() -> RunResult:
    """A run whose deployed size misses p95, and whose recommended one meets every limit."""
    limits = SLO.model_copy(update={"latency_p95_ms": 100.0})
    at_best = evaluate(limits, load=(replace(LOAD[1], label="current"),), tuning=AT_BEST)
    verdict = side_by_side(TUNING, evaluate(limits, load=LOAD, tuning=TUNING), at_best, 0)
    settings = {**run().settings, "slo": limits.model_dump()}
    return run(verdict=verdict, settings=settings)


_COSTS_USD = {detail.power: detail.cost_usd or 0.0 for detail in TUNING.details}


def _around(usd: float, share: float) -> Amount:
    half = abs(usd) * share
    return Amount(usd, usd - half, usd + half)


def known() -> TuningResult:
    """The sample tuning with every interval, the model's band, and single invocations."""
    details = [
        replace(
            d,
            duration_interval_ms=(0.9 * mean, 1.1 * mean),
            cost_interval_usd=(0.92 * _COSTS_USD[d.power], 1.1 * _COSTS_USD[d.power]),
            duration_ratio=None if d.power == 128 else Ratio(mean / 71.45, mean / 80, mean / 64),
            cost_ratio=None if d.power == 128 else Ratio(0.97, 0.9, 1.04),
            cold_ms=mean + 200,
            compute_usd=_around(_COSTS_USD[d.power], 0.08),
            saved_usd=None
            if d.power == 128
            else _around(_COSTS_USD[128] - _COSTS_USD[d.power], 0.5),
        )
        for d, (mean, _) in zip(TUNING.details, MEASURED.values(), strict=True)
    ]
    curve = [
        CurvePoint(power, 0.85 * mean, mean, 1.2 * mean) for power, (mean, _) in MEASURED.items()
    ]
    raw = {
        "details": [
            {"power": power, "durations": [mean * (0.9 + 0.01 * n) for n in range(20)] + [2000.0]}
            for power, (mean, _) in MEASURED.items()
        ]
    }
    return replace(TUNING, details=tuple(details), curve=tuple(curve), raw=raw)


def regression(**changes: Any) -> RegressionResult:
    """A candidate whose p95 is worse, and whose cost was not measured."""
    checks = (
        RegressionCheck("p50", "ms", 21.3, 21.4, 1.005, 0.99, 1.02, "pass", "p50 is no more ..."),
        RegressionCheck("p95", "ms", 41.0, 45.5, 1.11, 1.08, 1.14, "fail", "p95 is 8 % worse"),
        RegressionCheck(
            "cost", "USD per million", None, None, None, None, None, "inconclusive", "not measured"
        ),
    )
    found = RegressionResult(
        outcome="fail",
        baseline="main (1a2b3c4d5)",
        git_sha="1a2b3c4d5e6f",
        baseline_run_id="261120-2243-k3fb",
        pairs=30,
        redone=2,
        looks=1,
        margin=0.05,
        alpha=0.01,
        risk=0.05,
        turn_s=4.0,
        requests={"baseline": 4500, "candidate": 4480},
        errors={"baseline": 0, "candidate": 3},
        checks=checks,
    )
    return replace(found, **changes)


def run(**changes: Any) -> RunResult:
    """A whole run: the function at 128 MB, 512 MB recommended."""
    result = RunResult(
        run_id="261120-2243-k3f9",
        env="local",
        git_sha="1b98e3c09d5f8cdd8a2b7c85d03bd3b9c55e1c55",
        started_at="2026-11-20T22:43:07+00:00",
        timings={
            "build": 0.31,
            "up": 12.4,
            "smoke": 3.1,
            "tune": 21.7,
            "load": 31.2,
            "gate": 0.02,
            "report": 0.7,
            "down": 7.9,
        },
        name_prefix="dyno-261120-2243-k3f9",
        outputs={
            "account_id": "123456789012",
            "api_authorization": "NONE",
            "function_name": "dyno-261120-2243-k3f9-crud",
            "memory_mb": 128,
            "region": "us-east-2",
        },
        settings={
            "environment": {"name": "dyno", "emulated": False, "lifetime_hours": 4.0},
            "tuning": {
                "power_values": sorted(MEASURED),
                "num": 20,
                "strategy": "balanced",
                "payload": None,
            },
            "load": {"virtual_users": 10, "duration_s": 15.0},
            "slo": SLO.model_dump(),
            "report": {"title": "Lambda Dyno", "png": True},
        },
        smoke=SmokeResult(requests=34, assertions=120, failures=()),
        tuning=TUNING,
        load=LOAD,
        verdict=VERDICT,
        leftovers=(),
    )
    return replace(result, **changes)


def many_sizes() -> TuningResult:
    """A tuning of 46 power values, 128 to 3008 in steps of 64, one of them excluded."""
    powers = range(128, 3009, 64)
    details = [
        excluded(power, "Runtime.OutOfMemory: signal: killed")
        if power == 128
        else detail(power, 2400 * 128 / min(power, 1769) + 12)
        for power in powers
    ]
    return tuning(*details, power=1792, current=128)
