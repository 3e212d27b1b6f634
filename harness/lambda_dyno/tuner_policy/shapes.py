"""How duration may depend on memory: some hundreds of curves, each known but for its level.

A curve is ln(duration) over memory, relative to one vCPU (1,769 MB, AWS's guide "Configure Lambda
function memory"). A share `waits` of the time is the same at every size, the rest is CPU time:
as much slower as the share of a vCPU is smaller, and faster above one vCPU only as far as
threads use more of them (Amdahl's law). Near its limit a runtime collects garbage or pages:
`pressure` makes small sizes slower than that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

MB_PER_VCPU = 1769

_WAITS = (0, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 0.9, 0.97, 1)
# Of the work above one vCPU: the part that threads share, and how many threads there are. A runtime
# whose collector or compiler works beside one thread uses a little more than one vCPU.
_ONE_THREAD = (0.0, 1.0)
_THREADS = (
    _ONE_THREAD,
    *((part, 6.0) for part in (0.25, 0.5, 0.75, 0.9, 0.97, 1.0)),
    *((1.0, threads) for threads in (1.15, 1.45, 2.0, 3.0, 4.0)),
)
_MOST_WAITS_OF_THREADS = 0.6  # above, threads make no difference that could be measured
_PRESSURES = (0.0, 0.15, 0.5)
_STRONG_PRESSURES = (1.5, 4.0)  # of one thread only
_MOST_WAITS_UNDER_PRESSURE = 0.97
_OF_ONE_THREAD, _OF_THREADS = 0.5, 0.5 / (len(_THREADS) - 1)
_OF_PRESSURE = {0.0: 0.5, 0.15: 0.2, 0.5: 0.15, 1.5: 0.075, 4.0: 0.075}

Row = tuple[float, float, float, float]  # waits, parallel part, threads, pressure


def _rows() -> tuple[Row, ...]:
    rows = []
    for waits in _WAITS:
        for part, threads in _THREADS:
            if part and waits > _MOST_WAITS_OF_THREADS:
                continue
            strong = () if part else _STRONG_PRESSURES
            rows += [
                (waits, part, threads, pressure)
                for pressure in (*_PRESSURES, *strong)
                if not pressure or waits <= _MOST_WAITS_UNDER_PRESSURE
            ]
    return tuple(rows)


ROWS = _rows()


# Of each row: the share that waits, the rest, and which of `_SLOWDOWNS` the rest has.
_SLOWDOWNS = tuple(dict.fromkeys(row[1:] for row in ROWS))
_PARTS = tuple((row[0], 1 - row[0], _SLOWDOWNS.index(row[1:])) for row in ROWS)


@lru_cache(maxsize=256)
def at(memory_mb: int) -> tuple[float, ...]:
    """Return ln(duration relative to one vCPU) at a memory size, for each of `ROWS`."""
    return tuple(of(range(len(ROWS)), memory_mb))


def of(rows: Iterable[int], memory_mb: int) -> list[float]:
    """Return the same for some of `ROWS`, by their indices."""
    vcpus = memory_mb / MB_PER_VCPU
    squeezed = (128 / memory_mb) ** 2
    slower = [
        (1 / vcpus if vcpus < 1 else 1 - part + part / min(vcpus, threads))
        * (1 + pressure * squeezed)
        for part, threads, pressure in _SLOWDOWNS
    ]
    log = math.log
    some = map(_PARTS.__getitem__, rows)
    return [log(waits + works * slower[index]) for waits, works, index in some]


def _weights() -> tuple[float, ...]:
    """Return how likely each row is before anything was measured; they add up to 1.

    Half of all functions use one thread, and half feel no pressure: what fits either half of the
    project's curves best (expectation maximisation), rounded.
    """
    raw = [
        (_OF_ONE_THREAD if (part, threads) == _ONE_THREAD else _OF_THREADS) * _OF_PRESSURE[pressure]
        for _, part, threads, pressure in ROWS
    ]
    total = sum(raw)
    return tuple(value / total for value in raw)


LOG_WEIGHTS = tuple(math.log(weight) for weight in _weights())
