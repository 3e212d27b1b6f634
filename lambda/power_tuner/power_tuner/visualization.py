"""The URL of the interactive curve; all data is in its hash, which browsers do not send."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence

from power_tuner.strategies import Candidate


def url(base_url: str, candidates: Sequence[Candidate], region: str) -> str:
    """Return the URL for the measured power values.

    Args:
        base_url: Of the page, such as https://lambda-power-tuning.show/.
        candidates: Power values, sorted here.
        region: In regions of China prices are in CNY.
    """
    ordered = sorted(candidates, key=lambda c: c.power)
    parts = (
        _packed("h", [c.power for c in ordered]),
        _packed("f", [float(c.duration) for c in ordered]),
        _packed("f", [float(c.cost) for c in ordered]),
    )
    query = "?currency=CNY" if region.startswith("cn-") else ""
    return f"{base_url}{query}#{';'.join(parts)}"


def _packed(kind: str, numbers: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}{kind}", *numbers)).decode()
