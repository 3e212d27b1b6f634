"""What both versions of a comparison are asked: an event, or whole passes of a workload."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_dyno.compare.events import Events
from lambda_dyno.core.errors import StepError
from lambda_dyno.tuner_contract.workload import Workload

WORKLOAD = Workload.parse(
    {
        "requests": [
            {
                "sequence": [
                    {"name": "make", "event": {"mb": "{{$power}}"}, "status": 201},
                    {"name": "read", "event": {"id": "{{$response.make/body/id}}"}},
                ]
            }
        ]
    }
)


class Shop:
    """Makes ids, and remembers what it was asked."""

    def __init__(self, status: int = 201) -> None:
        self.status = status
        self.asked: list[Any] = []

    def __call__(self, body: bytes) -> bytes:
        self.asked.append(json.loads(body))
        answer = {"statusCode": self.status, "body": json.dumps({"id": len(self.asked)})}
        return json.dumps(answer).encode()


def test_an_event_is_asked_as_often_as_wanted() -> None:
    """Each by itself, so that several sandboxes answer."""
    shop, events = Shop(), Events({"n": 1})
    lanes = events.lanes(7)
    for lane in lanes:
        lane(shop)
    assert shop.asked == [{"n": 1}] * 7
    assert events.one == b'{"n": 1}'


def test_a_workload_is_asked_in_whole_passes() -> None:
    """A sequence stays one lane, and has its own answers."""
    shop, events = Shop(), Events(None, WORKLOAD, 512)
    lanes = events.lanes(5)
    assert len(lanes) == 3
    for lane in lanes:
        lane(shop)
    assert shop.asked == [{"mb": 512}, {"id": 1}, {"mb": 512}, {"id": 3}, {"mb": 512}, {"id": 5}]
    assert events.one == b'{"mb": 512}'


def test_a_version_that_answers_otherwise_is_not_compared() -> None:
    """It would be another work."""
    (lane, *_) = Events(None, WORKLOAD).lanes(1)
    with pytest.raises(StepError, match="`make` answers 500, and 201 when it was recorded"):
        lane(Shop(status=500))
