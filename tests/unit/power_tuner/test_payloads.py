"""What is sent: conversion and weights, case by case as aws-lambda-power-tuning has them."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from lambda_dyno.tuner_contract.values import weights_of
from power_tuner.errors import InvalidInput, PayloadNotRead
from power_tuner.payloads import as_json, from_text, plan
from power_tuner.sources import parse_uri


@pytest.mark.parametrize(
    ("payload", "sent"),
    [
        ({"a": 1}, '{"a":1}'),
        ([1, 2], "[1,2]"),
        ('{"a": 1}', '{"a": 1}'),
        ('"text"', '"text"'),
        ("12", "12"),
        ("just a string", '"just a string"'),
        ("", '""'),
        (" ", '" "'),
        ("null", "null"),
        ("NaN", '"NaN"'),
        (None, "null"),
        (0, "0"),
        (False, "false"),
        ("é", '"é"'),
    ],
)
def test_conversion(payload: Any, sent: str) -> None:
    """A string that is JSON is sent as it is; everything else is encoded."""
    assert as_json(payload) == sent


@pytest.mark.parametrize(
    ("payload", "weighted"),
    [
        ([{"weight": 1, "payload": {}}], True),
        ([{"weight": 1, "payload": "a"}, {"weight": 2, "payload": [0]}], True),
        ([], False),
        ([{"weight": 0, "payload": {}}], False),
        ([{"weight": 1, "payload": ""}], False),
        ([{"weight": 1}], False),
        ([{"payload": {}}], False),
        ([1, 2], False),
        ({"weight": 1, "payload": {}}, False),
        ([{"weight": 1, "payload": {}}, "x"], False),
    ],
)
def test_what_counts_as_weighted(payload: Any, weighted: bool) -> None:
    """Only a non-empty list whose every element has truthy weight and payload is weighted."""
    assert bool(weights_of(payload)) is weighted


def sent(num: int, *weights: float) -> list[int]:
    """Return how many invocations each payload gets."""
    payloads = [{"weight": weight, "payload": [i]} for i, weight in enumerate(weights)]
    shares = plan(num, payloads)
    texts = [shares.body(number).decode() for number in range(num)]
    return [texts.count(f"[{i}]") for i in range(len(weights))]


@pytest.mark.parametrize(
    ("num", "weights", "expected"),
    [
        (100, (1, 1), [50, 50]),
        (10, (30, 70), [3, 7]),
        # floor(2 * 10 / 6) = 3 twice, and the last fills up
        (10, (2, 2, 2), [3, 3, 4]),
        (10, (0.5, 0.5), [5, 5]),
        (7, (1, 1, 5), [1, 1, 5]),
        (5, (1, 1, 1, 1, 1), [1, 1, 1, 1, 1]),
        # of LPT's own tests
        (100, (1, 1, 1), [33, 33, 34]),
        (20, (1, 1, 1), [6, 6, 8]),
        (10, (1,), [10]),
        (23, (1, 1, 1, 1), [5, 5, 5, 8]),
        (54, (1, 1, 1, 1, 1), [10, 10, 10, 10, 14]),
        (30, (1,) * 26, [1] * 25 + [5]),
    ],
)
def test_weights_are_relative(num: int, weights: tuple[float, ...], expected: list[int]) -> None:
    """Each payload gets floor(weight × num / total), the last one the rest."""
    assert sent(num, *weights) == expected


@pytest.mark.parametrize(
    ("num", "weights", "words"),
    [
        (5, (1, 1, 1, 1, 1, 1), 'You have 6 payloads and only "num"=5'),
        (5, (1, 99), "Invalid payload weight (num is too small)"),
        (10, ("1", 1), "every weight must be a number"),
        (10, (3, -1), "num is too small"),
    ],
)
def test_weights_that_do_not_fit(num: int, weights: tuple[Any, ...], words: str) -> None:
    """Weights that leave a payload out are refused with LPT's words."""
    with pytest.raises(InvalidInput) as caught:
        sent(num, *weights)
    assert words in str(caught.value)


def test_one_payload_for_all() -> None:
    """A payload without weights is sent every time, as payload 0."""
    shares = plan(5, {"a": 1})
    assert {shares.body(number).decode() for number in range(5)} == {'{"a":1}'}
    assert shares.index(4) == 0


def test_too_big_for_lambda() -> None:
    """A payload over Lambda's 6 MB is refused before anything is changed."""
    with pytest.raises(InvalidInput, match="Lambda takes at most"):
        plan(5, "x" * (6 * 1024 * 1024))


@pytest.mark.parametrize(
    ("uri", "bucket", "key"),
    [
        ("s3://bucket/key.json", "bucket", "key.json"),
        ("s3://bucket/a/b%20c.json", "bucket", "a/b c.json"),
        ("s3://bucket/a?b#c", "bucket", "a?b#c"),
    ],
)
def test_s3_uris(uri: str, bucket: str, key: str) -> None:
    """Bucket and key are taken from the URI, the key decoded."""
    assert parse_uri(uri) == (bucket, key)


@pytest.mark.parametrize(
    "uri", ["bucket/key", "https://bucket/key", "s3://bucket", "s3:///key", "s3://"]
)
def test_malformed_s3_uris(uri: str) -> None:
    """What is not s3://bucket/key is refused."""
    with pytest.raises(PayloadNotRead, match="Invalid S3 path"):
        parse_uri(uri)


WEIGHTED = '[{"weight": 1, "payload": {"a": [{"b": 1}]}}, {"weight": 4, "payload": "x"}]'


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ('{"a": 1.50}', ['{"a": 1.50}'] * 5),
        ('[{"weight": 1}]', ['[{"weight": 1}]'] * 5),
        ('[{"weight": 0, "payload": {}}]', ['[{"weight": 0, "payload": {}}]'] * 5),
        ("[]", ["[]"] * 5),
        ("plain", ['"plain"'] * 5),
        ("NaN", ['"NaN"'] * 5),
        ('"text"', ['"text"'] * 5),
        (r'"{\"a\": 1}"', ['{"a": 1}'] * 5),  # a string that is JSON is sent as is
        (WEIGHTED, ['{"a":[{"b":1}]}', *['"x"'] * 4]),
    ],
)
def test_text_of_an_object(text: str, sent: list[str]) -> None:
    """An object in S3 is JSON if it parses, weighted or not; else its text is the payload."""
    shares = plan(5, from_text(text))
    assert [shares.body(number).decode() for number in range(5)] == sent


@pytest.mark.parametrize("text", [WEIGHTED, '{"a": 1.50}', "[]", '"text"', "plain"])
def test_a_byte_order_mark_changes_nothing(text: str) -> None:
    """Windows writes one in front of files: JSON stays JSON, weighted lists stay weighted."""
    plain, marked = plan(5, from_text(text)), plan(5, from_text(f"\ufeff{text}"))
    assert marked == plain
    # and a file that a shell has put into the execution's input as text
    assert plan(5, '\ufeff{"a": 1}').bodies == (b'{"a": 1}',)


def test_nested_too_deeply() -> None:
    """What Python cannot read is refused in a line."""
    with pytest.raises(InvalidInput, match="nested too deeply"):
        from_text("[" * 100_000)


def test_large_object_is_not_taken_apart() -> None:
    """A payload of megabytes is sent as it is, and takes little memory on the way."""
    rows = [{"id": i, "name": f"customer {i}", "tags": ["a", "b"]} for i in range(20_000)]
    text = json.dumps({"rows": rows})
    del rows
    tracemalloc.start()
    body = plan(5, from_text(text)).body(0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert body == text.encode()
    assert peak < 3 * len(text)


def test_spaces_of_a_large_object() -> None:
    """An object that is too large for its spaces only is sent without them."""
    text = "[" + ", ".join([" " * 1000 + "1"] * 7000) + "]"
    assert len(plan(5, from_text(text)).body(0)) == 14_001
