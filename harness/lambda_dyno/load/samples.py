"""What a load test measured: samples on disk to one result, and whether it can be trusted.

The driver writes a JSON line per request:

    {"start_ms": 12.3, "latency_ms": 8.1, "wait_ms": 0, "user": 0, "iteration": 0,
     "request": "create", "status": 200, "error": ""}

`start_ms` counts from the beginning of the test. `status` is 0 without an answer, and
`latency_ms` is then the time until it was given up. `error` is empty when all is well:
docs/collections.md says what is not. A sample is a request of the collection; what its scripts
send is none.
`wait_ms` is 0 in a closed loop. In an open loop it is how long the iteration that begins with
this request was overdue because all users were busy; an iteration that nobody came to is a
sample with the error "unserved".
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.files import named
from lambda_dyno.core.results import LatencyStats, LoadResult, Sample
from lambda_dyno.load.schedule import in_words

# Above these, figures measure this machine. postman/README.md has the measurements behind them.
DRIVER_CPU_LIMIT = 0.8
MACHINE_CPU_LIMIT = 0.9
LOOP_DELAY_LIMIT_MS = 15.0
LOOP_DELAY_LIMIT_OF_P50 = 0.1  # a slow API hides a delay that distorts a fast one


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How far a load test is."""

    elapsed_s: float
    duration_s: float
    requests: int
    errors: int
    active_users: int


@dataclass(frozen=True, slots=True)
class DriverUsage:
    """How busy one driver process was."""

    cpu_ratio: float  # of one core
    loop_delay_p99_ms: float  # how late its timers fired


@dataclass(frozen=True, slots=True)
class Drive:
    """What a load test used: the part of a result that the samples do not tell."""

    elapsed_s: float
    drivers: tuple[DriverUsage, ...]
    machine_cpu_ratio: float
    round_trip_ms: float | None = None

    @classmethod
    def of(cls, done: Mapping[str, Any], machine_cpu_ratio: float) -> Drive:
        """Make it from the driver's last event."""
        return cls(
            elapsed_s=float(done["elapsed_s"]),
            drivers=tuple(
                DriverUsage(float(p["cpu_ratio"]), float(p["loop_delay_p99_ms"]))
                for p in done["processes"]
            ),
            machine_cpu_ratio=machine_cpu_ratio,
            round_trip_ms=done.get("round_trip_ms") or None,
        )


def summarise(
    samples: Sequence[Sample],
    drive: Drive,
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
        drive: How long it took and how busy everything was.
        profile: What was asked for.
        label: "current" or "recommended".
        memory_mb: Memory size of the function.
        samples_path: Where the samples are, for the reader.
        left_out: The requests of the warm-up.
    """
    kinds = Counter(sample.error for sample in samples if sample.error)
    latency = LatencyStats.of(sample.response_ms for sample in samples if sample.answered)
    measured_s = drive.elapsed_s - profile.warm_up_s
    return LoadResult(
        label=label,
        memory_mb=memory_mb,
        virtual_users=profile.virtual_users,
        ramp_up_s=profile.ramp_up_s,
        duration_s=drive.elapsed_s,
        requests=len(samples),
        errors=kinds.total(),
        errors_by_kind=dict(sorted(kinds.items())),
        latency_ms=latency,
        requests_per_s=len(samples) / measured_s if measured_s > 0 else 0.0,
        driver_cpu_ratio=max((driver.cpu_ratio for driver in drive.drivers), default=0.0),
        machine_cpu_ratio=drive.machine_cpu_ratio,
        saturated=saturation(drive, latency.p50 if latency else 0.0),
        samples_path=samples_path,
        loop=profile.loop,
        profile=in_words(profile),
        arrivals_per_s=profile.arrivals_per_s,
        warm_up_s=profile.warm_up_s,
        warm_up_requests=len(left_out),
        warm_up_errors=sum(bool(sample.error) for sample in left_out),
        round_trip_ms=drive.round_trip_ms,
    )


def saturation(drive: Drive, p50_ms: float) -> str:
    """Return in a sentence why a load test measured this machine, or an empty string.

    Args:
        drive: How busy everything was.
        p50_ms: Median latency that was measured.
    """
    found = []
    cpu = max((driver.cpu_ratio for driver in drive.drivers), default=0.0)
    delay_ms = max((driver.loop_delay_p99_ms for driver in drive.drivers), default=0.0)
    delay_limit_ms = max(LOOP_DELAY_LIMIT_MS, LOOP_DELAY_LIMIT_OF_P50 * p50_ms)
    if drive.machine_cpu_ratio > MACHINE_CPU_LIMIT:
        found.append(f"this machine was {drive.machine_cpu_ratio:.0%} busy")
    if cpu > DRIVER_CPU_LIMIT:
        found.append(f"the load driver used {cpu:.0%} of its core")
    if delay_ms > delay_limit_ms:
        found.append(f"one in a hundred of the load driver's timers was {delay_ms:.0f} ms late")
    if not found:
        return ""
    return (
        f"{' and '.join(found)}, so the figures measure this machine and not the API; "
        "use fewer users or more pacing_ms"
    )


def after_warm_up(samples: Iterable[Sample], warm_up_s: float) -> list[Sample]:
    """Return the samples without those of the first seconds, in which everything is cold."""
    return [sample for sample in samples if sample.start_ms >= warm_up_s * 1000]


def during_warm_up(samples: Iterable[Sample], warm_up_s: float) -> list[Sample]:
    """Return the samples that `after_warm_up` leaves out."""
    return [sample for sample in samples if sample.start_ms < warm_up_s * 1000]


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


def read_samples(paths: Iterable[Path]) -> list[Sample]:
    """Read sample files and return their samples in the order in which they started.

    A last line that was cut off, by a full disk or a killed driver, is left out.

    Raises:
        ValueError: Another line is not a sample.
    """
    samples = [sample for path in paths for sample in _samples_of(path)]
    return sorted(samples, key=lambda sample: (sample.start_ms, sample.user))


def _samples_of(path: Path) -> Iterator[Sample]:
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    cut_off = lines.pop()  # "" after a complete last line
    for number, line in enumerate(lines, start=1):
        try:
            yield Sample(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: not a sample: {error}") from error
    if cut_off:
        try:
            yield Sample(**json.loads(cut_off))
        except (ValueError, TypeError):
            return


def write_samples(samples: Iterable[Sample], path: Path) -> None:
    """Write samples, a JSON object a line."""
    with named(path), path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(sample)) + "\n" for sample in samples)
