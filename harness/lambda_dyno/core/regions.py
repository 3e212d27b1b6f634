"""What the name of an AWS region looks like."""

from __future__ import annotations

import re

# The word before the dash has two letters everywhere but in the European Sovereign Cloud (eusc).
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")


def is_region(text: str) -> bool:
    """Whether a text could name a region; which there are, only AWS knows."""
    return REGION.fullmatch(text) is not None
