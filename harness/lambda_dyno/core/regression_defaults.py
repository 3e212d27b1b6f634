"""The plan of a comparison whose error rates docs/gates.md shows: 120 s of each version a look.

What `[regression]` has when it says nothing, and what `make bench-gate` simulates.
"""

from __future__ import annotations

MARGIN = 0.05  # how much worse a figure may be
ALPHA = 0.01  # most runs that fail although nothing got worse
RISK = 0.05  # most runs that pass although a figure is worse by the margin

PAIRS_PER_LOOK = 30
MOST_LOOKS = 4
TURN_S = 4.0  # of a block, warm-up included
WARM_UP_S = 1.0  # of every block: its sandboxes are new
