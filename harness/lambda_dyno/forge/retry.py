"""When to try again: growing waits, within limits."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

ATTEMPTS = 5
MAX_WAIT_S = 120.0
_FIRST_BACKOFF_S = 1.0


@dataclass
class RetryBudget:
    """How often one request is tried again, and how long all of them may wait together.

    Attributes:
        attempts: How often one request is made, the first time included.
        max_wait_s: Seconds that all waits together may take.
        sleep: Waits.
        jitter: Returns a factor around 1, so that many jobs do not come back at once.
    """

    attempts: int = ATTEMPTS
    max_wait_s: float = MAX_WAIT_S
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = lambda: random.uniform(0.75, 1.25)  # noqa: S311 - no secret
    waited_s: float = field(default=0.0, init=False)

    def wait(self, attempt: int, asked_s: float | None = None) -> bool:
        """Wait before the next attempt; False, at once, if that is beyond the budget.

        Args:
            attempt: Which attempt just failed, from 1.
            asked_s: Seconds that the server asked for; None backs off.
        """
        if attempt >= self.attempts:
            return False
        backoff = _FIRST_BACKOFF_S * 2 ** (attempt - 1) * self.jitter()
        seconds = backoff if asked_s is None else max(asked_s, 0.0)
        if self.waited_s + seconds > self.max_wait_s:
            return False
        self.waited_s += seconds
        self.sleep(seconds)
        return True
