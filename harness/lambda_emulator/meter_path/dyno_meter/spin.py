"""A short piece of work that is always the same: how fast the core is at the moment.

sandbox/steady.py tells what it is for.
"""

from __future__ import annotations

import json
import resource

from .clocks import Clocks

_ROUNDS = 600
_INTERRUPTED = 1.25
_DOCUMENT = json.dumps([{"id": f"item-{i}", "n": i, "price": i * 1.5} for i in range(24)])


class _Json:
    """The functions as they were before any function could replace them."""

    dumps = staticmethod(json.dumps)
    loads = staticmethod(json.loads)


def spin_ms() -> float:
    """Do the piece of work, of an interpreter and of C code; return its CPU time.

    In two halves, of which the faster counts alone if they differ: an interrupt is no slow core.
    """
    _Json.loads(_DOCUMENT)  # what has just run has left other things in the caches
    faster_ms, slower_ms = sorted((_half_ms(), _half_ms()))
    return faster_ms + (slower_ms if slower_ms < _INTERRUPTED * faster_ms else faster_ms)


def _half_ms() -> float:
    begin = Clocks.thread_ns()
    total = 0
    seen = {}
    for i in range(_ROUNDS):
        seen[i & 63] = total
        total += i * i % 7
    for _ in range(2):
        _Json.dumps(_Json.loads(_DOCUMENT))
    return (Clocks.thread_ns() - begin) / 1e6


def switches() -> int:
    """Return how often the process was made to leave its core."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
