"""What a direct invocation costs, by its REPORT line."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest

from lambda_dyno.compare.events import Events
from lambda_dyno.compare.invocations import Invoked, costs_usd, invoke, reported
from lambda_dyno.core.errors import StepError

WARM = "REPORT RequestId: 31cb\tDuration: 49.20 ms\tBilled Duration: 50 ms\tMemory Size: 512 MB\n"
COLD = (
    "REPORT RequestId: 31cb\tDuration: 49.20 ms\tBilled Duration: 148 ms\tMemory Size: 512 MB\t"
    "Max Memory Used: 31 MB\tInit Duration: 97.88 ms\n"
)


def as_json(**metrics: float) -> str:
    record = {"requestId": "31cb", "metrics": {"durationMs": 49.2, **metrics}}
    return json.dumps({"type": "platform.report", "record": record})


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        pytest.param(WARM, Invoked("7", 50.0, cold=False), id="text"),
        pytest.param(COLD, Invoked("7", 148.0, cold=True), id="text-cold"),
        pytest.param(COLD + WARM, Invoked("7", 50.0, cold=False), id="the-last-one"),
        pytest.param(as_json(billedDurationMs=50), Invoked("7", 50.0, cold=False), id="json"),
        pytest.param(
            as_json(billedDurationMs=148, initDurationMs=97.9),
            Invoked("7", 148.0, cold=True),
            id="json-cold",
        ),
        pytest.param(
            as_json(billedDurationMs=50, billedRestoreDurationMs=12),
            Invoked("7", 62.0, cold=False),
            id="restored",
        ),
        pytest.param("the function's own words", None, id="none"),
    ],
)
def test_a_report_line_is_read_in_text_and_in_json(log: str, expected: Invoked | None) -> None:
    """What is billed, and whether it was a cold start."""
    assert reported(log, "7") == expected


def test_cold_starts_are_not_in_the_cost() -> None:
    """50 ms at 512 MB on arm64 in us-east-1: 0.05 s x 0.5 GB x 0.0000133334 USD."""
    (cost,) = costs_usd(
        [Invoked("1", 50, cold=False), Invoked("1", 148, cold=True)], 512, "us-east-1", "arm64"
    )
    assert cost == pytest.approx(0.05 * 0.5 * 0.0000133334)


class FakeLambda:
    """Answers every invocation the same."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.events: list[Any] = []

    def invoke(self, **call: Any) -> dict[str, Any]:
        self.events.append(json.loads(call["Payload"]))
        tail = base64.b64encode(WARM.encode()).decode()
        answer = {"LogResult": tail, "ExecutedVersion": "3", "Payload": io.BytesIO(b"{}")}
        return {**answer, **self.answer}


def test_every_invocation_gets_the_event() -> None:
    """As many as asked for, with what each says of itself."""
    client = FakeLambda()
    assert invoke(client, "f:live", Events({"a": 1}), 7) == [Invoked("3", 50.0, cold=False)] * 7
    assert client.events == [{"a": 1}] * 7


def test_a_function_that_fails_on_the_event_is_a_sentence() -> None:
    """With what it said, so that the payload can be mended."""
    client = FakeLambda(FunctionError="Unhandled", Payload=io.BytesIO(b'{"errorMessage": "no n"}'))
    with pytest.raises(StepError, match=r"f:live fails on what it is tuned with: .*no n"):
        invoke(client, "f:live", Events({}), 2)


def test_a_log_without_a_report_is_a_sentence() -> None:
    """No cost is made up."""
    with pytest.raises(StepError, match="the log of f:live has no REPORT line"):
        invoke(FakeLambda(LogResult=""), "f:live", Events({}), 1)
