"""What is left of an invocation's timeout, told thousands of times at no cost to the function.

To run the model over all steps so far takes a millisecond and more as they grow, so it is done
seldom: between two runs the time goes on by the function's own CPU time at its share of a core, and
by what it waited. AWS's own answer is a look at the clock.
"""

from __future__ import annotations

from .cfs import MB_PER_VCPU
from .clocks import Clocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LEAST_MS = 5.0  # between two runs of the model
_TIMES_ITS_COST = 50.0  # or as much longer as it takes: at most 2 % of the machine's time


class Remaining:
    """Tells how much of one invocation's timeout is left, on the modelled clock."""

    def __init__(self, timeout_ms: float, memory_mb: int, elapsed: Callable[[], float]) -> None:
        """Begin with an invocation.

        Args:
            timeout_ms: The function's timeout.
            memory_mb: Its memory size.
            elapsed: Runs the model; returns the milliseconds that AWS would have taken so far.
        """
        self._timeout_ms = timeout_ms
        self._pace = max(1.0, MB_PER_VCPU / memory_mb)
        self._elapsed = elapsed
        self._known_ms = 0.0
        self._told_ms = 0.0
        self._cost_ms = 0.0
        self._wall_ms, self._cpu_ms = _now()

    def ms(self) -> float:
        """Return the milliseconds left; never more than the last time."""
        wall_ms, cpu_ms = _now()
        since_ms = wall_ms - self._wall_ms
        if since_ms > max(_LEAST_MS, _TIMES_ITS_COST * self._cost_ms):
            self._known_ms = self._elapsed()
            self._wall_ms, self._cpu_ms = _now()
            self._cost_ms = self._wall_ms - wall_ms
            since_ms, cpu_ms = 0.0, self._cpu_ms
        ran_ms = min(since_ms, cpu_ms - self._cpu_ms)
        guessed_ms = self._known_ms + ran_ms * self._pace + (since_ms - ran_ms)
        self._told_ms = max(self._told_ms, guessed_ms)
        return self._timeout_ms - self._told_ms


def _now() -> tuple[float, float]:
    return Clocks.wall_ns() / 1e6, Clocks.process_ns() / 1e6
