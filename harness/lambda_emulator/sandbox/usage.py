"""What an invocation has used so far, seen from outside: for those that have not answered.

The meter within tells more, but only with an answer. Linux tells of living threads what they ran
and what they waited for a core; elsewhere it is the process's CPU time, and the rest is waiting.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

from lambda_emulator.meter_path.dyno_meter.cfs import CPU, WAIT
from lambda_emulator.sandbox import tree
from lambda_emulator.sandbox.worker import Worker


class Usage:
    """One invocation's CPU time and time in run queues, of the worker and all that it started."""

    def __init__(self, worker: Worker) -> None:
        """Begin with an invocation."""
        self._worker = worker
        self._begun = time.monotonic()
        self._own_s = worker.cpu_s()
        self._before = self._threads()
        self._seen: dict[int, tuple[int, int, bool]] = {}

    def look(self) -> None:
        """Note what threads have used: of one that ends nobody can tell any more."""
        self._seen |= self._threads()

    def _threads(self) -> dict[int, tuple[int, int, bool]]:
        """Return ns run and ns waited by thread, and whether it is one of the worker's own."""
        found: dict[int, tuple[int, int, bool]] = {}
        if self._worker.ended is not None:
            return found
        for pid in (self._worker.pid, *tree.below(self._worker.pid)):
            with contextlib.suppress(OSError, ValueError):
                for thread in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{thread}/schedstat", "rb", buffering=0) as file:
                        ran, waited, _ = file.read().split()
                    found[int(thread)] = int(ran), int(waited), pid == self._worker.pid
        return found

    def steps(self) -> list[Any]:
        """Return what was done so far as the CPU model takes it: work, then a wait."""
        self.look()
        wall_ms = (time.monotonic() - self._begun) * 1e3
        # the worker's own clock also has its threads and children that have ended
        cpu_ms = (self._worker.cpu_s() - self._own_s) * 1e3
        queue_ms = 0.0
        for thread, (ran, waited, own) in self._seen.items():
            ran_before, waited_before, _ = self._before.get(thread, (0, 0, own))
            queue_ms += (waited - waited_before) / 1e6
            if not own and os.path.isdir(f"/proc/{thread}"):
                cpu_ms += (ran - ran_before) / 1e6
        busy_ms = cpu_ms + queue_ms
        width = max(1.0, busy_ms / max(wall_ms, 1e-3))
        return [(CPU, cpu_ms, width), (WAIT, max(0.0, wall_ms - busy_ms / width))]
