"""What a load test measured: its samples to one result, and whether it can be trusted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.results import LoadResult, Moment, RequestLoad, Sample
from lambda_dyno.core.samples import latency_stats, read_samples
from lambda_dyno.load.driver import DriverReport
from lambda_dyno.load.schedule import describe

# Above these, figures measure this machine. postman/README.md has the measurements behind them.
DRIVER_CPU_LIMIT = 0.8
MACHINE_CPU_LIMIT = 0.9
LOOP_DELAY_LIMIT_MS = 15.0
LOOP_DELAY_LIMIT_OF_P50 = 0.1  # a slow API hides a delay that distorts a fast one


def summarise(
    samples: Sequence[Sample],
    report: DriverReport,
    profile: LoadSettings,
    *,
    label: str,
    memory_mb: int,
    samples_path: str = "",
    left_out: Sequence[Sample] = (),
) -> LoadResult:
    """Return the result of a load test.

    Its latencies are the samples' response times, so an open loop's waits are in them.

    Args:
        samples: Every request that counts, in any order.
        report: How long it took and how busy everything was.
        profile: What was asked for.
        label: "current" or "recommended".
        memory_mb: Memory size of the function.
        samples_path: Where the samples are, for the reader.
        left_out: The requests of the warm-up.
    """
    kinds = Counter(sample.error for sample in samples if sample.error)
    latency = latency_stats(sample.response_ms for sample in samples if sample.answered)
    measured_s = report.elapsed_s - profile.warm_up_s
    return LoadResult(
        label=label,
        memory_mb=memory_mb,
        virtual_users=profile.virtual_users,
        ramp_up_s=profile.ramp_up_s,
        duration_s=report.elapsed_s,
        requests=len(samples),
        errors=kinds.total(),
        errors_by_kind=dict(sorted(kinds.items())),
        latency_ms=latency,
        requests_per_s=len(samples) / measured_s if measured_s > 0 else 0.0,
        driver_cpu_ratio=report.cpu_ratio,
        machine_cpu_ratio=report.machine_cpu_ratio,
        saturated=saturation(report, latency.p50 if latency else 0.0),
        samples_path=samples_path,
        loop=profile.loop,
        profile=describe(profile),
        arrivals_per_s=profile.arrivals_per_s,
        warm_up_s=profile.warm_up_s,
        warm_up_requests=len(left_out),
        warm_up_errors=sum(bool(sample.error) for sample in left_out),
        round_trip_ms=report.round_trip_ms,
        probe=report.probe,
        by_request=by_request(samples),
        timeline=timeline(samples),
    )


_MOMENTS_MAX = 60
_REQUESTS_MAX = 200  # of a collection that makes names anew, the others are not told apart


def by_request(samples: Sequence[Sample]) -> tuple[RequestLoad, ...]:
    """Return what each request of the collection took, in the order of their first samples."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.request, []).append(sample)
    return tuple(_of_request(name, own) for name, own in list(groups.items())[:_REQUESTS_MAX])


def _of_request(name: str, samples: Sequence[Sample]) -> RequestLoad:
    answered = [sample.response_ms for sample in samples if sample.answered]
    stats = latency_stats(answered)
    figures = (stats.p50, stats.p95, stats.max) if stats else (None, None, None)
    return RequestLoad(name, len(samples), sum(bool(s.error) for s in samples), *figures)


def timeline(samples: Sequence[Sample]) -> tuple[Moment, ...]:
    """Return how rate, latency and errors went, in at most 60 parts of whole seconds."""
    if not samples:
        return ()
    first_s = math.floor(min(sample.start_ms for sample in samples) / 1000)
    last_s = max(sample.start_ms for sample in samples) / 1000
    width_s = max(1, math.ceil((last_s - first_s + 1e-9) / _MOMENTS_MAX))
    parts: list[list[Sample]] = [[] for _ in range(int((last_s - first_s) // width_s) + 1)]
    for sample in samples:
        parts[int((sample.start_ms / 1000 - first_s) // width_s)].append(sample)
    # the last part is seldom a whole one, whose rate would be too low
    if len(parts) > 1 and last_s - first_s < (len(parts) - 0.5) * width_s:
        parts.pop()
    return tuple(
        _moment(first_s + index * width_s, width_s, own) for index, own in enumerate(parts)
    )


def _moment(start_s: float, width_s: float, samples: Sequence[Sample]) -> Moment:
    stats = latency_stats(sample.response_ms for sample in samples if sample.answered)
    errors = sum(bool(sample.error) for sample in samples)
    p50_ms, p95_ms = (stats.p50, stats.p95) if stats else (None, None)
    return Moment(float(start_s), len(samples) / width_s, errors, p50_ms, p95_ms)


def saturation(report: DriverReport, p50_ms: float) -> str:
    """Return in a sentence why a load test measured this machine, or an empty string.

    Args:
        report: How busy everything was.
        p50_ms: Median latency that was measured.
    """
    found = []
    cpu, delay_ms = report.cpu_ratio, report.loop_delay_p99_ms
    delay_limit_ms = max(LOOP_DELAY_LIMIT_MS, LOOP_DELAY_LIMIT_OF_P50 * p50_ms)
    if report.machine_cpu_ratio > MACHINE_CPU_LIMIT:
        found.append(f"this machine was {100 * report.machine_cpu_ratio:.0f} % busy")
    if cpu > DRIVER_CPU_LIMIT:
        found.append(f"the load driver used {100 * cpu:.0f} % of its core")
    if delay_ms > delay_limit_ms:
        found.append(f"one in a hundred of the load driver's timers was {delay_ms:.0f} ms late")
    if not found:
        return ""
    return (
        f"{' and '.join(found)}, so the figures measure this machine and not the API; "
        "use fewer users or more pacing_ms"
    )


def without_warm_up(
    samples: Sequence[Sample], warm_up_s: float
) -> tuple[list[Sample], list[Sample]]:
    """Return the samples that count, and those of the first seconds, when everything is cold."""
    counted = [sample for sample in samples if sample.start_ms >= warm_up_s * 1000]
    return counted, [sample for sample in samples if sample.start_ms < warm_up_s * 1000]


def appended(first: Sequence[Sample], second: Sequence[Sample]) -> list[Sample]:
    """Return the samples of two tests as those of one: later, and by users of their own.

    A user of the second test has another connection than one of the first.
    """
    later_ms = max((s.start_ms + s.latency_ms for s in first), default=0.0)
    users = max((s.user for s in first), default=-1) + 1
    return [
        *first,
        *(
            replace(s, start_ms=s.start_ms + later_ms, user=s.user + users if s.user >= 0 else -1)
            for s in second
        ),
    ]


def take_parts(folder: Path, name: str) -> list[Sample]:
    """Read what a driver wrote of a test, and remove it."""
    samples = read_samples(_parts(folder, name))
    remove_parts(folder, name)
    return samples


def remove_parts(folder: Path, name: str) -> None:
    """Remove what a driver wrote of a test."""
    for part in _parts(folder, name):
        part.unlink()


def _parts(folder: Path, name: str) -> list[Path]:
    return sorted(folder.glob(f"{name}-*.part.jsonl"))
