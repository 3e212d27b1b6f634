"""A workload in the tuner: order, links, warm-up, figures by request, and what is kept secret."""

from __future__ import annotations

import json
import threading
import time
from fractions import Fraction
from typing import Any

import pytest

from lambda_dyno.tuner_contract.reports import Report
from power_tuner.analyze import analyze
from power_tuner.errors import InvalidInput
from power_tuner.function import Deadline
from power_tuner.invoker import Outcome
from power_tuner.measure import Measurer
from power_tuner.payloads import WorkloadPlan
from power_tuner.request import parse
from power_tuner.state import PowerState, TuningState
from power_tuner.stats import exact_trimmed_mean, summarise

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:shop"
WORKLOAD: dict[str, Any] = {
    "requests": [
        {
            "sequence": [
                {"name": "create", "event": {"op": "create", "at": "{{$power}}"}, "status": 201},
                {"name": "read", "event": {"op": "read", "id": "{{$response.create/body/id}}"}},
                {"name": "drop", "event": {"op": "drop", "id": "{{$response.create/body/id}}"}},
            ]
        }
    ]
}
TOOK_MS = {"create": 10.0, "read": 2.0, "drop": 100.0}


class Shop:
    """A function that makes ids, and knows only what it has made; each size is a table."""

    def __init__(self, status: int = 201, error: str = "") -> None:
        self.lock = threading.Lock()
        self.items: dict[str, set[str]] = {}
        self.asked: dict[str, list[str]] = {}
        self.status, self.error = status, error

    def __call__(self, function_arn: str, payload: bytes) -> Outcome:
        version = function_arn.rpartition(":")[2]
        event = json.loads(payload)
        with self.lock:
            items = self.items.setdefault(version, set())
            asked = self.asked.setdefault(version, [])
            asked.append(event["op"])
            if event["op"] == "create":
                item_id = f"secret-{version}-{len(asked)}"
                items.add(item_id)
                answer: dict[str, Any] = {
                    "statusCode": self.status,
                    "body": json.dumps({"id": item_id}),
                }
            else:
                there = event["id"] in items
                answer = {"statusCode": 200 if there else 404, "body": "{}"}
                if event["op"] == "drop":
                    items.discard(event["id"])
        took_ms = TOOK_MS[event["op"]]
        message = f"no {event['id']}" if self.error and event["op"] == "read" else ""
        error = self.error if event["op"] == "read" else ""
        return Outcome(Report("id", took_ms, took_ms), json.dumps(answer).encode(), error, message)


def measured(shop: Shop, *, num: int = 6, seconds: float = 60, **keys: Any) -> TuningState:
    request = parse({"lambdaARN": ARN, "num": num, "workload": WORKLOAD, **keys}, (128, 256))
    todo = range(-request.warm_up, request.invocations)
    powers = [PowerState(power, [str(power)], list(todo)) for power in (128, 256)]
    state = TuningState(128, "x86_64", 3, None, powers)
    plan = WorkloadPlan(request.workload, "arn:1")  # type: ignore[arg-type]
    deadline = Deadline(time.monotonic() + seconds)
    Measurer(request, plan, shop, deadline, 100).run(state)
    return state


@pytest.mark.parametrize("keys", [{}, {"sequential": True}, {"parallelInvocation": True}])
def test_sequences_stay_true_at_every_size(keys: dict[str, Any]) -> None:
    """Each item is created, read and deleted, and nothing is left of it."""
    shop = Shop()
    state = measured(shop, num=7, **keys)
    assert [len(power.samples) for power in state.powers] == [9, 9]  # whole passes
    assert [power.errors for power in state.powers] == [{}, {}]
    assert shop.items == {"128": set(), "256": set()}
    if not keys.get("parallelInvocation"):
        assert shop.asked["128"] == ["create", "read", "drop"] * 4  # one pass warms up
        assert [power.discarded for power in state.powers] == [3, 3]


def test_a_pass_that_ends_within_a_sequence_goes_on_with_it() -> None:
    """What it needs of an earlier answer is asked again, and counts once."""
    request = parse({"lambdaARN": ARN, "num": 6, "workload": WORKLOAD}, (128,))
    shop = Shop()
    power = PowerState(128, ["128"], list(range(2, 6)))  # 0 and 1 were measured before
    state = TuningState.from_json(TuningState(128, "x86_64", 3, None, [power]).to_json(1000))
    plan = WorkloadPlan(request.workload, "arn:1")  # type: ignore[arg-type]
    Measurer(request, plan, shop, Deadline(time.monotonic() + 60), 100).run(state)
    assert shop.asked["128"] == ["create", "drop", "create", "read", "drop"]
    assert (len(state.powers[0].samples), state.powers[0].discarded) == (4, 1)


def test_figures_are_by_request_and_weighted_by_its_share() -> None:
    """Trimming takes the longest of each request, and not the longest request."""
    request = parse({"lambdaARN": ARN, "num": 30, "workload": WORKLOAD}, (128, 256))
    output = analyze(request, measured(Shop(), num=30), "https://x/")
    detail = output["details"][0]
    assert detail["duration"]["trimmedMean"] == pytest.approx((10 + 2 + 100) / 3)
    assert [(x["name"], x["count"], x["trimmedMean"]) for x in detail["requests"]] == [
        ("create", 10, 10.0),
        ("read", 10, 2.0),
        ("drop", 10, 100.0),
    ]
    shares = [x["count"] * x["cost"] for x in detail["requests"]]
    assert sum(shares) / 30 == pytest.approx(detail["cost"])
    low, high = detail["duration"]["ci95"]  # how much requests differ is no noise
    assert high - low < 1e-6


def test_another_status_than_was_recorded_is_a_failure() -> None:
    """Without the header that was left out as secret, a function says 401."""
    state = measured(Shop(status=401), allowedExceptions=[])
    assert state.powers[0].errors["UnexpectedStatus"] == 3  # warming up, too
    assert (
        "request `create`: UnexpectedStatus: it answers 401, and 201 when"
        in state.powers[0].failure
    )


def test_what_an_answer_held_is_in_no_message() -> None:
    """A token of a login is a link, and stays one."""
    state = measured(Shop(error="Boom"))
    texts = json.dumps(state.to_json(1000))
    assert "request `read`: Boom: no [...]" in texts
    assert "secret-" not in texts


def test_what_cannot_be_together_is_refused() -> None:
    """Before anything is changed."""
    for keys, complaint in (
        ({"payload": {}}, "it takes the place of payload"),
        ({"payloadS3": "s3://b/k"}, "it takes the place of payload"),
        ({"onlyColdStarts": True}, "with onlyColdStarts no request can have part of an earlier"),
        ({"workload": {"requests": []}}, "workload: must be an object with a list"),
        ({"workload": 7}, "workload: must be an object with a list"),
    ):
        with pytest.raises(InvalidInput, match=complaint):
            parse({"lambdaARN": ARN, "num": 6, "workload": WORKLOAD, **keys}, (128,))


def test_the_trimmed_mean_of_groups() -> None:
    """Each is trimmed by itself and counts by its size; one group is as it always was."""
    assert exact_trimmed_mean([[1, 2, 3, 4, 100], [10]], 0.2) == Fraction(5 * 3 + 10, 6)
    assert exact_trimmed_mean([[1, 2, 3, 4, 100]], 0.2) == 3
    one = summarise([[1.0, 2.0, 3.0, 4.0]], 0)
    two = summarise([[1.0, 2.0], [3.0, 4.0]], 0)
    assert one.mean == two.mean
    assert two.ci95[1] - two.ci95[0] < one.ci95[1] - one.ci95[0]
