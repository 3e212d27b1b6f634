"""Values of the tuner's input as they come: from JSON, shells and people."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

MEMORY_MB_MIN = 128
MEMORY_MB_MAX = 10_240
# What "ALL" means. Where an account has less it ends there, as in aws-lambda-power-tuning.
ALL_POWER_VALUES = tuple(range(MEMORY_MB_MIN, MEMORY_MB_MAX + 1, 64))
NUM_MIN = 5
ARCHITECTURES = ("arm64", "x86_64")
PASS_MAX = 100  # invocations of payloads with weights

# Of a function. An Inactive one is woken up by being updated or invoked; a Pending one becomes
# active.
USABLE_STATES = frozenset({"Active", "Inactive", "Pending"})

# Step Functions passes at most 256 KiB from state to state; the request around the input takes a
# little of it, and each power value what it takes when its durations have lost their digits.
LIMIT_BYTES = 262_144 - 4_096
BYTES_PER_POWER_VALUE = 1_200

_SHOWN_CHARS = 80
# The mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FLAGS = {"true": True, "false": False, "1": True, "0": False}


class WrongValueError(ValueError):
    """A value that a key cannot have; the message belongs behind the key's name."""


def flag(value: Any, _: object = ()) -> bool:
    """Return a boolean; 0, 1, "true" and "false" are taken for one, as callers in shells write.

    Raises:
        WrongValueError: It is none of these.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str | int) and str(value).lower() in _FLAGS:
        return _FLAGS[str(value).lower()]
    raise WrongValueError(f"{shown(value)} is not true or false")


def is_true(value: Any) -> bool:
    """Whether a flag of an input is set; one that is not allowed is not."""
    try:
        return flag(value)
    except WrongValueError:
        return False


def integer(value: Any) -> int | None:
    """Return an integer, or a string of one; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,9}\s*", value):
        return int(value)
    return None


def number(value: Any, _: object = ()) -> float:
    """Return a finite number, or a string of one.

    Raises:
        WrongValueError: It is none.
    """
    found = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            found = math.nan
    if not math.isfinite(found):
        raise WrongValueError(f"{shown(value)} is not a number")
    return found


def is_power_value(value: Any) -> bool:
    """Whether a value is a memory size that Lambda may have, in MB."""
    power = integer(value)
    return power is not None and MEMORY_MB_MIN <= power <= MEMORY_MB_MAX


def s3_location(uri: str) -> tuple[str, str] | None:
    """Return bucket and key of an S3 URI, or None if it is none; the key may be URL-encoded."""
    parts = urlsplit(uri, allow_fragments=False)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    key = unquote(path).removeprefix("/")
    return (parts.netloc, key) if parts.scheme == "s3" and parts.netloc and key else None


def pass_of(weights: Sequence[Any]) -> int:
    """Return how many invocations of payloads with weights are a pass of adaptive measuring.

    Their sum where they are whole numbers and few, so that each is sent as often as it weighs.
    """
    whole = all(is_weight(weight) and float(weight).is_integer() for weight in weights)
    total = int(sum(weights)) if whole else PASS_MAX
    return min(max(total, 1), PASS_MAX)


def weights_of(payload: Any) -> list[Any]:
    """Return the weights of a list of payloads with weights; none of anything else.

    Only if every element has both parts, by JavaScript's idea of that: empty lists count.
    """
    if not isinstance(payload, list):
        return []
    pairs = [(p.get("weight"), p.get("payload")) for p in payload if isinstance(p, dict)]
    weighted = len(pairs) == len(payload) and all(truthy(w) and truthy(p) for w, p in pairs)
    return [weight for weight, _ in pairs] if weighted else []


def is_weight(value: Any) -> bool:
    """Whether a weight is a number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def truthy(value: Any) -> bool:
    """JavaScript's idea of it: empty lists and objects count, NaN cannot come from JSON."""
    return isinstance(value, list | dict) or bool(value)


def decode(content: bytes) -> str:
    """Return a text without its byte order mark; without one it is UTF-8.

    Windows writes UTF-8 with such a mark, and `>` of its PowerShell UTF-16.

    Raises:
        UnicodeDecodeError: It is in another encoding.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8-sig")
    return content.decode(encoding)


def size_bytes(value: Any) -> int:
    """Return how many bytes a value takes between two states."""
    return len(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))


def room_bytes(powers: int) -> int:
    """Return how long an input may be that leaves room for what is measured.

    Args:
        powers: How many power values are measured.
    """
    return LIMIT_BYTES - powers * BYTES_PER_POWER_VALUE


def shown(value: Any) -> str:
    """Return a value for a message."""
    return cut(repr(value))


def cut(text: str) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
