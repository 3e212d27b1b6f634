"""The handlers: what they are given, what they put out, and what an error looks like after them."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_dyno.tuner_contract.marks import LOCK_ALIAS
from power_tuner.errors import ChangedMeanwhile, CleanUpFailed, Detour, InvalidInput, TunerError
from power_tuner.handlers import analyze as analyze_handler
from power_tuner.handlers import clean_up
from power_tuner.handlers import prepare as prepare_handler
from power_tuner.handlers.common import errors_of
from power_tuner.handlers.measure import left_s, longest_measuring_s, margin_s
from power_tuner.samples import Sample
from power_tuner.state import PowerState, TuningState
from tests.support.tuner_fakes import error
from tests.unit.power_tuner.test_traces import ARN, EXECUTION, World

INPUT = {"lambdaARN": ARN, "num": 5, "powerValues": [128, 512, 1024]}


class Context:
    """Lambda's."""

    memory_limit_in_mb = 128

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class FakeStates:
    """A Step Functions client with one execution."""

    def __init__(self, status: str, error: str = "", text: str = json.dumps(INPUT)) -> None:
        self._execution = {"status": status, "error": error, "input": text}

    def describe_execution(self, executionArn: str) -> dict[str, str]:  # noqa: N803
        assert executionArn == EXECUTION
        return self._execution


def by_rule(monkeypatch: pytest.MonkeyPatch, world: World, states: FakeStates) -> dict[str, Any]:
    """Call CleanUp as the rule does."""
    fakes = {"lambda": world.api, "stepfunctions": states}
    monkeypatch.setattr(clean_up, "client", lambda service, _region: fakes[service])
    return clean_up.handler({"detail": {"executionArn": EXECUTION}}, Context())


@pytest.mark.parametrize("status", ["ABORTED", "FAILED", "TIMED_OUT"])
def test_rule_cleans_up(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    """An execution that was stopped, failed or timed out is cleaned up after."""
    world = World()
    before = world.api.picture()
    world.prepare()
    assert by_rule(monkeypatch, world, FakeStates(status))["cleaned"] is True
    assert world.api.picture() == before


@pytest.mark.parametrize(("event", "name"), [({}, "NotTunable"), ({"retries": 1}, "ChangedMean")])
def test_an_earlier_attempt_may_have_changed_something(
    monkeypatch: pytest.MonkeyPatch, event: dict[str, Any], name: str
) -> None:
    """Then no error may say that nothing was: CleanUp would do nothing."""
    world = World()
    world.api.latest["State"] = "Deactivated"
    monkeypatch.setattr(prepare_handler, "client", lambda *_: world.api)
    with pytest.raises(TunerError, match=name):
        prepare_handler.handler({"input": INPUT, "execution": EXECUTION, **event}, Context())


@pytest.mark.parametrize(
    ("total_s", "measuring_s"), [(60, 54), (3600, 3360), (21_600, 21_360), (math.inf, math.inf)]
)
def test_measuring_ends_before_the_execution_does(total_s: float, measuring_s: float) -> None:
    """An execution that times out loses all that was measured, so it is never left to."""
    assert longest_measuring_s(total_s) == pytest.approx(measuring_s)
    # the command gives the state machine five minutes more than it has itself
    assert longest_measuring_s(total_s + 300) >= total_s


@pytest.mark.parametrize(
    ("timeout_s", "kept_s"), [(3, 15), (45, 15), (50, 10), (55, 5), (60, 4), (900, 4)]
)
def test_a_long_function_has_all_the_time_that_there_is(timeout_s: int, kept_s: float) -> None:
    """Of a pass of 60 s here, 900 on AWS; some is kept to put out what was measured."""
    assert margin_s(Context(), timeout_s) == kept_s


@pytest.mark.parametrize("started", ["2026-11-29T20:00:00.123Z", "2026-11-29T20:00:00+00:00"])
def test_time_counts_from_the_execution_s_start(started: str) -> None:
    """As Step Functions writes it; an execution that began long ago has none left."""
    assert left_s(started, 60) < 0
    just_now = datetime.now(UTC).isoformat()
    assert 50 < left_s(just_now, 60) <= 60
    assert left_s(just_now, math.inf) == left_s(None, 60) == math.inf


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "PENDING_REDRIVE"])
def test_rule_leaves_others_alone(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    """An execution that runs or succeeded keeps what it has, whoever asks."""
    world = World()
    world.prepare()
    assert by_rule(monkeypatch, world, FakeStates(status))["cleaned"] is False
    assert LOCK_ALIAS in world.api.aliases


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("InvalidInput", json.dumps(INPUT)),
        ("FunctionBusy", json.dumps(INPUT)),
        ("States.Runtime", '{"num": 5}'),
        ("States.Runtime", "[]"),
    ],
)
def test_rule_after_nothing(monkeypatch: pytest.MonkeyPatch, error: str, text: str) -> None:
    """After an error that changed nothing, or without a function, no call of Lambda is made."""
    world = World()
    assert by_rule(monkeypatch, world, FakeStates("FAILED", error, text))["cleaned"] is False
    assert world.api.calls == []


@pytest.mark.parametrize(
    ("failure", "error", "cause"),
    [
        (
            {"Error": "NothingMeasured", "Cause": '{"errorMessage": "NothingMeasured: 128 MB: x"}'},
            "NothingMeasured",
            "128 MB: x",
        ),
        (
            {"Error": "Runtime.HandlerError", "Cause": '{"errorMessage": "FunctionGone: gone"}'},
            "FunctionGone",
            "gone",
        ),
        ({"Error": "States.Timeout", "Cause": ""}, "States.Timeout", "ended with States.Timeout"),
        ({"Error": "Lambda.Unknown", "Cause": "not JSON"}, "Lambda.Unknown", "not JSON"),
        ({"Error": "X", "Cause": '{"errorMessage": "KeyError: \'a\'"}'}, "X", "KeyError: 'a'"),
    ],
)
def test_what_an_execution_fails_with(
    monkeypatch: pytest.MonkeyPatch, failure: dict[str, str], error: str, cause: str
) -> None:
    """Error and cause of a failed execution are those of the state that failed, readable."""
    world = World()
    before = world.api.picture()
    world.prepare()
    monkeypatch.setattr(clean_up, "client", lambda _service, _region: world.api)
    event = {"execution": EXECUTION, "input": INPUT, "failure": failure}
    put_out = clean_up.handler(event, Context())
    assert put_out["Error"] == error
    assert put_out["Cause"].endswith(cause)
    assert world.api.picture() == before


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        ("NothingMeasured: 128 MB", ". The tuning had failed with NothingMeasured: 128 MB"),
        ("CleanUpFailed: x", " or another memory size may be left"),
    ],
)
def test_clean_up_that_fails(monkeypatch: pytest.MonkeyPatch, failure: str, cause: str) -> None:
    """A clean-up that is refused is tried again; the last attempt says what is left, and why."""
    world = World()
    world.prepare()

    def refuse(_number: int, name: str) -> None:
        if name == "DeleteFunction":
            raise error("AccessDeniedException", name, "not authorized")

    world.api.before_call = refuse
    monkeypatch.setattr(clean_up, "client", lambda _service, _region: world.api)
    event = {"execution": EXECUTION, "input": INPUT, "failure": {"Error": "X", "Cause": failure}}
    with pytest.raises(CleanUpFailed, match="not authorized"):
        clean_up.handler(event | {"retries": 1}, Context())
    put_out = clean_up.handler(event | {"retries": 2}, Context())
    assert put_out["Error"] == "CleanUpFailed"
    assert f"{ARN} could not be cleaned up" in put_out["Cause"]
    assert put_out["Cause"].endswith(cause)


def test_errors_that_changed_nothing_are_renamed_later_on() -> None:
    """An error that says nothing was changed keeps its name only where that is true."""
    with (
        pytest.raises(InvalidInput, match="InvalidInput: num"),
        errors_of("Prepare", nothing_changed=True),
    ):
        raise InvalidInput("num")
    with pytest.raises(ChangedMeanwhile, match="ChangedMeanwhile: num"), errors_of("Measure"):
        raise InvalidInput("num")


def _event(**power: Any) -> dict[str, Any]:
    state = TuningState(512, "arm64", 3, None, [PowerState(128, versions=["1"], **power)], passes=1)
    state.usage.transitions, state.usage.invocations = 2, 2
    return {"execution": EXECUTION, "input": INPUT, "retries": 1, "state": state.to_json(100)}


def test_analyze_sends_back_what_is_not_finished() -> None:
    """Analyze raises a detour by the name that the state machine's Choice looks for."""
    with pytest.raises(Detour, match=r"^Detour: Measure$"):
        analyze_handler.handler(_event(todo=[3, 4]), Context())


def test_usage_adds_up() -> None:
    """Every invocation of the tuner is counted, retries included, and its GB-seconds."""
    measured = [Sample.of(10, 10)] * 5
    put_out = analyze_handler.handler(_event(samples=measured, attempts=5), Context())
    assert put_out["usage"]["transitions"] == 4
    assert put_out["usage"]["invocations"] == 4
    assert put_out["usage"]["gbSeconds"] > 0
    assert put_out["output"]["power"] == 128
    assert put_out["powers"] == []
