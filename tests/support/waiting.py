"""Waiting for what another process does: a busy machine is slow, and only a hang is an error."""

from __future__ import annotations

import time
from collections.abc import Callable

HANGS_S = 600.0  # whatever takes longer never ends
RUN_HANGS_S = 1800.0  # a whole run, of up to a minute of processor time, at load 40


def wait_until(condition: Callable[[], bool], seconds: float = HANGS_S) -> bool:
    """Wait until something is true, and return whether it is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
