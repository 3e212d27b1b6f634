"""A payload that lies in S3: one version of one object, and no other."""

from __future__ import annotations

import json
from typing import Any

from retune.errors import PayloadNotUsable

# Step Functions passes 256 KiB from state to state, and the tuner's output is beside the payload.
BYTES_MAX = 128 * 1024


def parse(content: bytes, where: str) -> Any:
    """Return the payload.

    Args:
        content: The object's bytes.
        where: The object, as an error names it.

    Raises:
        PayloadNotUsable: It is too large, or no JSON.
    """
    check_size(len(content), where)
    try:
        return json.loads(content, parse_constant=_refuse)
    except ValueError as error:  # of UTF-8, too
        raise PayloadNotUsable(f"{where} is no JSON: {type(error).__name__}") from error


def check_size(size_bytes: int, where: str) -> None:
    """Raise PayloadNotUsable if there is too much of it."""
    if size_bytes > BYTES_MAX:
        raise PayloadNotUsable(f"{where} has {size_bytes} bytes; at most {BYTES_MAX} are allowed")


def _refuse(name: str) -> None:
    raise ValueError(name)
