"""The row of a retuning: what is in it, what is not, and what is refused."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest

from retune.errors import RowNotWritten
from retune.outcome import error_name, figures, sentence
from retune.row import make, notice

ENDED = "2026-12-01T14:00:00+00:00"
OUTPUT: dict[str, Any] = {
    "power": 512,
    "cost": 4e-08,
    "duration": 5.5,
    "originalPower": 128,
    "architecture": "arm64",
    "strategy": "cost",
    "prices": {"currency": "USD"},
    "stateMachine": {"lambdaCost": 2e-06},
    "tuner": {"cost": 0.0001},
    "warnings": ["128 MB: 1 of 5 invocations failed, first: password=hunter2"],
    "adaptive": {
        "atMostPercent": 13.8,
        "within5Percent": 0.7,
        "confidence": "default",
        "reason": "it is known well enough",
        "curve": [
            {"power": 128, "durationMs": [20.0, 22.0, 24.0]},
            {"power": 512, "durationMs": [5.0, 5.5, 6.0]},
        ],
    },
    "details": [
        {
            "power": 128,
            "count": 3,
            "invocations": 4,
            "coldStarts": 1,
            "errors": 1,
            "errorsByType": {"hunter2": 1},
            "duration": {"trimmedMean": 22.3, "ci95": [19.0, 25.0]},
            "cost": 5e-08,
            "excluded": "",
        },
        {
            "power": 512,
            "count": 3,
            "invocations": 3,
            "coldStarts": 0,
            "errors": 0,
            "errorsByType": {},
            "duration": {"trimmedMean": 5.57, "ci95": [5.1, 6.1]},
            "cost": 4e-08,
            "excluded": "",
        },
        {"power": 10240, "count": 0, "excluded": "the account has no such size"},
    ],
}
EVENT: dict[str, Any] = {
    "retuning": {
        "id": "5f0b1f5e-c0de",
        "execution_arn": "arn:aws:states:eu-west-1:111122223333:execution:r:5f0b1f5e-c0de",
        "started_at": "2026-12-01T13:59:00.000Z",
    },
    "function": {
        "arn": "arn:aws:lambda:eu-west-1:111122223333:function:shop-orders:live",
        "name": "shop-orders",
        "alias": "live",
        "environment": "prod",
        "payload": {"key": "prod/main/payloads/orders.json", "versionId": "v1"},
        "input": {"maxCostUsd": 0.05},
    },
    "request": {
        "function": "orders",
        "cause": "alarm",
        "alarm": "shop-orders-slow",
        "event": {"id": "c4c1c1c9", "time": "2026-12-01T13:58:00Z"},
    },
    "traffic": None,
    "outcome": {"tuning": OUTPUT},
}


def changed(*path: Any, to: Any) -> dict[str, Any]:
    """Return the event with another value at one place."""
    event = copy.deepcopy(EVENT)
    place: Any = event
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = to
    return event


def test_a_row_says_what_why_and_how_sure() -> None:
    """Sizes, cost, durations with intervals, the statement, cause and event: on one line."""
    row = make(EVENT, ENDED)
    assert row.key("dyno/prod/main/") == "dyno/prod/main/retunings/v1/5f0b1f5e-c0de.json"
    assert row.body.endswith(b"\n")
    assert row.body.count(b"\n") == 1
    said = json.loads(row.body)
    assert (said["memory_mb"], said["recommended_mb"], said["outcome"]) == (128, 512, "tuned")
    assert (said["cause"], said["event_id"]) == ("alarm", "c4c1c1c9")
    assert (said["alarm"], said["env"]) == ("shop-orders-slow", "prod")
    assert said["duration_ms"] == 22.3
    assert (said["duration_low_ms"], said["duration_high_ms"]) == (20.0, 24.0)
    assert said["recommended_duration_high_ms"] == 6.0
    assert (said["at_most_percent"], said["confidence"]) == (13.8, "default")
    assert said["reason"] == "it is known well enough"
    assert (said["function_cost_usd"], said["tuner_cost_usd"]) == (2e-06, 0.0001)
    assert (said["invocations"], said["max_cost_usd"]) == (7, 0.05)
    assert [size["memory_mb"] for size in said["sizes"]] == [128, 512]


def test_nothing_of_the_functions_own_words_is_in_it() -> None:
    """Warnings, names of errors and causes are texts of others."""
    failed = changed(
        "outcome", to={"failure": {"error": "NotTunable", "cause": "password=hunter2"}}
    )
    for event in (EVENT, failed):
        row = make(event, ENDED)
        told = notice(row, row.key("prod/main/"))
        assert "hunter2" not in row.body.decode() + json.dumps(told)


def test_a_failed_tuning_has_a_row_with_its_error_alone() -> None:
    """There is nothing to see of it but that it was tried."""
    row = make(changed("outcome", to={"failure": {"error": "PayloadNotRead"}}), ENDED)
    assert (row.content["outcome"], row.content["error"]) == ("failed", "PayloadNotRead")
    assert "recommended_mb" not in row.content
    said = notice(row, "k")["sentence"]
    assert said == ("shop-orders:live: the tuning failed with PayloadNotRead. Nothing was changed.")


@pytest.mark.parametrize(
    ("failure", "name"),
    [
        pytest.param({"error": "FunctionBusy", "cause": "{}"}, "FunctionBusy", id="its own"),
        pytest.param(
            {"error": "States.TaskFailed", "cause": '{"Error": "NotTunable", "Input": "x"}'},
            "NotTunable",
            id="of the execution that was waited for",
        ),
        pytest.param(
            {"error": "States.TaskFailed", "cause": "no JSON"}, "States.TaskFailed", id="no JSON"
        ),
        pytest.param(
            {"error": "States.TaskFailed", "cause": "[]"}, "States.TaskFailed", id="a list"
        ),
        pytest.param(
            {"error": "States.TaskFailed", "cause": '{"Error": "a b\\n"}'}, "Unknown", id="no name"
        ),
        pytest.param({}, "Unknown", id="none"),
    ],
)
def test_what_it_failed_with(failure: dict[str, str], name: str) -> None:
    """A name, wherever Step Functions has it."""
    assert error_name(failure) == name


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(changed("retuning", "id", to="../../main/rows/v1/runs/x"), id="a path"),
        pytest.param(changed("retuning", "id", to="a" * 81), id="a long name"),
        pytest.param(changed("request", "cause", to="mallory"), id="no cause"),
        pytest.param(changed("request", "alarm", to="a\nb"), id="two lines"),
        pytest.param(changed("request", "event", "id", to=7), id="no text"),
        pytest.param(changed("outcome", "tuning", "power", to=64), id="no size"),
        pytest.param(changed("outcome", "tuning", "power", to=2048), id="a size not measured"),
        pytest.param(changed("outcome", "tuning", "power", to="512"), id="a size as text"),
        pytest.param(changed("outcome", "tuning", "strategy", to="x" * 9000), id="no strategy"),
        pytest.param(
            changed("outcome", "tuning", "stateMachine", "lambdaCost", to=1e308), id="1e308"
        ),
        pytest.param(changed("outcome", "tuning", "tuner", "cost", to=math.nan), id="not a number"),
        pytest.param(changed("outcome", "tuning", "details", to=[{}]), id="a detail of nothing"),
        pytest.param(changed("outcome", "tuning", to={}), id="no output"),
    ],
)
def test_what_is_none_is_refused(event: dict[str, Any]) -> None:
    """Whatever comes back: a row has only what a tuning can have said."""
    with pytest.raises(RowNotWritten):
        make(event, ENDED)


def test_the_notice_is_a_sentence() -> None:
    """With sizes, money and how sure it is."""
    row = make(EVENT, ENDED)
    told = notice(row, "prod/main/retunings/v1/5f0b1f5e-c0de.json")
    assert told["sentence"] == (
        "shop-orders:live: 512 MB instead of 128 MB: 5.57 ms instead of 22.3 ms, 0.01 USD per "
        "million invocations cheaper. With 95 % it is at most 13.8 % worse than the best size. "
        "Nothing was changed."
    )
    assert told["row"].endswith("/5f0b1f5e-c0de.json")


def test_a_size_that_stays_is_said_as_well() -> None:
    """No change is a result."""
    found = figures({**OUTPUT, "power": 128})
    assert sentence("shop-orders:live", found).startswith("shop-orders:live: keep 128 MB. ")


def test_time_that_was_up_before_a_decision_leaves_the_statement_out() -> None:
    """Figures without it are figures."""
    found = figures({key: value for key, value in OUTPUT.items() if key != "adaptive"})
    assert (found["at_most_percent"], found["duration_low_ms"]) == (None, 19.0)
    assert "How sure that is cannot be told." in sentence("f:live", found)
