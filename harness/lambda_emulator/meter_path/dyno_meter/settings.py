"""How to meter: what is in the meter's settings file, handed on with each invocation."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MEASURED = "measured"


class Settings:
    """The part of the settings that the worker needs."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.steady = content.get("steady") is not False  # spin beside each invocation
        self.aws_latency_modelled = content.get("aws_latency") != MEASURED
        self._cpu_factors: dict[str, float] = content.get("cpu_factor") or {}

    def cpu_factor(self, architecture: str) -> float:
        """Return the CPU time that AWS takes for one millisecond of this machine's."""
        return float(self._cpu_factors.get(architecture, 1.0))
