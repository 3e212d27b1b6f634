"""Is a state machine a power tuner? Whatever is started must be known first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from lambda_dyno.aws import existing_tuner
from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.errors import UserError
from tests.support.aws_answers import Recorded

PROJECT = Path(__file__).parents[3]
ARN = "arn:aws:states:eu-west-1:111122223333:stateMachine:orders"
DEFINITION = json.loads((PROJECT / "modules/power_tuner/state_machine.asl.json").read_text())


def account(session: boto3.Session) -> Account:
    made = Account("111122223333", "eu-west-1", "", {})
    vars(made)["session"] = session  # in the place of the cached one
    return made


class Described(Recorded):
    """An account with one state machine."""

    def __init__(self, **answer: Any) -> None:
        super().__init__()
        body = {"status": "ACTIVE", "type": "STANDARD", "definition": "{}", **answer}
        self._answers["sfn.DescribeStateMachine"] = [{"status": 200, "body": body}]


def changed(**parts: Any) -> str:
    return json.dumps(DEFINITION | parts)


ALIKE = {name: {"Type": "Pass", "Next": "CleanUp"} for name in DEFINITION["States"]}

OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "workflow": ({"definition": '{"StartAt": "A", "States": {"A": {}}}'}, "has no state Analyze"),
    "same-states": ({"definition": changed(States=ALIKE)}, "by its definition"),
    "other-start": ({"definition": changed(StartAt="Measure")}, "by its definition"),
    "express": ({"type": "EXPRESS", "definition": changed()}, "express state machine"),
    "deleting": ({"status": "DELETING", "definition": changed()}, "being deleted"),
    "no-object": ({"definition": "[]"}, "by its definition"),
    "no-states": ({"definition": '{"States": []}'}, "by its definition"),
    "not-told": ({"definition": ""}, "by its definition"),
}


@pytest.mark.parametrize(("answer", "why"), OTHERS.values(), ids=OTHERS.keys())
def test_what_is_no_power_tuner_is_not_used(answer: dict[str, Any], why: str) -> None:
    """Neither as an output of a root module, nor by --tuner."""
    there = account(Described(**answer).session)
    assert why in existing_tuner.why_not(ARN, there)
    said: list[str] = []
    outputs = {"state_machine_arn": ARN}
    assert existing_tuner.of_outputs(outputs, "dev", there, said.append) == ""
    assert said[0].startswith("envs/dev: the state machine of the output state_machine_arn is not")
    assert why in said[0]
    with pytest.raises(UserError, match=f"--tuner {ARN}: "):
        existing_tuner.require_tuner(ARN, there)


def test_a_power_tuner_is_used() -> None:
    """As the module deploys it, with the Terraform's own additions."""
    there = account(Described(definition=changed(TimeoutSeconds=60)).session)
    existing_tuner.require_tuner(ARN, there)
    said: list[str] = []
    assert existing_tuner.of_outputs({"state_machine_arn": ARN}, "dev", there, said.append) == ARN
    assert existing_tuner.of_outputs({"state_machine_arn": ""}, "dev", there, said.append) == ""
    assert existing_tuner.of_outputs({}, "dev", there, said.append) == ""
    assert said == []


@pytest.mark.parametrize("answers", ["state-machine-denied", "state-machine-encrypted"])
def test_one_that_nobody_may_look_at_is_not_known(answers: str) -> None:
    """So it is not started; the permission that is missing is named."""
    there = account(Recorded(answers).session)
    assert "states:DescribeStateMachine" in existing_tuner.why_not(ARN, there)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (["arn"], "not the ARN of a state machine"),
        ({"a": 1}, "not the ARN of a state machine"),
        (7, "not the ARN of a state machine"),
        ("orders", "not the ARN of a state machine"),
        (ARN.replace("1111", "9999"), "it is in account 999922223333"),
    ],
)
def test_outputs_of_any_type(value: object, why: str) -> None:
    """An output of that name may hold anything; AWS is not asked for it."""
    recorded = Recorded()
    assert why in existing_tuner.why_not(value, account(recorded.session))
    assert recorded.asked == []
