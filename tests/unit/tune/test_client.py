"""The client's side of a tuning: following, giving up, stopping, and reading what came of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.tune import client
from lambda_dyno.tuner_contract.marks import LOCK_ALIAS

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:dyno-tuner"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:dyno-tuner:run-1"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:shop"
INPUT = {"lambdaARN": FUNCTION, "num": 5, "powerValues": [128, "256", 256]}


class MissingError(Exception):
    """What boto3 raises for something that is not there."""


class FakeStates:
    """A Step Functions client with one execution that plays a script of statuses."""

    class exceptions:  # noqa: N801 - as in boto3
        StateMachineDoesNotExist = MissingError
        InvalidExecutionInput = ValueError

    def __init__(self, *answers: dict[str, Any], start: Exception | None = None) -> None:
        self._answers = list(answers)
        self._start = start
        self.stopped = False
        self.entered: list[tuple[str, dict[str, Any]]] = [("Prepare", {})]

    def start_execution(self, stateMachineArn: str, input: str) -> dict[str, str]:  # noqa: A002, N803
        if self._start:
            raise self._start
        self.input: dict[str, Any] = json.loads(input)
        assert self.input["lambdaARN"] == FUNCTION
        return {"executionArn": EXECUTION}

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        if self.stopped:
            return {"executionArn": executionArn, "status": "ABORTED"}
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return {"executionArn": executionArn} | answer

    def get_execution_history(self, **arguments: Any) -> dict[str, Any]:
        events = [
            {
                "id": number,
                "type": "TaskStateEntered",
                "stateEnteredEventDetails": {"name": name}
                | ({"input": json.dumps(state)} if arguments["includeExecutionData"] else {}),
            }
            for number, (name, state) in enumerate(self.entered, 1)
        ]
        return {"events": events[::-1]}

    def stop_execution(self, executionArn: str, cause: str) -> None:  # noqa: N803
        self.stopped = True


class FakePages:
    def __init__(self, pages: list[dict[str, Any]]) -> None:
        self._pages = pages

    def paginate(self, **_arguments: str) -> list[dict[str, Any]]:
        return self._pages


class FakeFunctions:
    """A Lambda client for a function with the marks of a tuning, until they are gone."""

    class exceptions:  # noqa: N801 - as in boto3
        ResourceNotFoundException = MissingError

    def __init__(self, looks: int) -> None:
        self.looks = looks  # that still find something

    def get_function_configuration(self, FunctionName: str) -> None:  # noqa: N803
        raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, FunctionName)

    def get_paginator(self, name: str) -> FakePages:
        if name == "list_aliases":
            self.looks -= 1
            lock = {"Name": LOCK_ALIAS, "Description": f"{EXECUTION} 512 held"}
            return FakePages([{"Aliases": [lock] if self.looks >= 0 else []}])
        return FakePages([{"Versions": [{"Description": "mine"}]}])


class FakeSession:
    def __init__(self, states: FakeStates, functions: FakeFunctions | None = None) -> None:
        self._clients = {"stepfunctions": states, "lambda": functions or FakeFunctions(0)}

    def client(self, name: str, **_options: Any) -> Any:
        return self._clients[name]


class Clock:
    def __init__(self, at: Callable[[float], None] = lambda _now: None) -> None:
        self.now = 0.0
        self._at = at

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._at(self.now)


def run(
    states: FakeStates,
    functions: FakeFunctions | None = None,
    clock: Clock | None = None,
    timeout_s: float = 60,
    on_progress: client.OnProgress = lambda _progress: None,
) -> client.FinishedExecution:
    clock = clock or Clock()
    return client.run(
        INPUT,
        state_machine_arn=MACHINE,
        session=FakeSession(states, functions),
        timeout_s=timeout_s,
        on_progress=on_progress,
        clock=clock,
        sleep=clock.sleep,
    )


def test_success() -> None:
    """A finished execution's output is returned."""
    states = FakeStates({"status": "RUNNING"}, {"status": "SUCCEEDED", "output": '{"power": 128}'})
    assert run(states) == client.FinishedExecution(EXECUTION, {"power": 128})


def test_progress() -> None:
    """Progress names the state, and counts what was measured once that is known."""
    states = FakeStates(*[{"status": "RUNNING"}] * 3, {"status": "SUCCEEDED", "output": "{}"})
    steps = iter([("Measure", {"measured": 0}), ("Measure", {"measured": 7}), ("CleanUp", {})])

    def next_state(progress: client.TuningProgress) -> None:
        seen.append((progress.state, progress.done, progress.total))
        states.entered.append(next(steps))

    seen: list[tuple[str, int | None, int | None]] = []
    run(states, on_progress=next_state)
    # 128 and 256 with 5 invocations each
    assert seen == [("Prepare", None, 10), ("Measure", None, 10), ("Measure", 7, 10)]


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            {"status": "FAILED", "error": "InvalidInput", "cause": "num: too small"},
            "InvalidInput: num: too small",
            "nothing was changed",
        ),
        ({"status": "FAILED", "error": "States.Timeout"}, "States.Timeout", EXECUTION),
        ({"status": "TIMED_OUT"}, "took longer than the tuner allows", EXECUTION),
        ({"status": "ABORTED"}, "was stopped", EXECUTION),
    ],
)
def test_failure(answer: dict[str, str], words: str, hint: str) -> None:
    """A failed execution's error has its cause, and a hint."""
    with pytest.raises(StepError, match=words) as caught:
        run(FakeStates(answer))
    assert hint in caught.value.hint
    assert caught.value.step == "tune"


def test_no_such_tuner() -> None:
    """A state machine that is not there is the user's mistake."""
    with pytest.raises(UserError, match="there is no power tuner"):
        run(FakeStates({"status": "RUNNING"}, start=MissingError()))


def test_interrupted() -> None:
    """Ctrl-C stops the execution, and waits until its lock is gone."""

    def interrupt(now: float) -> None:
        if now == 1.0:
            raise KeyboardInterrupt

    states, functions = FakeStates({"status": "RUNNING"}), FakeFunctions(looks=4)
    with pytest.raises(KeyboardInterrupt):
        run(states, functions, Clock(interrupt))
    assert states.stopped
    assert functions.looks < 0


def test_too_long() -> None:
    """A tuning that does not end by itself, as it is told to, is stopped and cleaned up after."""
    states, clock = FakeStates({"status": "RUNNING"}), Clock()
    with pytest.raises(StepError, match="not over after 60 s"):
        run(states, clock=clock)
    assert states.stopped
    assert 180 < clock.now < 190
    assert states.input["timeLimitSeconds"] == 60


@pytest.mark.parametrize(
    ("keys", "timeout_s", "sent"),
    [
        ({"timeLimitSeconds": "30"}, 60, 30),
        ({"timeLimitSeconds": 90}, 60, 60),
        ({}, math.inf, None),
    ],
)
def test_measuring_ends_before_nobody_waits_for_it(
    keys: dict[str, Any], timeout_s: float, sent: float | None
) -> None:
    """The state machine gets the time that the client has, or less if the input says so."""
    states = FakeStates({"status": "SUCCEEDED", "output": "{}"})
    client.run(
        INPUT | keys, state_machine_arn=MACHINE, session=FakeSession(states), timeout_s=timeout_s
    )
    assert states.input.get("timeLimitSeconds") == sent


def test_clean_up_that_never_comes() -> None:
    """A clean-up that does not come is an error that says what to do."""
    with pytest.raises(StepError, match="has not been cleaned up after") as caught:
        run(FakeStates({"status": "RUNNING"}), FakeFunctions(looks=10_000), timeout_s=1)
    assert "dyno sweep" in caught.value.hint


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"powerValues": [128, "256", " 128 "], "num": "5"}, 10),
        ({"powerValues": "ALL", "num": 5}, 795),
        ({"powerValues": "ALL", "num": 50, "dryRun": True}, 159),
        ({"num": 5}, None),  # the tuner's default power values
        ({"powerValues": [128]}, None),
    ],
)
def test_expected_invocations(keys: dict[str, Any], expected: int | None) -> None:
    """How many invocations a tuning takes is known from its input, if that names them."""
    assert client._expected_invocations(keys) == expected
