"""How long short functions take below one vCPU, where duration comes in steps of 20 ms.

The law is the embedded AWS's own (`cfs`): CPU time is handed out by the period. Unlike the
curves of `shapes` these have no free level: CPU time alone says how long they take. Following the
periods takes a tenth of a millisecond for each curve and size, a thousand of which a decision may
look at, so it was done beforehand: `stairs.bin`, which `make docs` writes (`tools.stairs_table`).
"""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from lambda_dyno.tuner_policy import sizes
from lambda_dyno.tuner_policy.shapes import MB_PER_VCPU

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

# The table: for each size, ascending, ln(duration in ms) of each row, in parts of `UNITS`, as
# unsigned 16 bit integers, little endian.
TABLE = Path(__file__).with_name("stairs.bin")
TABLE_MB = sizes.stepped()
UNITS = 4096


def possible(log_ms: Mapping[int, float]) -> list[int]:
    """Return the indices of the rows that could take as long, ln(ms) by memory size."""
    measured = [
        (min(1.0, memory_mb / MB_PER_VCPU), math.exp(value)) for memory_mb, value in log_ms.items()
    ]
    return [
        index
        for index, row in enumerate(ROWS)
        if all(_can_take(row, share, ms) for share, ms in measured)
    ]


def _can_take(row: Row, share: float, took_ms: float) -> bool:
    cpu_ms, wait_ms = row
    least_ms = (cpu_ms + wait_ms) / _SLACK
    most_ms = (cpu_ms / share + wait_ms + PERIOD_MS) * _SLACK
    return least_ms <= took_ms <= most_ms


@lru_cache(maxsize=256)
def at(memory_mb: int) -> tuple[float, ...]:
    """Return ln(duration in ms) at a memory size, for each of `ROWS`.

    Where a step ends is known to a per cent only, so half of it is that of a size so much smaller:
    the very edge of a step is no place to stay. A line between the table's sizes will do.
    """
    return tuple(of(range(len(ROWS)), memory_mb))


def of(rows: Sequence[int], memory_mb: int) -> list[float]:
    """Return the same for some of `ROWS`, by their indices."""
    if memory_mb >= TABLE_MB[-1]:
        return [math.log(sum(ROWS[row])) for row in rows]
    above = max(1, bisect_right(TABLE_MB, memory_mb))
    low_mb, high_mb = TABLE_MB[above - 1], TABLE_MB[above]
    low = map(_column(above - 1).__getitem__, rows)
    if memory_mb == low_mb:
        return [one / UNITS for one in low]
    high = map(_column(above).__getitem__, rows)
    share = math.log(memory_mb / low_mb) / math.log(high_mb / low_mb)
    return [(one + share * (other - one)) / UNITS for one, other in zip(low, high, strict=True)]


def _column(index: int) -> array[int]:
    return table()[index * len(ROWS) : (index + 1) * len(ROWS)]


@lru_cache(maxsize=1)
def table() -> array[int]:
    """Return what is in `TABLE`."""
    values = array("H", TABLE.read_bytes())
    if sys.byteorder == "big":
        values.byteswap()
    return values
