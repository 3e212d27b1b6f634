"""How the power tuner reads each kind of key, and in which words it refuses a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

from lambda_dyno.tuner_contract.arns import FunctionArn
from lambda_dyno.tuner_contract.former import Former
from lambda_dyno.tuner_contract.values import (
    ALL_POWER_VALUES,
    ARCHITECTURES,
    MEMORY_MB_MAX,
    MEMORY_MB_MIN,
    NUM_MIN,
    WrongValueError,
    flag,
    integer,
    is_power_value,
    number,
    shown,
)
from lambda_dyno.tuner_contract.workload import Workload

Kind = Literal[
    "alias", "amount", "architectures", "choice", "count", "error types", "external id", "flag",
    "function", "integer", "json", "milliseconds",
    "power values", "prior", "processor", "role", "s3", "seconds", "share", "workload",
]  # fmt: skip

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,64}", re.A)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.A)


def read(kind: Kind, value: Any, allowed: Sequence[Any]) -> Any:
    """Return a value as the power tuner works with it.

    Args:
        kind: Of the key.
        value: As it came; not None.
        allowed: The words of a choice; least and most of a share.

    Returns:
        The value; None if it says nothing, as an empty text does for many kinds.

    Raises:
        WrongValueError: The key cannot have this value.
    """
    return _READERS[kind](value, allowed)


def _alias(value: Any, _: object) -> str:
    name = _text(value, _)
    if name and (not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", name) or name.isdecimal()):
        raise WrongValueError(
            f"{shown(name)} is not the name of an alias: letters, digits, - and _, not digits alone"
        )
    return name


def _amount(value: Any, bounds: Sequence[Any]) -> float:
    least, most = bounds
    found = number(value)
    if not least <= found <= most:
        raise WrongValueError(f"{shown(value)} is not a number from {least} to {most}")
    return found


def _architectures(value: Any, _: object) -> tuple[str, ...] | None:
    if value in ([], ""):
        return None
    if not isinstance(value, list) or not set(map(str, value)) <= set(ARCHITECTURES):
        raise WrongValueError(f"{shown(value)} is not a list of {' and '.join(ARCHITECTURES)}")
    return tuple(sorted(set(value)))


def _choice(value: Any, allowed: Sequence[Any]) -> Any:
    if value == "":  # as in aws-lambda-power-tuning
        return None
    if value not in allowed:
        raise WrongValueError(f"{shown(value)} is not one of {', '.join(allowed)}")
    return value


def _count(value: Any, _: object) -> int:
    found = integer(value)
    if found is None or found < NUM_MIN:
        raise WrongValueError(
            f"Missing num or num below {NUM_MIN} (it is {shown(value)}): invocations per power "
            f"value, an integer of at least {NUM_MIN}"
        )
    return found


def _error_types(value: Any, _: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise WrongValueError(f"{shown(value)} is not a list of error types")
    return tuple(value)


def _function(value: Any, _: object) -> FunctionArn:
    if not value:
        raise WrongValueError("Missing or empty lambdaARN")
    return FunctionArn.parse(value)


def _integer(value: Any, bounds: Sequence[Any]) -> int:
    least, most = bounds
    found = integer(value)
    if found is None or not least <= found <= most:
        raise WrongValueError(f"{shown(value)} is not an integer from {least} to {most}")
    return found


def _json(value: Any, _: object) -> Any:
    return value


def _milliseconds(value: Any, _: object) -> int:
    return max(0, int(number(value)))


def _power_values(value: Any, _: object) -> tuple[int, ...] | None:
    if value == "ALL":
        return ALL_POWER_VALUES
    if value in ([], ""):
        return None
    if not isinstance(value, list):
        raise WrongValueError(f'{shown(value)} is not a list of memory sizes in MB, and not "ALL"')
    for item in value:
        if not is_power_value(item):
            raise WrongValueError(
                f"{shown(item)} is not a memory size in MB, an integer from {MEMORY_MB_MIN} to "
                f"{MEMORY_MB_MAX}"
            )
    return tuple(sorted({int(item) for item in value}))


def _prior(value: Any, _: object) -> Former | None:
    return None if value == "" else Former.parse(value)


def _processor(value: Any, _: object) -> str:
    if not value:
        return ""
    FunctionArn.parse(value)
    return str(value)


def _role(value: Any, _: object) -> str:
    if value and not (isinstance(value, str) and _ROLE_ARN.fullmatch(value)):
        raise WrongValueError(
            f"{shown(value)} is not the ARN of a role, such as "
            "arn:aws:iam::123456789012:role/tuned-by-others"
        )
    return str(value or "")


def _external_id(value: Any, _: object) -> str:
    if value and not (isinstance(value, str) and _EXTERNAL_ID.fullmatch(value)):
        raise WrongValueError(
            f"{shown(value)} is not an external id: 2 to 1224 letters, digits and =,.@:/-_+"
        )
    return str(value or "")


def _seconds(value: Any, _: object) -> float:
    seconds = number(value)
    if seconds <= 0:
        raise WrongValueError(f"{shown(seconds)} is not more than 0")
    return seconds


def _share(value: Any, bounds: Sequence[Any]) -> float:
    least, most = bounds
    return float(min(max(number(value), least), most))


def _text(value: Any, _: object) -> str:
    if not isinstance(value, str):
        raise WrongValueError(f"{shown(value)} is not a string")
    return value


def _workload(value: Any, _: object) -> Workload | None:
    return None if value == "" else Workload.parse(value)


_READERS: dict[Kind, Callable[[Any, Sequence[Any]], Any]] = {
    "alias": _alias,
    "amount": _amount,
    "architectures": _architectures,
    "choice": _choice,
    "count": _count,
    "error types": _error_types,
    "flag": flag,
    "function": _function,
    "integer": _integer,
    "json": _json,
    "milliseconds": _milliseconds,
    "power values": _power_values,
    "prior": _prior,
    "processor": _processor,
    "external id": _external_id,
    "role": _role,
    "s3": _text,
    "seconds": _seconds,
    "share": _share,
    "workload": _workload,
}
