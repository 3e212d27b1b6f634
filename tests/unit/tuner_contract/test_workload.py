"""A workload: its order, its templates, and what is wrong with one."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from lambda_dyno.tuner_contract.values import WrongValueError
from lambda_dyno.tuner_contract.workload import LinkError, Replay, Workload, like, packed, status_of

CRUD = {
    "requests": [
        {
            "sequence": [
                {"name": "create", "event": {"id": "{{$guid:item}}", "n": "{{$n}}"}},
                {"name": "read", "event": {"path": "/items/{{$response.create/body/id}}"}},
                {"name": "drop", "event": {"key": "{{$response.0/body/key}}"}},
            ]
        },
        {"name": "list", "weight": 3, "event": {"size": "{{$power}} MB", "own": "{{$guid}}"}},
    ]
}


def replay(raw: Any = CRUD, seed: str = "arn:1", power: int = 512) -> Replay:
    return Replay(Workload.parse(raw), seed, power)


def test_a_pass_has_the_proportions_and_keeps_sequences_together() -> None:
    """The list three times, between them the three of the sequence in their order."""
    workload = Workload.parse(CRUD)
    names = [workload.requests[place.request].name for place in workload.places]
    assert Counter(names) == {"create": 1, "read": 1, "drop": 1, "list": 3}
    start = names.index("create")
    assert names[start : start + 3] == ["create", "read", "drop"]
    assert [workload.whole_passes(num) for num in (5, 6, 7)] == [6, 6, 12]


def test_links_are_filled_from_the_answer_of_the_same_sequence() -> None:
    """Create, read and delete touch one item, in each pass and size another one."""
    ids = set()
    for power in (128, 512):
        asked = replay(power=power)
        names = [asked.workload.requests[p.request].name for p in asked.workload.places]
        for turn in (0, 1):
            first = turn * len(names) + names.index("create")
            event = asked.event(first)
            ids.add(event["id"])
            body = json.dumps({"id": event["id"], "key": 7})
            asked.answered(first, json.dumps({"statusCode": 201, "body": body}).encode())
            assert asked.event(first + 1) == {"path": f"/items/{event['id']}"}
            assert asked.event(first + 2) == {"key": 7}  # a number stays one
            assert asked.values(first + 1) == [event["id"]]
    assert len(ids) == 4


def test_the_same_execution_makes_the_same_values_again() -> None:
    """A pass of Measure goes on where the one before ended; another execution has its own."""
    position = [place.request for place in replay().workload.places].index(0)
    assert replay().event(position) == replay().event(position)
    assert replay().event(position) != replay(seed="arn:2").event(position)


def test_what_is_missing_is_known_before_it_is_asked() -> None:
    """It is made again for its answer."""
    asked = replay()
    first = [p.request for p in asked.workload.places].index(0)
    assert asked.missing(first + 1) == [first]
    with pytest.raises(LinkError, match="there is no answer of `create`"):
        asked.event(first + 1)
    asked.answered(first, b'{"statusCode": 201, "body": "{}"}')
    assert asked.missing(first + 1) == []
    with pytest.raises(LinkError, match="the answer of `create` has no /body/id"):
        asked.event(first + 1)


@pytest.mark.parametrize(
    ("answer", "pointer", "found"),
    [
        ({"id": 3}, "/id", 3),
        ({"Items": [{"id": "a"}, {"id": "b"}]}, "/Items/1/id", "b"),
        ({"statusCode": 200, "body": '{"a/b": 1}'}, "/body/a~1b", 1),
        ({"statusCode": 200, "body": "eyJpZCI6IDV9", "isBase64Encoded": True}, "/body/id", 5),
        ({"id": 9}, "/body/id", 9),  # an HTTP API takes it for the body
        (
            {"statusCode": 201, "headers": {"Location": "/items/17"}},
            "/headers/location",
            "/items/17",
        ),
        ({"statusCode": 201, "headers": {"Location": "/items/17"}}, "/headers/location|last", "17"),
        ({"statusCode": 201, "multiValueHeaders": {"ETag": ["x"]}}, "/headers/etag", "x"),
        ("plain", "", "plain"),
    ],
)
def test_parts_of_answers(answer: Any, pointer: str, found: Any) -> None:
    """Of a direct invocation, of an API's proxy answer, of headers."""
    raw = [{"name": "a", "event": {}}, {"name": "b", "event": f"{{{{$response.a{pointer}}}}}"}]
    asked = replay({"requests": [{"sequence": raw}]})
    asked.answered(0, json.dumps(answer).encode())
    assert asked.event(1) == found


@pytest.mark.parametrize(
    "value", ["1780000000123", "abc", "deadbeef01", "A7-x_9", "0", "4f3c2b1a", "Z"]
)
def test_like_has_the_shape(value: str) -> None:
    """Digits for digits, letters for letters; a time stays near its time."""
    made = like(value, "s")
    assert len(made) == len(value)
    for old, new in zip(value, made, strict=True):
        assert (old.isdecimal(), old.isupper(), old.islower()) == (
            new.isdecimal(),
            new.isupper(),
            new.islower(),
        )
    if value == "1780000000123":
        assert made.startswith("1780")
    if value == "deadbeef01":
        int(made, 16)
    assert like(value, "s") == made


@pytest.mark.parametrize(
    ("answer", "status"),
    [(b'{"statusCode": 404}', 404), (b'{"id": 1}', 0), (b"", 0), (b"[1]", 0), (b"x", 0)],
)
def test_the_status_of_an_answer(answer: bytes, status: int) -> None:
    """One that says none has none."""
    assert status_of(answer) == status


def request(**given: Any) -> dict[str, Any]:
    return {"requests": [{"name": "a", "event": {}} | given]}


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        ([], "must be an object with a list"),
        ({"requests": []}, "must be an object with a list"),
        ({"requests": [1]}, r"requests\[0\]: must be an object"),
        ({**request(), "x": 1}, "x: unknown key; allowed: requests"),
        (request(weight=0), r"requests\[0\].weight: 0 is not allowed: a whole number, 1 to 1000"),
        (request(weight=1.5), r"weight: 1.5 is not allowed"),
        (request(weight=True), r"weight: True is not allowed"),
        (request(name=""), r"requests\[0\].name: '' is not allowed"),
        (request(status=99), r"requests\[0\].status: 99 is no HTTP status"),
        (request(payload=1), r"requests\[0\].payload: unknown key; allowed: name, event, status"),
        ({"requests": [{"name": "a"}]}, r"requests\[0\].event: missing"),
        (request(event="{{$uuid}}"), r"\{\{\$uuid\}\} is not known; allowed: \$n, \$pass"),
        (request(event="{{$guid:}}"), "is not known"),
        (request(event="{{$response.b/id}}"), "no request before it .* there are none"),
        (
            {
                "requests": [
                    {
                        "sequence": [
                            {"name": "a", "event": {}},
                            {"name": "b", "event": "{{$response.c/x}}"},
                        ]
                    }
                ]
            },
            r"requests\[0\].sequence\[1\]: .* there are `a`",
        ),
        ({"requests": [{"sequence": []}]}, r"sequence: must be a list of requests"),
        (
            {"requests": [{"sequence": [{"name": "a", "event": {}, "weight": 2}]}]},
            r"sequence\[0\].weight: unknown key",
        ),
        (
            {"requests": [{"name": n, "event": {}, "weight": 1000} for n in "ab"]},
            "a pass has 2000 requests by the weights, and at most 1000",
        ),
    ],
)
def test_what_is_wrong_is_one_clear_line(raw: Any, complaint: str) -> None:
    """It names the entry and what is allowed."""
    with pytest.raises(WrongValueError, match=complaint) as caught:
        Workload.parse(raw)
    assert "\n" not in str(caught.value)


def test_a_long_workload_is_packed_and_a_short_one_can_be_read() -> None:
    """Events of an API are alike: ten times as many fit beside what is measured."""
    assert packed(CRUD) == CRUD
    event = {"headers": {f"x-{i}": "some value" for i in range(40)}}
    long = {"requests": [{"name": f"r{i}", "event": event} for i in range(200)]}
    short = packed(long)
    assert len(short) * 20 < len(json.dumps(long))
    assert Workload.parse(short) == Workload.parse(long)


@pytest.mark.parametrize(
    "text", ["load", "bm8gemxpYg==", packed("x" * 9_000_000), packed("1" * 40_000)]
)
def test_what_was_not_packed_is_no_workload(text: str) -> None:
    """Nor is what grows beyond all bounds."""
    with pytest.raises(WrongValueError, match=r"must be an object with a list|longer than 8 MB"):
        Workload.parse(text)
