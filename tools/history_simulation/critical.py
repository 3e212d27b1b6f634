"""The critical values of `statistics.change_points`, drawn: `python -m tools.history_simulation`.

Of an unchanged series every order is as likely as every other, so the ranks are shuffled.
"""

from __future__ import annotations

import math
from random import Random

from lambda_dyno.statistics.change_points import FALSE_RATE, largest

COUNTS = (10, 11, 12, 13, 14, 16, 18, 20, 25, 30, 40, 60, 100, 200, 500, 1000)
# Values that are shuffled in all draws of a count: so long series do not take all the time.
_VALUES = 6_000_000
_MOST_DRAWS = 200_000


def value(count: int, seed: int, draws: int | None = None) -> float:
    """Return the number that no more than `FALSE_RATE` of the statistics exceed, in thousandths.

    Args:
        count: Of the values in a series.
        seed: The same one draws the same.
        draws: How many; None: as many as are worth it.
    """
    chance = Random(f"{seed} {count}")  # noqa: S311 - a simulation
    number = draws or min(_MOST_DRAWS, max(3_000, _VALUES // count))
    ranks = [float(rank) for rank in range(count)]
    found = []
    for _ in range(number):
        chance.shuffle(ranks)
        found.append(largest(ranks)[0])
    found.sort()
    # upwards: few values have few statistics, and many series the same one
    return math.ceil(found[number - 1 - math.floor(FALSE_RATE * number)] * 1000) / 1000
