"""The power tuner when things go wrong: each run ends, says what happened, and leaves nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.support.tuner_stack import TunerStack

if TYPE_CHECKING:
    from pathlib import Path

    from _pytest.mark import ParameterSet

    from lambda_dyno.emulator import server
    from tests.conftest import DeployFunction

pytestmark = pytest.mark.e2e

SLEEPS = """
import time

def handler(event, context):
    time.sleep(0.2)
"""

FAILS = """
def handler(event, context):
    raise ValueError("no good: " + str(event))
"""

STATES = {
    "Prepare": "prepare",
    "Measure": "measure",
    "Analyze": "analyze",
    "Optimize": "optimize",
    "CleanUp": "clean-up",
}
# Into the middle of each state's work; it takes longer where the machine is slow.
WORK_S = {"Prepare": 0.5, "Measure": 0.5, "Analyze": 0.0, "Optimize": 0.3, "CleanUp": 0.0}


def quick(state: str, of: Iterable[str]) -> list[ParameterSet]:
    """Return the states, all but one of them for `make test-all` only."""
    return [pytest.param(each, marks=[] if each == state else [pytest.mark.slow]) for each in of]


@pytest.fixture(scope="module")
def sleeper(tuner_stack: TunerStack, deploy_function: DeployFunction) -> str:
    """A function of 512 MB that takes a while."""
    return deploy_function(tuner_stack.session, "target-sleeper", SLEEPS, MemorySize=512)


@contextmanager
def denied(tuner_stack: TunerStack, state: str, action: str) -> Iterator[None]:
    """Take an action from a state's role for a while."""
    role = tuner_stack.role_arns[STATES[state]].rpartition("/")[2]
    iam = tuner_stack.session.client("iam")
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="denied")


@contextmanager
def broken(tuner_stack: TunerStack, state: str) -> Iterator[None]:
    """Let a state's function fail to start for a while."""
    lambdas, name = tuner_stack.session.client("lambda"), f"dyno-tuner-{STATES[state]}"
    handler = lambdas.get_function_configuration(FunctionName=name)["Handler"]
    lambdas.update_function_configuration(FunctionName=name, Handler="nothing.here")
    try:
        yield
    finally:
        lambdas.update_function_configuration(FunctionName=name, Handler=handler)


@contextmanager
def timeout_of(tuner_stack: TunerStack, state: str, seconds: int) -> Iterator[None]:
    """Give a state another time-out for a while."""
    states, arn = tuner_stack.session.client("stepfunctions"), tuner_stack.state_machine_arn
    definition = states.describe_state_machine(stateMachineArn=arn)["definition"]
    other = json.loads(definition)
    other["States"][state]["TimeoutSeconds"] = seconds
    states.update_state_machine(stateMachineArn=arn, definition=json.dumps(other))
    try:
        yield
    finally:
        states.update_state_machine(stateMachineArn=arn, definition=definition)


def kill_idle(home: Path, function: str) -> None:
    """Let a function start in a new process the next time."""
    for process in processes_of(home, function):
        process.kill()
    while processes_of(home, function):
        time.sleep(0.005)


def kill_at_work(home: Path, function: str, at_work_s: float) -> None:
    """Kill the process in which the embedded AWS runs a function, a while after it has begun."""
    deadline = time.monotonic() + 120
    while not processes_of(home, function):
        assert time.monotonic() < deadline, f"{function} does not run"
        time.sleep(0.005)
    time.sleep(at_work_s)
    for process in processes_of(home, function):
        process.kill()


def processes_of(home: Path, function: str) -> list[psutil.Process]:
    """Return the processes in which the embedded AWS runs a function."""
    return [
        process
        for process in psutil.process_iter(["pid", "cmdline"])
        if str(home) in (command := " ".join(process.info["cmdline"] or []))
        and f"-{function}-" in command
    ]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"num": 4}, "num: Missing num or num below 5"),
        ({"powerValues": [100]}, "powerValues: 100 is not a memory size"),
        ({"strategy": "cheapest"}, "strategy: 'cheapest' is not one of cost, speed, balanced"),
        ({"lambdaARN": "target-sleeper"}, "lambdaARN: 'target-sleeper' is not the ARN"),
        ({"payload": [{"weight": 1, "payload": "a"}] * 6}, "Please increase"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_input(tuner_stack: TunerStack, sleeper: str, keys: dict[str, Any], words: str) -> None:
    """Bad input fails the execution before the function is touched, even its RevisionId."""
    revision = tuner_stack.revision(sleeper)
    done = tuner_stack.tune(sleeper, **keys)
    assert (done.status, done.error) == ("FAILED", "InvalidInput")
    assert words in done.cause
    assert tuner_stack.revision(sleeper) == revision


def test_function_that_may_not_be_tuned(
    tuner_stack: TunerStack, deploy_function: DeployFunction
) -> None:
    """A function outside of the tuner's patterns is refused by IAM, and the cause says so."""
    other = deploy_function(tuner_stack.session, "other", SLEEPS)
    before = tuner_stack.snapshot(other)
    done = tuner_stack.tune(other)
    assert (done.status, done.error) == ("FAILED", "NotTunable")
    assert "tunable_function_arns" in done.cause
    assert tuner_stack.snapshot(other) == before


def test_always_failing(tuner_stack: TunerStack, deploy_function: DeployFunction) -> None:
    """A function that always fails ends in FAILED, with power value, payload and its own words."""
    function = deploy_function(tuner_stack.session, "target-fails", FAILS)
    before = tuner_stack.snapshot(function)
    done = tuner_stack.tune(function, powerValues=[128], payload="order 7")
    assert (done.status, done.error) == ("FAILED", "NothingMeasured")
    assert "power value 128 MB, payload 0" in done.cause
    assert "no good: order 7" in done.cause
    assert done.states == ["Prepare", "Measure", "CleanUpAfterError", "Fail"]
    assert tuner_stack.snapshot(function) == before


@pytest.mark.parametrize(
    "state", quick("Measure", of=["Prepare", "Measure", "Analyze", "Optimize"])
)
def test_stopped(tuner_stack: TunerStack, sleeper: str, state: str) -> None:
    """An execution that is stopped in any state is cleaned up after by the rule."""
    before = tuner_stack.snapshot(sleeper)
    execution = tuner_stack.start(sleeper, powerValues=[128, 256], autoOptimize=True)
    tuner_stack.wait_for_state(execution, state)
    if state != "Analyze":  # that one is over in no time
        time.sleep(0.3)  # into the middle of its work
    tuner_stack.stop(execution)
    tuner_stack.wait_until_clean(sleeper, before)
    # what a function of the stopped execution still does is undone as well
    time.sleep(1.5)
    assert tuner_stack.snapshot(sleeper) == before


@pytest.mark.slow
def test_state_that_times_out(tuner_stack: TunerStack, sleeper: str) -> None:
    """A state that takes longer than it may fails the execution, and what it still does is undone.

    The embedded AWS has no time-out of executions; what the rule does then is a unit test.
    """
    before = tuner_stack.snapshot(sleeper)
    with timeout_of(tuner_stack, "Measure", seconds=2):
        done = tuner_stack.tune(sleeper, powerValues=[128, 256], num=15)
    assert (done.status, done.error) == ("FAILED", "States.Timeout")
    assert done.states == ["Prepare", "Measure", "CleanUpAfterError", "Fail"]
    tuner_stack.wait_until_clean(sleeper, before)


@pytest.mark.slow
def test_stopped_while_cleaning_up(tuner_stack: TunerStack, sleeper: str) -> None:
    """A clean-up that is refused and then stopped is done by the rule as soon as it can be."""
    before = tuner_stack.snapshot(sleeper)
    with denied(tuner_stack, "CleanUp", "lambda:DeleteFunction"):
        execution = tuner_stack.start(sleeper, powerValues=[128])
        tuner_stack.wait_for_state(execution, "CleanUp")
        tuner_stack.stop(execution)
        assert "dyno-tuner-lock" in tuner_stack.snapshot(sleeper).aliases
    tuner_stack.deliver_again(execution)
    tuner_stack.wait_until_clean(sleeper, before)


@pytest.mark.parametrize("state", quick("Measure", of=STATES))
def test_killed(
    tuner_stack: TunerStack, sleeper: str, embedded_aws: server.LocalServer, state: str
) -> None:
    """A tuner function that is killed at work fails the execution, cleanly; CleanUp is redone."""
    function = f"dyno-tuner-{STATES[state]}"
    kill_idle(embedded_aws.home, function)
    before = tuner_stack.snapshot(sleeper)
    execution = tuner_stack.start(
        sleeper, powerValues=[128, 256], autoOptimize=state == "Optimize", autoOptimizeAlias="best"
    )
    kill_at_work(embedded_aws.home, function, at_work_s=WORK_S[state])
    done = tuner_stack.wait(execution)
    if state == "CleanUp":
        assert done.status == "SUCCEEDED", done
    else:
        assert done.status == "FAILED"
        assert "Worker process" in done.cause  # died, or exited before it was ready
    tuner_stack.wait_until_clean(sleeper, before)


@pytest.mark.slow
def test_broken_function(tuner_stack: TunerStack, sleeper: str) -> None:
    """A tuner function that does not even start fails the execution, cleanly."""
    before = tuner_stack.snapshot(sleeper)
    with broken(tuner_stack, "Analyze"):
        done = tuner_stack.tune(sleeper, powerValues=[128])
    assert done.status == "FAILED"
    assert "No module named 'nothing'" in done.cause
    tuner_stack.wait_until_clean(sleeper, before)


@pytest.mark.parametrize(
    ("state", "action"),
    [
        ("Prepare", "lambda:PublishVersion"),
        ("Measure", "lambda:InvokeFunction"),
        pytest.param("Optimize", "lambda:PublishVersion", marks=pytest.mark.slow),
    ],
)
def test_denied(tuner_stack: TunerStack, sleeper: str, state: str, action: str) -> None:
    """A state without one of its permissions fails the execution; the cause names the action."""
    before = tuner_stack.snapshot(sleeper)
    with denied(tuner_stack, state, action):
        done = tuner_stack.tune(
            sleeper, powerValues=[128, 512], autoOptimize=True, autoOptimizeAlias="best"
        )
    assert (done.status, done.error) == ("FAILED", "AwsCallFailed")
    assert action in done.cause
    tuner_stack.wait_until_clean(sleeper, before)


@pytest.mark.slow
def test_denied_clean_up(tuner_stack: TunerStack, sleeper: str) -> None:
    """A clean-up that is refused fails the execution, and says what of the function is left."""
    before = tuner_stack.snapshot(sleeper)
    with denied(tuner_stack, "CleanUp", "lambda:DeleteFunction"):
        done = tuner_stack.tune(sleeper, powerValues=[128])
        assert (done.status, done.error) == ("FAILED", "CleanUpFailed")
        assert "lambda:DeleteFunction" in done.cause
        assert "dyno-tuner-lock" in tuner_stack.snapshot(sleeper).aliases
    tuner_stack.deliver_again(done.arn)
    assert tuner_stack.snapshot(sleeper) == before


@pytest.mark.slow
def test_deleted_while_tuned(tuner_stack: TunerStack, deploy_function: DeployFunction) -> None:
    """A function that is deleted while it is tuned fails the execution, and nothing else."""
    function = deploy_function(tuner_stack.session, "target-deleted", SLEEPS)
    execution = tuner_stack.start(function, powerValues=[128, 256], num=30)
    tuner_stack.wait_for_state(execution, "Measure")
    time.sleep(0.5)
    tuner_stack.session.client("lambda").delete_function(FunctionName=function)
    done = tuner_stack.wait(execution)
    assert (done.status, done.error) == ("FAILED", "FunctionGone")
    assert function in done.cause


@pytest.mark.slow
def test_two_at_once(tuner_stack: TunerStack, sleeper: str) -> None:
    """A second tuning of a function is refused with the first one's ARN, or waits for it."""
    before = tuner_stack.snapshot(sleeper)
    first = tuner_stack.start(sleeper, powerValues=[128, 256], num=8)
    tuner_stack.wait_for_state(first, "Measure")
    waiting = tuner_stack.start(sleeper, powerValues=[256], onConflict="wait")
    refused = tuner_stack.tune(sleeper, powerValues=[256])
    assert (refused.status, refused.error) == ("FAILED", "FunctionBusy")
    assert first in refused.cause
    assert tuner_stack.wait(first).status == "SUCCEEDED"
    assert tuner_stack.wait(waiting).status == "SUCCEEDED"
    assert tuner_stack.snapshot(sleeper) == before
