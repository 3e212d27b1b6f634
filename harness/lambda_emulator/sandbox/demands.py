"""What each kind of event of a code needs of CPU time, as all its runs on this machine found.

A hundred invocations of one run know their level to 3 to 4 %, and at an edge of the 20 ms staircase
1 % of it is 4 % of a size's mean. So the level is remembered beyond a run, and one run is a tenth
of it, until a run clearly needs something else: other data, another machine's speed.
"""

from __future__ import annotations

import fcntl
import math
import os
from collections.abc import Mapping

_MOST_WEIGHT = 120.0  # invocations, such as ten runs' of one kind of event
_MOST_EVENTS = 64
_MOST_BYTES = 8192
# Beyond both, it is something else: a level, and its standard errors. One machine's own state moved
# the level of one code by 17 % within minutes, beside one busy process, which spins did not tell.
# In 300 tunings drawn anew in blocks from a real one, a level varied 2.9 times as much as
# independent invocations would have it.
_CHANGED = 0.25
_CLEARLY = 6.0
_OWN_ERROR = 0.035  # of one run's level where the core has its usual speed


class Demands:
    """Levels by kind of event, in a file that outlives this process, if there is a place for it."""

    def __init__(self, path: str) -> None:
        """Begin; nothing is read or made yet. An empty path is no place."""
        self._path = path

    def settled(
        self,
        levels_ms: Mapping[bytes, float],
        own: bytes,
        weight: float,
        error: float,
        doubt: float = 0.0,
    ) -> float:
        """Return the level of an event, and remember what this run says of it.

        Args:
            levels_ms: What this run says, by kind of event.
            own: The event.
            weight: How much of a full sample this run's is, from 0 to 1; with less than a full one
                nothing is forgotten.
            error: Relative standard error of the levels, if invocations were independent.
            doubt: What may be wrong with all of them, relatively, as the core was slower than
                usual and they are set right for it: such a run says less.
        """
        now_ms = levels_ms[own]
        if not self._path:
            return now_ms
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return now_ms
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            known = _parse(os.pread(file, _MOST_BYTES, 0))
            if _differs(levels_ms, known) > max(_CHANGED, _CLEARLY * error) + doubt:
                if weight < 1.0:
                    return now_ms  # it may be this moment of the machine's alone
                known = {}
            weight *= _OWN_ERROR**2 / (_OWN_ERROR**2 + doubt**2)
            before_ms, before = known.pop(own, (now_ms, 0.0))
            level_ms = before_ms + (now_ms - before_ms) * weight / (before + weight)
            known[own] = level_ms, min(_MOST_WEIGHT, before + weight)  # the last one: it is used
            content = _text(known)
            os.pwrite(file, content, 0)
            os.ftruncate(file, len(content))
        except OSError:  # another environment has it, or the disk is full
            return now_ms
        finally:
            os.close(file)
        return level_ms


def _differs(levels_ms: Mapping[bytes, float], known: Mapping[bytes, tuple[float, float]]) -> float:
    """Return by how much a run's levels are others than are known, all its events together."""
    both = [
        math.log(level / known[event][0]) for event, level in levels_ms.items() if event in known
    ]
    return abs(sum(both) / len(both)) if both else 0.0


def _parse(content: bytes) -> dict[bytes, tuple[float, float]]:
    """Return level and weight by kind of event; what is no line of them is left out."""
    found = {}
    for line in content.decode("ascii", "replace").splitlines():
        try:
            event, level_ms, weight = line.split()
            numbers = float(level_ms), float(weight)
            if all(0 < number < 1e7 for number in numbers):
                found[bytes.fromhex(event)] = numbers
        except ValueError:
            continue
    return found


def _text(known: Mapping[bytes, tuple[float, float]]) -> bytes:
    lines = [
        f"{event.hex()} {level:.6f} {weight:.3f}\n" for event, (level, weight) in known.items()
    ]
    return "".join(lines[-_MOST_EVENTS:]).encode()
