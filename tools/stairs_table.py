"""Write the tuner's table of short functions' durations, by the embedded AWS's law of CPU time."""

from __future__ import annotations

import math
import sys
from array import array

from lambda_dyno.tuner_policy import stairs
from lambda_dyno.tuner_policy.shapes import MB_PER_VCPU
from lambda_emulator.meter_path.dyno_meter.cfs import CPU, WAIT, duration_ms

# How well the law knows where a step ends. Twice and four times as much cost short functions that
# follow it 2 % more, and made no more statements true.
_EDGE = 1.01


def log_ms(row: stairs.Row, memory_mb: int) -> float:
    """Return ln(duration in ms) of a row at a memory size, half of it a slightly smaller one's."""
    smaller_mb = round(memory_mb / _EDGE)
    return math.log((_duration_ms(row, memory_mb) + _duration_ms(row, smaller_mb)) / 2)


def _duration_ms(row: stairs.Row, memory_mb: int) -> float:
    cpu_ms, wait_ms = row
    if memory_mb >= MB_PER_VCPU:
        return cpu_ms + wait_ms
    return duration_ms(((CPU, cpu_ms, 1), (WAIT, wait_ms)), memory_mb)[0]


def content() -> bytes:
    """Return the table as it is to be."""
    values = array(
        "H",
        (
            round(stairs.UNITS * log_ms(row, memory_mb))
            for memory_mb in stairs.TABLE_MB
            for row in stairs.ROWS
        ),
    )
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


if __name__ == "__main__":
    stairs.TABLE.write_bytes(content())
