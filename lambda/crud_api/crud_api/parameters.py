"""What each operation's payload may hold: the parameters of boto3's Table methods, checked.

Left out are boto3's legacy parameters (`Expected`, `AttributeUpdates`, `ScanFilter`, ...), which
expressions replaced, and `IndexName`: the table has no index.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crud_api.errors import BadRequest, one_of

Check = Callable[[Any], str]  # returns what the value must be, or "" when it is

_OPERATION_CHOICES = ("NONE", "ALL_OLD")
_UPDATE_CHOICES = ("NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW")


def _object(value: Any) -> str:
    return "" if isinstance(value, dict) else "a JSON object"


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else "a string"


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _names(value: Any) -> str:
    fits = isinstance(value, dict) and all(isinstance(name, str) for name in value.values())
    return "" if fits else "a JSON object of strings"


def _key(value: Any) -> str:
    fits = isinstance(value, dict) and value.keys() == {"id"} and _is_id(value["id"])
    return "" if fits else 'the key of an item, such as {"id": "1"}: a string that is not empty'


def _item(value: Any) -> str:
    fits = isinstance(value, dict) and _is_id(value.get("id"))
    return "" if fits else 'a JSON object with an "id": a string that is not empty'


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _integer(least: int, most: int) -> Check:
    def check(value: Any) -> str:
        fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return "" if fits else f"a whole number from {least} to {most}"

    return check


def _choice(*choices: str) -> Check:
    def check(value: Any) -> str:
        return "" if value in choices else f"one of {', '.join(choices)}"

    return check


_LIMIT = _integer(1, 2**31 - 1)
_EXPRESSION: dict[str, Check] = {
    "ExpressionAttributeNames": _names,
    "ExpressionAttributeValues": _object,
}
_CAPACITY: dict[str, Check] = {"ReturnConsumedCapacity": _choice("INDEXES", "TOTAL", "NONE")}
_WRITE: dict[str, Check] = {
    **_EXPRESSION,
    **_CAPACITY,
    "ConditionExpression": _text,
    "ReturnItemCollectionMetrics": _choice("SIZE", "NONE"),
    "ReturnValuesOnConditionCheckFailure": _choice(*_OPERATION_CHOICES),
}
_READ: dict[str, Check] = {
    **_CAPACITY,
    "ConsistentRead": _flag,
    "ExpressionAttributeNames": _names,
    "ProjectionExpression": _text,
}

# by operation: the parameters, and which of them must be there
PARAMETERS: dict[str, dict[str, Check]] = {
    "create": {**_WRITE, "Item": _item, "ReturnValues": _choice(*_OPERATION_CHOICES)},
    "read": {**_READ, "Key": _key},
    "update": {
        **_WRITE,
        "Key": _key,
        "ReturnValues": _choice(*_UPDATE_CHOICES),
        "UpdateExpression": _text,
    },
    "delete": {**_WRITE, "Key": _key, "ReturnValues": _choice(*_OPERATION_CHOICES)},
    "list": {
        **_READ,
        **_EXPRESSION,
        "ExclusiveStartKey": _key,
        "FilterExpression": _text,
        "Limit": _LIMIT,
        "Segment": _integer(0, 999_999),
        "Select": _choice("ALL_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "COUNT"),
        "TotalSegments": _integer(1, 1_000_000),
    },
}
REQUIRED = {"create": "Item", "read": "Key", "update": "Key", "delete": "Key"}


def check_parameters(operation: str, payload: Any) -> dict[str, Any]:
    """Return an operation's payload once all of it is right.

    Raises:
        BadRequest: It is no object, or a parameter is unknown, missing or of the wrong type.
    """
    known = PARAMETERS[operation]
    if not isinstance(payload, dict):
        raise BadRequest(f'"payload" of "{operation}" must be a JSON object.')
    unknown = payload.keys() - known.keys()
    if unknown:
        raise BadRequest(
            f'Unknown key in "payload" of "{operation}": {one_of(unknown)}.'
            f" Allowed are {one_of(known)}."
        )
    required = REQUIRED.get(operation)
    if required and required not in payload:
        raise BadRequest(f'"payload" of "{operation}" must have "{required}".')
    for name, value in payload.items():
        expected = known[name](value)
        if expected:
            raise BadRequest(f'"{name}" in "payload" of "{operation}" must be {expected}.')
    return payload
