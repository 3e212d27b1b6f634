"""How much less one memory size costs than another by adaptive measuring's model, and how sure.

The model says of each size, and of the ratio of two, what they are with 95 %. All three are about
log-normal, so their spreads say how far the two sizes vary together:
var(a / b) = var(a) + var(b) - 2 cov(a, b), all of logarithms.
"""

from __future__ import annotations

import math
import random

from lambda_dyno.core.results import Amount

Span = tuple[float, float, float]  # low, middle, high, all above 0

_DRAWS = 4000
_Z95 = 1.959964


def difference(one: Span, other: Span, ratio: Span) -> Amount:
    """Return one - other with its 95 % interval.

    Args:
        one: An amount.
        other: Another, of the same model.
        ratio: Of other to one, in any unit: only its spread counts.
    """
    sd_one, sd_other, sd_ratio = map(_spread, (one, other, ratio))
    together = (sd_one**2 + sd_other**2 - sd_ratio**2) / 2
    # what is left of `other` when `one` is known
    slope = together / sd_one**2 if sd_one else 0.0
    slope = max(-sd_other, min(sd_other, slope * sd_one)) / sd_one if sd_one else 0.0
    rest = math.sqrt(max(0.0, sd_other**2 - (slope * sd_one) ** 2))
    chance = random.Random(0)  # noqa: S311 - the same figures have the same interval
    drawn = []
    for _ in range(_DRAWS):
        moved = chance.gauss(0.0, sd_one)
        drawn.append(
            one[1] * math.exp(moved) - other[1] * math.exp(slope * moved + chance.gauss(0.0, rest))
        )
    drawn.sort()
    low, high = (drawn[math.floor(share * (_DRAWS - 1))] for share in (0.025, 0.975))
    middle = one[1] - other[1]
    return Amount(middle, min(low, middle), max(high, middle))


def _spread(span: Span) -> float:
    """Return the standard deviation of a span's logarithm, of its longer side."""
    low, middle, high = map(math.log, span)
    return max(high - middle, middle - low) / _Z95
