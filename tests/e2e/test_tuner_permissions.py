"""Least privilege of the tuner, on an embedded AWS whose IAM asks what AWS asks.

Each role may do what its state does and nothing else, and a state that may not do one of its
actions fails the execution, cleanly.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from lambda_dyno.emulator import server
from tests.support import functions
from tests.support.oidc_aws import STRICT
from tests.support.tuner_stack import Execution, Snapshot, TunerStack
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import DeployFunction

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ACCOUNT = "123456789012"
BUCKET = f"payloads-{ACCOUNT}"
AT_ONCE = 4
FAST = "def handler(event, context):\n    return event\n"
SLEEPS = "import time\n\ndef handler(event, context):\n    time.sleep(0.2)\n"

# Lambda's service writes logs with the function's role: nobody's call is asked for these.
NO_CALLS = {"logs:CreateLogStream", "logs:PutLogEvents"}
# S3 asks for it when there is no such object: otherwise nobody may know that.
WITHOUT_AN_OBJECT = {("prepare", "s3:ListBucket"), ("measure", "s3:ListBucket")}
# What is granted on copies of functions alone, whose names are not those of the denials.
OF_COPIES = {
    ("prepare", "iam:PassRole"),
    ("prepare", "lambda:CreateFunction"),
    ("prepare", "lambda:GetLayerVersion"),
    ("prepare", "lambda:TagResource"),
    ("clean-up", "logs:DeleteLogGroup"),
}
AFTER_A_STOP = {
    ("prepare", "lambda:InvokeFunction"),
    ("optimize", "lambda:InvokeFunction"),
    ("clean-up", "states:DescribeExecution"),
}


@dataclass(frozen=True)
class Denial:
    """An action that a state must do without."""

    state: str
    action: str

    @property
    def name(self) -> str:
        """Name of its execution, and of the function that is tuned, but for a prefix."""
        return f"no-{self.action.replace(':', '-')}-in-{self.state}"

    @property
    def error(self) -> str:
        """What the execution fails with; empty if it can do without the action."""
        if self.action == "states:DescribeExecution":
            return ""  # needed after a stop: until then an execution counts as running
        if self.state == "clean-up":
            return "CleanUpFailed"
        special = {
            ("prepare", "lambda:GetFunction"): "NotTunable",
            ("prepare", "s3:GetObject"): "PayloadNotRead",
            ("measure", "s3:GetObject"): "ChangedMeanwhile",
        }
        return special.get((self.state, self.action), "AwsCallFailed")


@dataclass(frozen=True)
class Place:
    """A tuner on a strict AWS, and what IAM was asked there."""

    stack: TunerStack
    log: Path

    def tune(self, function: str, name: str, **keys: Any) -> Execution:
        """Run a tuning with a name of one's own."""
        tuning = {"lambdaARN": self.stack.function_arn(function), "num": 5, **keys}
        started = self.stack.session.client("stepfunctions").start_execution(
            stateMachineArn=self.stack.state_machine_arn, name=name, input=json.dumps(tuning)
        )
        return self.stack.wait(started["executionArn"])

    def tune_without_payload(self, function: str, name: str, **keys: Any) -> Execution:
        """Run a tuning whose payload is deleted while it publishes."""
        s3 = self.stack.session.client("s3")
        payload = put_payload(self, name)
        execution = self.stack.start(function, payloadS3=payload, **keys)
        self.stack.wait_for_version(function)
        s3.delete_object(Bucket=BUCKET, Key=name)
        return self.stack.wait(execution)

    def granted(self) -> dict[str, set[tuple[str, str]]]:
        """Return actions and resources by state, as the roles' policies have them."""
        iam = self.stack.session.client("iam")
        found: dict[str, set[tuple[str, str]]] = {}
        for state, arn in self.stack.role_arns.items():
            policy = iam.get_role_policy(RoleName=_name(arn), PolicyName="own-work")
            found[state] = {
                (action, resource)
                for statement in policy["PolicyDocument"]["Statement"]
                for action in _list(statement["Action"])
                for resource in _list(statement["Resource"])
            }
        return found

    def asked(self) -> dict[str, set[tuple[str, str, bool]]]:
        """Return what each state's role asked for so far: action, resource, whether allowed."""
        states = {_name(arn): state for state, arn in self.stack.role_arns.items()}
        found = defaultdict(set)
        for line in self.log.read_text().rpartition("\n")[0].splitlines():  # what is whole
            answer = json.loads(line)
            role = answer["principal"].partition(":assumed-role/")[2].partition("/")[0]
            if role in states:
                asked = (answer["action"], answer["resource"], answer["allowed"])
                found[states[role]].add(asked)
        return found

    @contextmanager
    def without(self, denials: list[Denial]) -> Iterator[None]:
        """Deny each action to its state for a while, on the function or execution of its name."""
        iam = self.stack.session.client("iam")
        for state, arn in self.stack.role_arns.items():
            statements = [
                {"Effect": "Deny", "Action": denial.action, "Resource": f"*{denial.name}*"}
                for denial in denials
                if denial.state == state
            ]
            if state == "optimize":  # CleanUp does all that it ever does after a failure only
                refusal = {"Effect": "Deny", "Action": "lambda:CreateAlias"}
                statements.append(refusal | {"Resource": "*-in-clean-up"})
            if statements:
                document = json.dumps({"Version": "2012-10-17", "Statement": statements})
                iam.put_role_policy(
                    RoleName=_name(arn), PolicyName="denied", PolicyDocument=document
                )
        try:
            yield
        finally:
            for arn in self.stack.role_arns.values():
                if "denied" in iam.list_role_policies(RoleName=_name(arn))["PolicyNames"]:
                    iam.delete_role_policy(RoleName=_name(arn), PolicyName="denied")

    def clean_up(self, done: Execution) -> None:
        """Start the clean-up as the rule does."""
        answer = self.stack.session.client("lambda").invoke(
            FunctionName="dyno-tuner-clean-up",
            Payload=json.dumps({"detail": {"executionArn": done.arn}}),
        )
        assert "FunctionError" not in answer, answer["Payload"].read()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A tuner on a server of its own."""
    home = tmp_path_factory.mktemp("strict")
    log = home / "asked.jsonl"
    log.touch()
    local = server.start(
        home / "aws", owner_pid=os.getpid(), program=(str(STRICT), str(log)), region="us-east-1"
    )
    try:
        folder = home / "terraform"
        folder.mkdir()
        stack = TunerStack.deploy(local, ACCOUNT, folder)
        stack.session.client("s3").create_bucket(Bucket=BUCKET)
        yield Place(stack, log)
        stack.destroy()
    finally:
        server.stop(local.home)


def put_payload(place: Place, name: str) -> str:
    place.stack.session.client("s3").put_object(Bucket=BUCKET, Key=name, Body=b'{"a": 1}')
    return f"s3://{BUCKET}/{name}"


def test_every_action_is_needed(place: Place, deploy_function: DeployFunction) -> None:
    """No role has an action, or a kind of resource, that no run needs; none needs more."""
    session = place.stack.session
    for name in ("target-all", "processor-any"):
        deploy_function(session, name, FAST)
    deploy_function(session, "processor-any", FAST, region="eu-west-1")
    deploy_function(session, "target-slow", SLEEPS)
    keys = {
        "powerValues": [128, 256],
        "payloadS3": put_payload(place, "all.json"),
        "autoOptimize": True,
        "autoOptimizeAlias": "best",
    }
    for name, region in {"new-alias": "us-east-1", "old-alias": "eu-west-1"}.items():
        processor = place.stack.function_arn("processor-any", region)
        processors = {"preProcessorARN": processor, "postProcessorARN": f"{processor}:$LATEST"}
        done = place.tune("target-all", name, **keys, **processors)
        assert done.status == "SUCCEEDED", done
    libs = functions.layer(session, "libs", {"python/libs.py": "N = 7\n"})
    deploy_function(session, "target-copied", FAST, Layers=[libs])
    place.stack.snapshot("target-copied")
    session.client("lambda").publish_version(FunctionName="target-copied")
    version = f"{place.stack.function_arn('target-copied')}:1"
    copied = place.tune("target-copied", "copied", lambdaARN=version, powerValues=[128, 256])
    assert copied.status == "SUCCEEDED", copied
    assert place.stack.copies() == []
    for state in ("Prepare", "Optimize"):
        before = place.stack.snapshot("target-slow")
        execution = place.stack.start(
            "target-slow", powerValues=[128], autoOptimize=True, autoOptimizeAlias="best"
        )
        place.stack.wait_for_state(execution, state)
        place.stack.stop(execution)
        place.stack.wait_until_clean("target-slow", before)
    missing = place.tune("target-all", "missing", payloadS3=f"s3://{BUCKET}/none")
    assert missing.cause == f"payloadS3: s3://{BUCKET}/none does not exist"
    vanished = place.tune_without_payload("target-all", "vanished", powerValues=[128, 256])
    assert vanished.error == "ChangedMeanwhile"
    assert vanished.cause == f"payloadS3: s3://{BUCKET}/vanished does not exist"

    granted = place.granted()

    def idle() -> set[tuple[str, ...]]:
        asked = place.asked()
        return {
            (state, action, pattern)
            for state, rights in granted.items()
            for action, pattern in rights
            if action not in NO_CALLS
            and not any(
                made == action and fnmatchcase(resource, pattern)
                for made, resource, _ in asked[state]
            )
        }

    # the functions of stopped executions go on for a while
    assert wait_until(lambda: not idle()), idle()
    rows = place.asked().items()
    assert {(state, *rest) for state, row in rows for *rest, ok in row if not ok} == set()


def test_each_action_denied(place: Place, deploy_function: DeployFunction) -> None:
    """Without any one of its actions a state fails the execution, and leaves nothing."""
    denials = [
        Denial(state, action)
        for state, rights in place.granted().items()
        for action in sorted({action for action, _ in rights} - NO_CALLS)
        if (state, action) not in AFTER_A_STOP | WITHOUT_AN_OBJECT | OF_COPIES
    ]
    with place.without(denials), ThreadPoolExecutor(AT_ONCE) as pool:
        runs = list(pool.map(lambda denial: Run.make(place, deploy_function, denial), denials))
    problems = [f"{run.denial}: {problem}" for run in runs if (problem := run.problem())]
    assert problems == []
    for run in runs:
        if run.denial.state == "clean-up":
            place.clean_up(run.done)
        if run.done.status == "FAILED":
            place.stack.wait_until_clean(run.function, run.before)


@dataclass(frozen=True)
class Run:
    """A tuning in which one state had to do without one action."""

    denial: Denial
    function: str
    before: Snapshot
    done: Execution

    @classmethod
    def make(cls, place: Place, deploy_function: DeployFunction, denial: Denial) -> Run:
        """Tune a new function so that each state does all that it ever does."""
        stack, function = place.stack, f"target-{denial.name}"
        deploy_function(stack.session, function, FAST, MemorySize=512)
        before = stack.snapshot(function)
        done = place.tune(
            function,
            denial.name,
            powerValues=[128, 256],
            payloadS3=put_payload(place, denial.name),
            autoOptimize=True,
            autoOptimizeAlias="best",
        )
        return cls(denial, function, before, done)

    def problem(self) -> str:
        """Return what is not as it should be."""
        error, done = self.denial.error, self.done
        if done.error != error:
            return f"ended with {done.error or done.status}: {done.cause}"
        if error in ("AwsCallFailed", "CleanUpFailed") and self.denial.action not in done.cause:
            return f"does not name the action: {done.cause}"
        return ""


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
