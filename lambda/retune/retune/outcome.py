"""What the power tuner puts out, of which a row takes numbers and known words only.

The output comes from a state machine of this account. It is checked all the same: what is in the
store is read by others, and a text of the function's own may have something secret in it.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from retune.errors import RowNotWritten

_PHRASE = re.compile(r"[A-Za-z0-9 ,.:;%-]{0,200}")
_ERROR_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,99}")
_MEMORY_MB = (128, 10_240)
_LARGEST = 1e15
_WORDS = {
    "strategy": ("balanced", "cost", "limit", "speed"),
    "architecture": ("arm64", "x86_64"),
    "currency": ("CNY", "USD"),
    "confidence": ("default", "sure"),
}
_MILLION = 1_000_000


def figures(output: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row has of a tuning's output.

    Raises:
        RowNotWritten: It is not what the tuner puts out.
    """
    try:
        return _figures(output)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RowNotWritten(f"the tuner's output is not what it should be: {error!r}") from error


def _figures(output: Mapping[str, Any]) -> dict[str, Any]:
    adaptive = output.get("adaptive") or {}  # none, where time was up before anything was decided
    points = {_memory(point["power"]): point for point in adaptive.get("curve", [])}
    sizes = [_size(detail, points) for detail in output["details"] if detail["count"]]
    by_memory = {size["memory_mb"]: size for size in sizes}
    recommended, deployed = _memory(output["power"]), _memory(output["originalPower"])
    best = by_memory[recommended]
    now = by_memory.get(deployed, {})
    return {
        "architecture": _word("architecture", output["architecture"]),
        "strategy": _word("strategy", output["strategy"]),
        "currency": _word("currency", output["prices"]["currency"]),
        "memory_mb": deployed,
        "recommended_mb": recommended,
        **_of(now, ""),
        **_of(best, "recommended_"),
        "confidence": _word("confidence", adaptive["confidence"]) if adaptive else None,
        "at_most_percent": _number(adaptive["atMostPercent"]) if adaptive else None,
        "within_5_percent": _number(adaptive["within5Percent"]) if adaptive else None,
        "reason": _phrase(adaptive["reason"]) if adaptive else None,
        "timed_out": output.get("timedOut") is True,
        "invocations": sum(size["invocations"] for size in sizes),
        "function_cost_usd": _number(output["stateMachine"]["lambdaCost"]),
        "tuner_cost_usd": _number(output["tuner"]["cost"]),
        "sizes": sizes,
    }


def _of(size: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    names = ("duration_ms", "duration_low_ms", "duration_high_ms", "cost_usd")
    return {f"{prefix}{name}": size.get(name) for name in names}


def _size(detail: Mapping[str, Any], points: Mapping[int, Any]) -> dict[str, Any]:
    memory_mb = _memory(detail["power"])
    duration = detail["duration"]
    low, high = _interval(points.get(memory_mb, {}).get("durationMs"), duration["ci95"])
    return {
        "memory_mb": memory_mb,
        "invocations": _count(detail["invocations"]),
        "cold_starts": _count(detail["coldStarts"]),
        "errors": _count(detail["errors"]),
        "duration_ms": _number(duration["trimmedMean"]),
        "duration_low_ms": low,
        "duration_high_ms": high,
        "cost_usd": _number(detail["cost"]),
        "is_excluded": bool(detail["excluded"]),
    }


def _interval(of_model: Any, of_sample: Any) -> tuple[float, float]:
    """Return the 95 % interval of a duration: the model's, since it has all sizes' samples."""
    span = of_model if of_model else of_sample
    low, high = _number(span[0]), _number(span[-1])
    return min(low, high), max(low, high)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    if not math.isfinite(value) or abs(value) > _LARGEST:
        raise ValueError(f"{value!r} is no figure that a tuning can have")
    return float(value)


def _count(value: Any) -> int:
    number = _number(value)
    if number < 0 or number != int(number):
        raise ValueError(f"{value!r} is no count")
    return int(number)


def _memory(value: Any) -> int:
    memory_mb = _count(value)
    if not _MEMORY_MB[0] <= memory_mb <= _MEMORY_MB[1]:
        raise ValueError(f"{value!r} is no memory size in MB")
    return memory_mb


def _word(kind: str, value: Any) -> str:
    if value not in _WORDS[kind]:
        raise ValueError(f"{value!r} is no {kind}")
    return str(value)


def _phrase(value: Any) -> str:
    """Return why measuring ended: words of the tuner's own."""
    if not isinstance(value, str) or not _PHRASE.fullmatch(value):
        raise ValueError(f"{value!r} is no reason to end")
    return value


def sentence(name: str, row: Mapping[str, Any]) -> str:
    """Return what a notice says: one sentence that names sizes, money and how sure it is.

    Args:
        name: The function, with its version or alias.
        row: What `figures` gives.
    """
    now, best = row["memory_mb"], row["recommended_mb"]
    sure = "How sure that is cannot be told."
    if row["at_most_percent"] is not None:
        sure = f"With 95 % it is at most {row['at_most_percent']:.1f} % worse than the best size."
    if best == now:
        return f"{name}: keep {now} MB. {sure}"
    words = f"{name}: {best} MB instead of {now} MB"
    if row["cost_usd"] is not None:
        saved = (row["cost_usd"] - row["recommended_cost_usd"]) * _MILLION
        change = "cheaper" if saved >= 0 else "more expensive"
        words += (
            f": {row['recommended_duration_ms']:.3g} ms instead of {row['duration_ms']:.3g} ms, "
            f"{abs(saved):.3g} {row['currency']} per million invocations {change}"
        )
    return f"{words}. {sure} Nothing was changed."


def error_name(failure: Mapping[str, Any]) -> str:
    """Return what a tuning failed with, by name alone: causes have texts of others in them.

    Step Functions says `States.TaskFailed` of an execution that it waited for, and has that
    execution's own error in the cause.
    """
    name = str(failure.get("error") or "")
    if name == "States.TaskFailed":
        with contextlib.suppress(ValueError, AttributeError):
            name = str(json.loads(str(failure.get("cause") or "")).get("Error") or name)
    return name if _ERROR_NAME.fullmatch(name) else "Unknown"
