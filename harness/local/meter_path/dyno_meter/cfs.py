"""How long a CPU-bound piece of work takes under AWS Lambda's share of CPU.

A function gets memory / 1769 of a vCPU (1769 MB is one vCPU, says AWS's documentation of
memory configuration). The kernel's CFS bandwidth control enforces it: a quota per period. What
is used is only accounted at ticks, so a function overruns its quota by up to a tick, and pays
back in the periods that follow. Hence the staircase of short functions.
"""

from __future__ import annotations

MB_PER_VCPU = 1769
PERIOD_MS = 20.0
TICK_MS = 4.0
_EPSILON = 1e-9


def duration_ms(
    cpu_ms: float, blocked_ms: float, memory_mb: int, parallelism: float = 1.0
) -> float:
    """Return the duration that AWS Lambda would take.

    Args:
        cpu_ms: CPU time of all threads together.
        blocked_ms: Time in which nothing ran and nothing wanted to.
        memory_mb: The function's memory size.
        parallelism: How many threads wanted to run at once, on average; at least 1.
    """
    width = max(1.0, parallelism)
    if memory_mb >= MB_PER_VCPU * width:
        return blocked_ms + cpu_ms / width
    # `width` threads use the quota that much faster
    return blocked_ms + _throttled_ms(cpu_ms / width, memory_mb / (MB_PER_VCPU * width))


def _throttled_ms(cpu_ms: float, share: float) -> float:
    """Run `cpu_ms` of one thread that may use `share` (below 1) of a CPU."""
    quota = PERIOD_MS * share
    now, left, budget = 0.0, cpu_ms, quota
    refill, tick = PERIOD_MS, TICK_MS
    while True:
        step = min(left, tick - now, refill - now)
        now, left, budget = now + step, left - step, budget - step
        if left <= _EPSILON:
            return now
        if now >= refill - _EPSILON:
            budget, refill = min(budget + quota, quota), refill + PERIOD_MS
        if now >= tick - _EPSILON:
            tick += TICK_MS
            while budget <= _EPSILON:  # throttled until a refill leaves something to use
                now, refill = refill, refill + PERIOD_MS
                budget = min(budget + quota, quota)
            while tick <= now + _EPSILON:
                tick += TICK_MS
