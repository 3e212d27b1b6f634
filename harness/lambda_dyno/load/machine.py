"""This machine, which a load driver shares with whatever else runs on it."""

from __future__ import annotations

import os

import psutil


def usable_cores() -> int:
    """Return how many cores this process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return allowed or 1


class MachineMeter:
    """Share of all cores that were busy, with whatever, between start and stop."""

    def __init__(self) -> None:
        self._from: tuple[float, float] | None = None
        self.busy_ratio = 0.0

    def start(self) -> None:
        """Begin."""
        self._from = self._times()

    def stop(self) -> None:
        """End, and set `busy_ratio`."""
        if self._from is None:
            return
        busy, total = (now - then for now, then in zip(self._times(), self._from, strict=True))
        self.busy_ratio = min(1.0, max(0.0, busy / total)) if total > 0 else 0.0

    @staticmethod
    def _times() -> tuple[float, float]:
        times = psutil.cpu_times()
        # Linux counts guest time in user and nice as well.
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        return total - times.idle - getattr(times, "iowait", 0.0), total
