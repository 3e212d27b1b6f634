"""What the tuner's own Lambda functions use."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from power_tuner.state import Usage

_MB_PER_GB = 1024
_IMPORTED = time.monotonic()
_cold = True


class Meter:
    """Measures one invocation of a tuner function, from its construction on.

    Args:
        context: Lambda's, which knows the memory size.
    """

    def __init__(self, context: Any) -> None:
        global _cold  # noqa: PLW0603 - one flag per environment is what a cold start is
        # the first invocation also pays for what was imported before it
        self._started = _IMPORTED if _cold else time.monotonic()
        _cold = False
        self._memory_mb = int(context.memory_limit_in_mb)

    def add_to(self, usage: Usage, event: Mapping[str, Any]) -> None:
        """Add this invocation, and the retries before it."""
        tries = 1 + int(event.get("retries") or 0)
        usage.transitions += tries
        usage.invocations += tries
        usage.gb_seconds += (time.monotonic() - self._started) * self._memory_mb / _MB_PER_GB
