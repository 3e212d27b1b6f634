"""Which interpreter runs a function: that of its declared version where this machine has it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_DECLARED = re.compile(r"(?:python|nodejs)(\d+(?:\.\d+)?)")


def version_of(runtime: str) -> str:
    """Return a runtime's version: "3.13" of "python3.13", "22" of "nodejs22.x", else ""."""
    found = _DECLARED.match(runtime.removesuffix(".x"))
    return found[1] if found else ""


def choose(version: str, installed: Mapping[str, str]) -> str:
    """Return the version to run of those that are installed: the declared one, or the nearest.

    Args:
        version: The declared version; empty for the first.
        installed: Programs by their versions, the embedded AWS's own first; not empty.
    """
    if version in installed or not version:
        return version or next(iter(installed))
    wanted = _number(version)
    # of two that are as near the newer: it has what the declared one has
    return min(installed, key=lambda other: (abs(_number(other) - wanted), -_number(other)))


def _number(version: str) -> int:
    major, _, minor = version.partition(".")
    return int(major) * 100 + int(minor or 0)
