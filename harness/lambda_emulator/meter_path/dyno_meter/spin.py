"""A short piece of work that is always the same: how fast the core is at the moment.

sandbox/steady.py tells what it is for.
"""

from __future__ import annotations

import json

from .clocks import Clocks

_ROUNDS = 1200
_DOCUMENT = json.dumps([{"id": f"item-{i}", "n": i, "price": i * 1.5} for i in range(24)])


class _Json:
    """The functions as they were before any function could replace them."""

    dumps = staticmethod(json.dumps)
    loads = staticmethod(json.loads)


def spin_ms() -> float:
    """Do the piece of work, of an interpreter and of C code; return its CPU time."""
    _Json.loads(_DOCUMENT)  # what has just run has left other things in the caches
    begin = Clocks.thread_ns()
    total = 0
    seen = {}
    for i in range(_ROUNDS):
        seen[i & 63] = total
        total += i * i % 7
    for _ in range(4):
        _Json.dumps(_Json.loads(_DOCUMENT))
    return (Clocks.thread_ns() - begin) / 1e6
