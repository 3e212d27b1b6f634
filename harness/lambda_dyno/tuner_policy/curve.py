"""What is known of duration at every memory size: the curve with its band, and each size's change.

The band is that of the model, 95 % at each size by itself, and so are the changes: both sizes of a
change are on one drawn curve, so what the curves have in common does not widen it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lambda_dyno.tuner_policy.decide import ROUNDING_MS, SIZE_SD
from lambda_dyno.tuner_policy.posterior import Posterior

_Z95 = 1.959964
Span = tuple[float, float, float]  # low, middle, high


@dataclass(frozen=True, slots=True)
class Point:
    """One memory size of the curve.

    Attributes:
        memory_mb: The size.
        duration_ms: Of a warm invocation.
        duration_ratio: To the deployed size's; None: one of both was not measured.
        cost_ratio: Likewise.
    """

    memory_mb: int
    duration_ms: Span
    duration_ratio: Span | None = None
    cost_ratio: Span | None = None


def curve(drawn: Posterior, known_mb: Collection[int], current_mb: int | None) -> list[Point]:
    """Return the curve over all sizes that are looked at, ascending.

    Args:
        drawn: What is known, as a decision has it.
        known_mb: Sizes that were measured.
        current_mb: The deployed size.
    """
    billed = {
        size: [math.log(math.exp(value) + ROUNDING_MS) for value in drawn.of(size)]
        for size in known_mb
    }
    found = []
    for size in drawn.sizes_mb:
        own = _span(drawn.of(size), SIZE_SD)
        if current_mb is None or size not in known_mb or current_mb not in known_mb:
            found.append(Point(size, own))
            continue
        both = SIZE_SD * math.sqrt(2) if size != current_mb else 0.0
        ratio = [a - b for a, b in zip(drawn.of(size), drawn.of(current_mb), strict=True)]
        costs = [a - b for a, b in zip(billed[size], billed[current_mb], strict=True)]
        price = math.log(size / current_mb)
        dearer = _span([value + price for value in costs], both)
        found.append(Point(size, own, _span(ratio, both), dearer))
    return found


def _span(logs: Sequence[float], own_sd: float) -> Span:
    """Return the middle of draws of a logarithm and its 95 %, what a size has of its own in it."""
    ordered = sorted(logs)
    middle = ordered[len(ordered) // 2]
    low, high = (ordered[int(q * (len(ordered) - 1))] for q in (0.025, 0.975))
    own = _Z95 * own_sd
    return (
        math.exp(middle - math.hypot(middle - low, own)),
        math.exp(middle),
        math.exp(middle + math.hypot(high - middle, own)),
    )
