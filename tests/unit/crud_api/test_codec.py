"""Numbers, binary values and sets on their way from JSON to DynamoDB and back."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

from crud_api import codec
from crud_api.errors import BadRequest

EXACT_NUMBERS = [
    "0",
    "-1",
    "5",
    "1.1",
    "-0.5",
    "0.1234567890123456789",
    "12345678901234567890123456789012345678",
    "1E+125",
    "1E-130",
    "3.14159265358979323846264338327950288",
]


@pytest.mark.parametrize("text", EXACT_NUMBERS)
def test_a_number_keeps_its_digits(text: str) -> None:
    """JSON to DynamoDB and back to JSON gives the number that came in."""
    value = codec.parse_json(text)
    attribute = codec.to_attribute(value)
    back = codec.dump_json(codec.from_attribute(attribute, codec.exact_number))
    assert Decimal(back) == Decimal(text)
    assert json.loads(back) == json.loads(text)


def test_an_integer_stays_an_integer() -> None:
    """5 does not come back as 5.0."""
    assert codec.dump_json(codec.from_attribute({"N": "5"}, codec.exact_number)) == "5"


VALUES: list[Any] = [
    "text",
    "",
    "äöü \U0001f600 \x00",
    True,
    False,
    None,
    0,
    7,
    Decimal("1.5"),
    [],
    {},
    ["a", 1, [None]],
    {"a": {"b": [True, {"c": Decimal("0.1")}]}},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_attribute_values_are_those_of_boto3(value: Any) -> None:
    """Writing and reading agree with boto3's own serialiser."""
    attribute = TypeSerializer().serialize(value)
    assert codec.to_attribute(value) == attribute
    assert codec.from_attribute(attribute, codec.exact_number) == value
    assert TypeDeserializer().deserialize(attribute) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Binary(b"\x00\xff"), "AP8="),
        ({"b", "a"}, ["a", "b"]),
        ({Decimal(10), Decimal(9), Decimal("1.5")}, [Decimal("1.5"), 9, 10]),
        ({Binary(b"b"), Binary(b"a")}, ["YQ==", "Yg=="]),
    ],
    ids=["binary", "string set", "number set", "binary set"],
)
def test_what_json_lacks_is_read_as_what_it_has(value: Any, expected: Any) -> None:
    """Binary values become base64 text, sets sorted lists."""
    attribute = TypeSerializer().serialize(value)
    (kind,) = attribute
    if kind in {"B", "BS"}:  # the client returns plain bytes
        attribute = {kind: bytes(value)} if kind == "B" else {kind: [bytes(v) for v in value]}
    assert codec.from_attribute(attribute, codec.exact_number) == expected


def test_a_float_is_stored_as_it_was_written() -> None:
    """A direct invocation's numbers are floats already; 0.1 must stay 0.1."""
    assert codec.to_attribute(0.1) == {"N": "0.1"}


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        10**38 + 1,
        Decimal("1E+126"),
        Decimal("1E-131"),
        Decimal("1." + "1" * 38),
        10**5000,
    ],
    ids=["nan", "infinity", "39 digits", "large", "small", "long fraction", "huge"],
)
def test_a_number_that_dynamodb_cannot_hold_is_refused(value: Any) -> None:
    """It is never rounded."""
    with pytest.raises(BadRequest, match="at most 38 digits"):
        codec.to_attribute(value)


def test_a_text_without_utf8_form_is_refused() -> None:
    """JSON can spell half of a surrogate pair; DynamoDB cannot store it."""
    value = codec.parse_json('"\\ud800"')
    with pytest.raises(BadRequest, match="surrogate"):
        codec.to_attribute(value)


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        ("5", 5, int),
        ("1.5", 1.5, float),
        ("1E+2", 100, int),
        ("0.1", 0.1, float),
        ("12345678901234567890", 12345678901234567890, int),
        ("0.1234567890123456789", "0.1234567890123456789", str),
    ],
)
def test_a_direct_invocations_numbers_are_the_runtimes(
    text: str, expected: object, kind: type
) -> None:
    """Lambda's own JSON knows no decimals: what a float cannot hold stays the text of it."""
    value = codec.native_number(text)
    assert (value, type(value)) == (expected, kind)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "not valid JSON"),
        ("{", "line 1, column 2"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ("[-Infinity]", "-Infinity is not a JSON number"),
        (b"\xff", "not valid JSON"),
        ("1" * 5000, "number that is too long"),
        ("1E99999999999999999999", "number that is too long"),
        ("[" * 100_000, "nested too deep"),
    ],
    ids=["empty", "cut", "nan", "infinity", "not utf-8", "long", "exponent", "deep"],
)
def test_what_is_not_json_is_refused(text: str | bytes, word: str) -> None:
    """The message says why."""
    with pytest.raises(BadRequest, match=word):
        codec.parse_json(text)


JSON_TEXTS = [
    '{"a":[1,2.50,"x",null,true,false,{}],"b":[],"c":""}',
    '"quote \\" backslash \\\\ line \\n"',
    '{"key \\" with quote":0}',
    '"\\ud800"',
]


@pytest.mark.parametrize("text", JSON_TEXTS)
def test_json_is_written_as_it_was_read(text: str) -> None:
    """Text that is already in the shortest form comes back the same, trailing zeros too."""
    assert codec.dump_json(codec.parse_json(text)) == text
