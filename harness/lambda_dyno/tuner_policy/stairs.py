"""How long short functions take below one vCPU, where duration comes in steps of 20 ms.

The law is the embedded AWS's own (`cfs`): CPU time is handed out by the period. Unlike the
curves of `shapes` these have no free level: CPU time alone says how long they take.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

from lambda_dyno.tuner_policy import sizes
from lambda_dyno.tuner_policy.shapes import MB_PER_VCPU
from lambda_emulator.meter_path.dyno_meter.cfs import CPU, WAIT, duration_ms

_LEAST_CPU_MS, _MOST_CPU_MS, _RATIO = 2.0, 260.0, 1.035
_WAITS = (0.0, 0.15, 0.4)  # of the CPU time
PERIOD_MS = 20.0
_SLACK = 1.15  # noise, and what the law does not know

Row = tuple[float, float]  # CPU time and waiting in ms


def _rows() -> tuple[Row, ...]:
    steps = int(math.log(_MOST_CPU_MS / _LEAST_CPU_MS) / math.log(_RATIO)) + 1
    cpu_ms = [_LEAST_CPU_MS * _RATIO**step for step in range(steps)]
    return tuple((cpu, waits * cpu) for cpu in cpu_ms for waits in _WAITS)


ROWS = _rows()


def possible(log_ms: Mapping[int, float]) -> list[Row]:
    """Return the rows that could take as long as was measured, ln(ms) by memory size."""
    measured = [
        (min(1.0, memory_mb / MB_PER_VCPU), math.exp(value)) for memory_mb, value in log_ms.items()
    ]
    return [row for row in ROWS if all(_can_take(row, share, ms) for share, ms in measured)]


def _can_take(row: Row, share: float, took_ms: float) -> bool:
    cpu_ms, wait_ms = row
    least_ms = (cpu_ms + wait_ms) / _SLACK
    most_ms = (cpu_ms / share + wait_ms + PERIOD_MS) * _SLACK
    return least_ms <= took_ms <= most_ms


def log_ms(row: Row, memory_mb: int) -> float:
    """Return ln(duration in ms) of a row at a memory size.

    Where a step ends is known to a few per cent only, so half of it is the next smaller size's:
    the very edge of a step is no place to stay.
    """
    smaller_mb = round(memory_mb / sizes.STAIRS_RATIO)
    return math.log((_duration_ms(row, memory_mb) + _duration_ms(row, smaller_mb)) / 2)


@lru_cache(maxsize=65_536)
def _duration_ms(row: Row, memory_mb: int) -> float:
    cpu_ms, wait_ms = row
    if memory_mb >= MB_PER_VCPU:
        return cpu_ms + wait_ms
    return duration_ms(((CPU, cpu_ms, 1), (WAIT, wait_ms)), memory_mb)[0]
