"""A short piece of work that is always the same: how fast the core is at the moment.

sandbox/steady.py tells what it is for.
"""

from __future__ import annotations

import json

from .clocks import Clocks


def _document(first: int) -> str:
    items = range(first, first + 24)
    return json.dumps([{"id": f"item-{i}", "n": i, "price": i * 1.5} for i in items])


_DOCUMENTS = [_document(first) for first in (0, 24, 48)]
_CELLS = [[float(i), i + 0.5] for i in range(500)]
_HEAP = [_CELLS[i * 197 % len(_CELLS)] for i in range(len(_CELLS))]  # not in the order of memory


class _Json:
    """The function as it was before any function could replace it."""

    loads = staticmethod(json.loads)


def spin_ms() -> float:
    """Do the piece of work, of C code and of an interpreter; return its CPU time.

    It begins as the core is found: what a function's work meets, too, are caches that others have
    used meanwhile. Of twelve tunings beside busy processes its mean tells the CPU time's with a
    slope of one and an error of 1.3 %; the same work repeated until it is fast tells nothing of it.
    """
    begin = Clocks.thread_ns()
    for document in _DOCUMENTS:
        _Json.loads(document)
    total = 0.0
    for cell in _HEAP:
        total += cell[0]
    return (Clocks.thread_ns() - begin) / 1e6
