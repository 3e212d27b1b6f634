"""What a former tuning measured, as a tuning's output has it and another one's input takes it.

It says nothing of what was sent but a checksum, and nothing of the code but AWS's own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from lambda_dyno.tuner_contract.values import WrongValueError, integer, is_power_value, shown

_MOST_SIZES = 46
_MOST_MS, _MOST_PASSES, _MOST_VARIANCE = 900_000, 1_000_000, 100.0
_TEXTS = {
    "run": re.compile(r"[A-Za-z0-9_-]{0,64}"),
    "codeSha256": re.compile(r"[A-Za-z0-9+/=]{44}|[0-9a-f]{64}"),
    "architecture": re.compile(r"arm64|x86_64"),
    "payload": re.compile(r"[0-9a-f]{64}"),
}


class Size(NamedTuple):
    """One memory size: the middle of its warm passes, and the variance of ln(duration)."""

    power: int
    duration_ms: float
    passes: int
    variance: float


class Former(NamedTuple):
    """A former tuning; `run` may be empty."""

    run: str
    code_sha256: str
    architecture: str
    payload: str  # SHA-256 of what was sent
    sizes: tuple[Size, ...]

    @classmethod
    def parse(cls, raw: Any) -> Former:
        """Return what JSON holds.

        Raises:
            WrongValueError: It is not what `to_json` wrote; the message names the key.
        """
        if not isinstance(raw, Mapping):
            raise WrongValueError(f"{shown(raw)} is not the `prior` of a tuning's output")
        texts = {key: raw.get(key, "" if key == "run" else None) for key in _TEXTS}
        for key, pattern in _TEXTS.items():
            if not isinstance(texts[key], str) or not pattern.fullmatch(texts[key]):
                raise WrongValueError(
                    f"{key}: {shown(texts[key])} is not that of a tuning's output"
                )
        rows = raw.get("sizes")
        if not isinstance(rows, list) or not 1 <= len(rows) <= _MOST_SIZES:
            raise WrongValueError(f"sizes: must be a list of 1 to {_MOST_SIZES} memory sizes")
        sizes = tuple(_size(row, f"sizes[{number}]") for number, row in enumerate(rows))
        if len({size.power for size in sizes}) < len(sizes):
            raise WrongValueError("sizes: each power value may be there once")
        run, code_sha256, architecture, payload = (str(texts[key]) for key in _TEXTS)
        return cls(run, code_sha256, architecture, payload, sizes)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "run": self.run,
            "codeSha256": self.code_sha256,
            "architecture": self.architecture,
            "payload": self.payload,
            "sizes": [
                {
                    "power": size.power,
                    "durationMs": size.duration_ms,
                    "passes": size.passes,
                    "variance": size.variance,
                }
                for size in self.sizes
            ],
        }

    def why_not(self, code_sha256: str, architecture: str, payload: str) -> str:
        """Return why it says nothing of this code and what it is sent; empty if it does."""
        if not payload:
            return "disablePayloadLogs keeps no checksum of what was sent"
        if self.code_sha256 != code_sha256:
            return "it is of other code (CodeSha256)"
        if self.architecture != architecture:
            return f"it was measured on {self.architecture}"
        return "" if self.payload == payload else "another payload was sent"


def _size(row: Any, where: str) -> Size:
    if not isinstance(row, Mapping) or not is_power_value(row.get("power")):
        raise WrongValueError(f"{where}.power: must be a memory size in MB")
    passes = integer(row.get("passes"))
    if passes is None or not 1 <= passes <= _MOST_PASSES:
        raise WrongValueError(f"{where}.passes: must be 1 to {_MOST_PASSES}")
    duration_ms = _number(row, "durationMs", where, _MOST_MS)
    if duration_ms <= 0:
        raise WrongValueError(f"{where}.durationMs: must be above 0")
    variance = _number(row, "variance", where, _MOST_VARIANCE)
    return Size(int(row["power"]), duration_ms, passes, variance)


def _number(row: Mapping[str, Any], key: str, where: str, most: float) -> float:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise WrongValueError(f"{where}.{key}: must be a number from 0 to {most:g}")
    assert math.isfinite(value)
    return float(value)
