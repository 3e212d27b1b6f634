"""The requests of a load test on disk.

A load driver writes NAME-*.part.jsonl, in as many parts as it likes, with a JSON line per request:

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
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

from lambda_dyno.core.files import named
from lambda_dyno.core.reading import UnreadableError, read_bytes
from lambda_dyno.core.results import LatencyStats, Sample
from lambda_dyno.statistics.stats import percentile

# Three rounds of an hour at 600 requests/s, more than one machine makes.
_MOST_BYTES = 1_000_000_000
_NOT_A_SAMPLE = (ValueError, TypeError, RecursionError)


def read_samples(paths: Iterable[Path]) -> list[Sample]:
    """Read sample files and return their samples in the order in which they started.

    A last line that was cut off, by a full disk or a killed driver, is left out.

    Raises:
        UnreadableError: A file cannot be read, or another line is not a sample.
    """
    samples = [sample for path in paths for sample in _samples_of(path)]
    return sorted(samples, key=lambda sample: (sample.start_ms, sample.user))


def _samples_of(path: Path) -> Iterator[Sample]:
    lines = read_bytes(path, most_bytes=_MOST_BYTES).split(b"\n")
    cut_off = lines.pop()  # empty after a complete last line
    for number, line in enumerate(lines, start=1):
        try:
            yield Sample(**json.loads(line))
        except _NOT_A_SAMPLE as error:
            where = f"{path}, line {number}"
            raise UnreadableError(where, f"not a sample: {error}") from error
    with suppress(*_NOT_A_SAMPLE):
        yield Sample(**json.loads(cut_off))


def write_samples(samples: Iterable[Sample], path: Path) -> None:
    """Write samples, a JSON object a line."""
    with named(path), path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(sample)) + "\n" for sample in samples)


def percentiles_ms(latencies_ms: Iterable[float], shares: Iterable[float]) -> list[float]:
    """Return the percentiles of latencies in any order, a share being 0 to 1."""
    ordered = sorted(latencies_ms)
    return [percentile(ordered, share) for share in shares]


def latency_stats(latencies_ms: Iterable[float]) -> LatencyStats | None:
    """Return the summary of latencies in any order, or None if there is none."""
    ordered = sorted(latencies_ms)
    if not ordered:
        return None
    p50, p90, p95, p99 = percentiles_ms(ordered, (0.5, 0.9, 0.95, 0.99))
    return LatencyStats(mean=fmean(ordered), p50=p50, p90=p90, p95=p95, p99=p99, max=ordered[-1])
