"""Whether the power tuner will take an input, found out before the tuner is deployed.

The state machine checks its input too; a mistake that is found here costs nothing. Both read it by
the same rules (tuner_contract/readers.py); here all mistakes are told at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from lambda_dyno.core.errors import UserError
from lambda_dyno.tuner_contract.arns import EXAMPLE
from lambda_dyno.tuner_contract.keys import KEYS, Key, conflict, is_adaptive, is_needless
from lambda_dyno.tuner_contract.readers import Kind
from lambda_dyno.tuner_contract.values import (
    ALL_POWER_VALUES,
    MEMORY_MB_MAX,
    MEMORY_MB_MIN,
    NUM_MIN,
    WrongValueError,
    integer,
    is_power_value,
    is_weight,
    pass_of,
    room_bytes,
    s3_location,
    shown,
    size_bytes,
    weights_of,
)

_DEFAULT_POWER_VALUES = 6

# What is wrong with a value, behind it, by kinds in the order in which they are told; empty: what
# the power tuner says itself.
_SENTENCES: Mapping[Kind, str] = {
    "count": f"is not allowed: invocations per power value, at least {NUM_MIN}",
    "power values": f"is not allowed: a power value is {MEMORY_MB_MIN} to {MEMORY_MB_MAX} MB",
    **dict.fromkeys(("choice", "architectures", "flag", "integer", "amount", "share"), ""),
    "seconds": "is not a number of seconds above 0",
    "processor": f"is not the ARN of a Lambda function, as {EXAMPLE}",
    "alias": "is not the name of an alias: letters, digits, - and _, not digits alone",
    "error types": "is no list of error types",
    **dict.fromkeys(("role", "external id"), ""),
    "s3": "is not an S3 URI, such as s3://bucket/folder/payload.json",
    **dict.fromkeys(("workload", "prior"), ""),
}


def require_allowed(tuning_input: Mapping[str, Any], where: str) -> None:
    """Make sure that the state machine will take an input.

    `lambdaARN` is not looked at: the function itself is.

    Args:
        tuning_input: The whole input.
        where: Where it comes from, for the message.

    Raises:
        UserError: A line for every key whose value is not allowed.
    """
    found = [*_values(tuning_input), *_payload(tuning_input), *_size(tuning_input)]
    if not found:
        found += _together(tuning_input)
    if found:
        raise UserError("\n".join(f"{where}: {complaint}" for complaint in found))


def _values(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with each key alone."""
    for kind in _SENTENCES:
        for key in KEYS:
            if key.kind != kind or is_needless(key, tuning_input):
                continue
            try:
                value = key.read(tuning_input)
                if kind == "s3" and value and s3_location(value) is None:
                    raise WrongValueError
            except WrongValueError as error:
                yield f"{key.name}: {_complaint(key, tuning_input.get(key.name), error)}"


def _complaint(key: Key, value: Any, error: WrongValueError) -> str:
    sentence = _SENTENCES[key.kind]
    if not sentence:
        return str(error)
    if key.kind == "count" and value is None:
        return sentence.replace("is not allowed", "missing")
    if key.kind == "power values":
        if not isinstance(value, list):
            return f'{shown(value)} is no list of memory sizes in MB, and not "ALL"'
        return f"{', '.join(shown(v) for v in value if not is_power_value(v))} {sentence}"
    return f"{shown(value)} {sentence}"


def _payload(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    """A list of payloads with weights must fit into `num` invocations."""
    weights = weights_of(tuning_input.get("payload"))
    num = pass_of(weights) if is_adaptive(tuning_input) else integer(tuning_input.get("num"))
    if tuning_input.get("payloadS3") or num is None or not weights:
        return
    if not all(is_weight(weight) for weight in weights):
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


def _together(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    """Yield what cannot be together, where each key by itself is right."""
    values = {
        key.field: value
        for key in KEYS
        if (key.kind in _SENTENCES or key.kind == "json") and not is_needless(key, tuning_input)
        if (value := key.read(tuning_input)) is not None
    }
    problem = conflict(values)
    if problem:
        yield problem


def _size(tuning_input: Mapping[str, Any]) -> Iterator[str]:
    values = tuning_input.get("powerValues")
    named = ALL_POWER_VALUES if values == "ALL" else values if isinstance(values, list) else ()
    powers = len({str(value) for value in named}) or _DEFAULT_POWER_VALUES
    size, most = size_bytes(tuning_input), room_bytes(powers)
    if size > most:
        of, cure = "payload", "put the payload into S3 (payloadS3)"
        if tuning_input.get("workload"):
            of, cure = "workload", "have fewer or smaller requests, or a payload in S3 (payloadS3)"
        yield (
            f"{of}: {size / 1000:,.0f} kB; Step Functions carries at most "
            f"{most / 1000:,.0f} kB beside what is measured: {cure}"
        )
