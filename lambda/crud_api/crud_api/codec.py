"""JSON text and DynamoDB's attribute values to Python values and back, numbers exact.

Numbers are `int` or `Decimal`, never `float`, wherever this module makes them. Binary values
become base64 text and sets become sorted lists: JSON has neither. Both are one way, so a binary
value or a set is read, never written, through this API.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from decimal import Clamped, Context, Decimal, Inexact, Overflow, Rounded, Subnormal
from json.encoder import encode_basestring_ascii
from typing import Any

from crud_api.errors import BadRequest

Number = Callable[[str], Any]

# What DynamoDB's number type holds. Anything else is refused: no silent rounding.
_NUMBER_CONTEXT = Context(
    prec=38, Emin=-130, Emax=125, traps=[Clamped, Overflow, Inexact, Rounded, Subnormal]
)
_NUMBER_RANGE = "numbers have at most 38 digits and lie between 1E-130 and 9.9E+125 in size"


# ------------------------------------------------------------------------------------- JSON


def parse_json(text: str | bytes) -> Any:
    """Parse JSON text with exact numbers.

    Raises:
        BadRequest: It is not JSON. NaN and Infinity are not, either.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except BadRequest:
        raise
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except UnicodeDecodeError:
        raise BadRequest("The body is not valid JSON: it is not UTF-8.") from None
    except RecursionError:
        raise BadRequest("The body is nested too deep.") from None
    except (ArithmeticError, ValueError):
        raise BadRequest(f"The body has a number that is too long: {_NUMBER_RANGE}.") from None


def _refuse_constant(name: str) -> Any:
    raise BadRequest(f"The body is not valid JSON: {name} is not a JSON number.")


def dump_json(value: Any) -> str:
    """Return a value as JSON text, each Decimal with the digits that it has."""
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


def _write(value: Any, emit: Callable[[str], None]) -> None:
    # the json module cannot write a Decimal as a number; the types are in order of frequency
    kind = type(value)
    if kind is str:
        emit(encode_basestring_ascii(value))
    elif kind is dict:
        separator = "{"
        for key, item in value.items():
            emit(f"{separator}{encode_basestring_ascii(key)}:")
            _write(item, emit)
            separator = ","
        emit("{}" if separator == "{" else "}")
    elif kind is list or kind is tuple:
        separator = "["
        for item in value:
            emit(separator)
            _write(item, emit)
            separator = ","
        emit("[]" if separator == "[" else "]")
    elif kind is Decimal:
        emit(str(value))
    else:
        emit(json.dumps(value, allow_nan=False))


# ------------------------------------------------------------------------ numbers that are read


def exact_number(text: str) -> int | Decimal:
    """Return a number of the table for `dump_json`: exact."""
    return int(text) if text.lstrip("-").isdigit() else Decimal(text)


def native_number(text: str) -> int | float | str:
    """Return a number of the table for the Lambda runtime's own JSON encoder.

    That encoder knows no decimals. One that a float cannot hold stays the text of its digits:
    a caller can see that, but could not see rounding.
    """
    if text.lstrip("-").isdigit():
        return int(text)
    exact = Decimal(text)
    if exact == exact.to_integral_value():
        return int(exact)
    number = float(text)
    return number if Decimal(repr(number)) == exact else text


# -------------------------------------------------------------------------- attribute values


def to_attribute(value: Any) -> dict[str, Any]:
    """Return a JSON value as a DynamoDB attribute value.

    Raises:
        BadRequest: The number is out of DynamoDB's range.
    """
    if isinstance(value, str):
        return {"S": _sound_text(value)}
    if isinstance(value, bool):  # before int, which it is, too
        return {"BOOL": value}
    if isinstance(value, int | float | Decimal):
        return {"N": _number_text(value)}
    if value is None:
        return {"NULL": True}
    if isinstance(value, dict):
        return {"M": to_attributes(value)}
    return {"L": [to_attribute(item) for item in value]}


def to_attributes(item: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a JSON object as DynamoDB takes an item or a key."""
    return {_sound_text(name): to_attribute(value) for name, value in item.items()}


def _sound_text(value: str) -> str:
    """Return a text that has a UTF-8 form: JSON's escapes can make others."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadRequest("A text has half of a surrogate pair, such as \\ud800.") from None
    return value


def _number_text(value: float | Decimal) -> str:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadRequest(f"The table cannot hold {value}: {_NUMBER_RANGE}.")
        # the shortest text that gives this float: the digits that the caller wrote
        value = Decimal(repr(value))
    try:
        return str(_NUMBER_CONTEXT.create_decimal(value))
    except ArithmeticError:
        # without its digits: the Lambda runtime logs the message of a failed direct invocation
        raise BadRequest(f"The table cannot hold one of the numbers: {_NUMBER_RANGE}.") from None


def from_attribute(attribute: dict[str, Any], number: Number) -> Any:
    """Return a DynamoDB attribute value as a JSON value; `number` makes the numbers."""
    ((kind, value),) = attribute.items()
    if kind == "S" or kind == "BOOL":
        return value
    if kind == "N":
        return number(value)
    return _RARER_KINDS[kind](value, number)


def from_attributes(item: dict[str, dict[str, Any]], number: Number) -> dict[str, Any]:
    """Return an item or a key as a JSON object."""
    return {name: from_attribute(value, number) for name, value in item.items()}


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


_RARER_KINDS: dict[str, Callable[[Any, Number], Any]] = {
    "NULL": lambda _value, _number: None,
    "M": from_attributes,
    "L": lambda value, number: [from_attribute(item, number) for item in value],
    "B": lambda value, _number: _base64(value),
    "SS": lambda value, _number: sorted(value),
    "NS": lambda value, number: [number(text) for text in sorted(value, key=Decimal)],
    "BS": lambda value, _number: sorted(_base64(item) for item in value),
}
