"""What else of a function's speed follows its memory size: network and room for garbage. Pure."""

from __future__ import annotations

from .cfs import MB_PER_VCPU

# Bandwidth grows with memory, for all connections together, to about 4 GB: 20 objects at once come
# from S3 in 493, 284 and 183 ms at 1024, 2048 and 10,240 MB, which is 75 ms and 418 ms x 1024 /
# memory with that limit. One connection gets no more than it does at one vCPU (latency.json).
FULL_BANDWIDTH_MB = 4096
# A collector does its work again whenever the room is full that live data leave: its cost goes
# with live / (memory - live), as of every copying or marking collector (Jones, Hosking, Moss, The
# Garbage Collection Handbook, 2nd edition, chapter 5). The factor is that of a generational heap.
_COLLECTING = 0.2
_FULLEST = 0.98


def transfer_stretch(memory_mb: int, *, connections: int = 1) -> float:
    """Return how long bytes take to arrive, over what they take at 1769 MB."""
    least = 1.0 if connections == 1 else MB_PER_VCPU / FULL_BANDWIDTH_MB
    return max(MB_PER_VCPU / memory_mb, least)


def heap_pressure(live_mb: float, memory_mb: int) -> float:
    """Return the CPU time that work takes with so much live data, over that with endless memory."""
    live = min(live_mb, _FULLEST * memory_mb)
    return 1.0 + _COLLECTING * live / (memory_mb - live)
