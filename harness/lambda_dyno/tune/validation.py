"""Whether the power tuner will take an input, found out before the tuner is deployed.

The state machine checks its input too; a mistake that is found here costs nothing. Both follow
the same rules, which a contract test holds together.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from lambda_dyno.core.config import ALL_POWER_VALUES, FUNCTION_ARN, MEMORY_MB_MAX, MEMORY_MB_MIN
from lambda_dyno.core.errors import UserError

NUM_MIN = 5

# Step Functions passes at most 256 KiB from state to state, and the tuner needs some of it for
# what it measures at each power value.
_MOST_BYTES = 262_144 - 4_096
_BYTES_PER_POWER_VALUE = 1_200
_DEFAULT_POWER_VALUES = 6

_SHOWN_CHARS = 80
_ARN_EXAMPLE = "arn:aws:lambda:eu-west-1:123456789012:function:my-function"

_CHOICES = {
    "strategy": ("cost", "speed", "balanced"),
    "onConflict": ("fail", "wait"),
    "isolation": ("alias",),
}
_FLAGS = (
    "allowFailures",
    "autoOptimize",
    "disablePayloadLogs",
    "dryRun",
    "includeOutputResults",
    "onlyColdStarts",
    "parallelInvocation",
    "sequential",
)


def require_allowed(tuning_input: Mapping[str, Any], where: str) -> None:
    """Make sure that the state machine will take an input.

    `lambdaARN` is not looked at: the function itself is.

    Args:
        tuning_input: The whole input.
        where: Where it comes from, for the message.

    Raises:
        UserError: A line for every key whose value is not allowed.
    """
    found = [complaint for check in _CHECKS for complaint in check(tuning_input)]
    if found:
        raise UserError("\n".join(f"{where}: {complaint}" for complaint in found))


def s3_location(uri: str) -> tuple[str, str] | None:
    """Return bucket and key of an S3 URI, or None if it is none; the key may be URL-encoded."""
    parts = urlsplit(uri, allow_fragments=False)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    key = unquote(path).removeprefix("/")
    return (parts.netloc, key) if parts.scheme == "s3" and parts.netloc and key else None


def is_true(value: Any) -> bool:
    """Whether a flag of an input is set, in any of the ways in which shells write it."""
    return value is True or (isinstance(value, str | int) and str(value).lower() in ("true", "1"))


def integer(value: Any) -> int | None:
    """Return an integer, or a string of one; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,9}\s*", value):
        return int(value)
    return None


# --- checks: each yields its complaints -----------------------------------------------------------


def _num(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    value = tuning_input.get("num")
    number = integer(value)
    if number is None or number < NUM_MIN:
        said = "missing" if value is None else f"{_shown(value)} is not allowed"
        yield f"num: {said}: invocations per power value, at least {NUM_MIN}"


def _power_values(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    values = tuning_input.get("powerValues")
    if values in (None, "", "ALL"):
        return
    if not isinstance(values, list):
        yield f'powerValues: {_shown(values)} is no list of memory sizes in MB, and not "ALL"'
    elif wrong := [_shown(value) for value in values if not _is_power_value(value)]:
        yield (
            f"powerValues: {', '.join(wrong)} is not allowed: a power value is "
            f"{MEMORY_MB_MIN} to {MEMORY_MB_MAX} MB"
        )


def _choices(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    for key, allowed in _CHOICES.items():
        value = tuning_input.get(key)
        if value not in (None, "") and value not in allowed:
            yield f"{key}: {_shown(value)} is not one of {', '.join(allowed)}"


def _flags(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    for key in _FLAGS:
        value = tuning_input.get(key)
        if value is not None and not _is_flag(value):
            yield f"{key}: {_shown(value)} is not true or false"


def _numbers(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    for key in ("balancedWeight", "discardTopBottom"):
        value = tuning_input.get(key)
        if value is not None and not _is_number(value):
            yield f"{key}: {_shown(value)} is not a number"
    limit = tuning_input.get("timeLimitSeconds")
    if limit is not None and not (_is_number(limit) and float(limit) > 0):
        yield f"timeLimitSeconds: {_shown(limit)} is not a number of seconds above 0"


def _processors(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    for key in ("preProcessorARN", "postProcessorARN"):
        value = tuning_input.get(key)
        if value and not (isinstance(value, str) and FUNCTION_ARN.fullmatch(value)):
            yield f"{key}: {_shown(value)} is not the ARN of a Lambda function, as {_ARN_EXAMPLE}"


def _alias(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    name = tuning_input.get("autoOptimizeAlias")
    if name and not (isinstance(name, str) and _is_alias_name(name)):
        yield (
            f"autoOptimizeAlias: {_shown(name)} is not the name of an alias: letters, digits, "
            "- and _, not digits alone"
        )


def _exceptions(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    value = tuning_input.get("allowedExceptions")
    if value is None or (isinstance(value, list) and all(isinstance(v, str) for v in value)):
        return
    yield f"allowedExceptions: {_shown(value)} is no list of error types"


def _payload_s3(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    uri = tuning_input.get("payloadS3")
    if uri not in (None, "") and not (isinstance(uri, str) and s3_location(uri)):
        yield f"payloadS3: {_shown(uri)} is not an S3 URI, such as s3://bucket/folder/payload.json"


def _payload(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    """A list of payloads with weights must fit into `num` invocations."""
    num = integer(tuning_input.get("num"))
    weights = _weights(tuning_input.get("payload"))
    if tuning_input.get("payloadS3") or num is None or not weights:
        return
    if not all(_is_weight(weight) for weight in weights):
        yield "payload: every weight must be a number"
        return
    total = sum(weights)
    if total <= 0:
        yield "payload: the weights must add up to more than 0"
    elif num < len(weights):
        yield f"payload: {len(weights)} payloads with weights do not fit into num = {num}"
    elif lost := [i for i, weight in enumerate(weights) if math.floor(weight * num / total) < 1]:
        yield (
            f"payload: payload {lost[0]} (weight {weights[lost[0]]:g} of {total:g}) would not be "
            f"sent at all with num = {num}: raise num, or its weight"
        )


def _size(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    values = tuning_input.get("powerValues")
    named = ALL_POWER_VALUES if values == "ALL" else values if isinstance(values, list) else ()
    powers = len({str(value) for value in named}) or _DEFAULT_POWER_VALUES
    size = len(json.dumps(tuning_input, ensure_ascii=False).encode(errors="surrogatepass"))
    most = _MOST_BYTES - powers * _BYTES_PER_POWER_VALUE
    if size > most:
        yield (
            f"payload: {size / 1000:,.0f} kB; Step Functions carries at most "
            f"{most / 1000:,.0f} kB beside what is measured: put the payload into S3 (payloadS3)"
        )


_CHECKS: Sequence[Callable[[Mapping[str, Any]], Iterator[str]]] = (
    _num,
    _power_values,
    _choices,
    _flags,
    _numbers,
    _processors,
    _alias,
    _exceptions,
    _payload_s3,
    _payload,
    _size,
)


def _is_power_value(value: Any) -> bool:
    number = integer(value)
    return number is not None and MEMORY_MB_MIN <= number <= MEMORY_MB_MAX


def _is_flag(value: Any) -> bool:
    return is_true(value) or (
        value is False or (isinstance(value, str | int) and str(value).lower() in ("false", "0"))
    )


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _is_alias_name(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-]{1,128}", name) is not None and not name.isdecimal()


def _is_weight(value: Any) -> bool:
    return isinstance(value, int | float) and _is_number(value)


def _weights(payload: Any) -> list[Any]:
    """Return the weights of a list of payloads with weights; none of anything else."""
    if not isinstance(payload, list):
        return []
    pairs = [(p.get("weight"), p.get("payload")) for p in payload if isinstance(p, dict)]
    weighted = len(pairs) == len(payload) and all(_truthy(w) and _truthy(p) for w, p in pairs)
    return [weight for weight, _ in pairs] if weighted else []


def _truthy(value: Any) -> bool:
    """JavaScript's idea of it: empty lists and objects count."""
    return isinstance(value, list | dict) or bool(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
