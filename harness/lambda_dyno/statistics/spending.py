"""How several looks at growing evidence share a rate of error."""

from __future__ import annotations

FIRST_LOOK = 0.75


def spent(rate: float, look: int) -> float:
    """Return what the look of that number, from 1, may spend of a rate of error."""
    if look < 1:
        raise ValueError(f"looks count from 1, not {look}")
    return float(rate * FIRST_LOOK * (1 - FIRST_LOOK) ** (look - 1))
