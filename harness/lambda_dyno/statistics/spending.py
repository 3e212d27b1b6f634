"""How several tests, and several looks at growing evidence, share a rate of error."""

from __future__ import annotations

from collections.abc import Mapping

FIRST_LOOK = 0.75


def spent(rate: float, look: int) -> float:
    """Return what the look of that number, from 1, may spend of a rate of error."""
    if look < 1:
        raise ValueError(f"looks count from 1, not {look}")
    return float(rate * FIRST_LOOK * (1 - FIRST_LOOK) ** (look - 1))


def holm_levels(p_values: Mapping[str, float], rate: float) -> dict[str, float]:
    """Return each test's share of a rate of error, by Holm's method.

    The smallest of m p-values is held against rate / m, the next against rate / (m - 1). When
    one is not below its share, those after it have no larger one. S. Holm, "A Simple
    Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6
    (1979).
    """
    levels, left = {}, len(p_values)
    for name in sorted(p_values, key=lambda name: p_values[name]):
        levels[name] = rate / left
        if p_values[name] <= levels[name]:
            left -= 1
    return levels
