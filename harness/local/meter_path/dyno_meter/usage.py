"""What an invocation used of this machine: CPU time, and time it only waited for a core."""

from __future__ import annotations

import os
import resource
import sys
import time

_TASKS = "/proc/self/task"
HAS_SCHEDSTAT = os.path.exists(f"{_TASKS}/{os.getpid()}/schedstat")  # noqa: PTH110


class Usage:
    """Counters of this process and its ended children at one moment, in milliseconds."""

    __slots__ = ("cpu_ms", "queue_ms", "wall_ms")

    def __init__(self) -> None:
        self.wall_ms = time.perf_counter_ns() / 1e6
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu_ms = time.process_time_ns() / 1e6 + (children.ru_utime + children.ru_stime) * 1e3
        self.queue_ms = _run_queue_wait_ms()


def _run_queue_wait_ms() -> float:
    """Return how long this process's threads were ready to run while others had the cores."""
    if not HAS_SCHEDSTAT:
        return 0.0
    waited_ns = 0
    for task in os.listdir(_TASKS):  # noqa: PTH208
        try:
            with open(f"{_TASKS}/{task}/schedstat", "rb") as file:  # noqa: PTH123
                waited_ns += int(file.read().split()[1])
        except OSError:  # the thread has just ended
            continue
    return waited_ns / 1e6


def max_memory_mb() -> int:
    """Return the most memory this process has had, in MB."""
    if sys.platform == "linux":
        # not ru_maxrss: that one starts with what the parent had when it forked
        with open("/proc/self/status", "rb") as file:  # noqa: PTH123
            for line in file:
                if line.startswith(b"VmHWM:"):
                    return -(-int(line.split()[1]) // 1024)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(-(-peak // (1024 * 1024)))  # bytes on macOS
