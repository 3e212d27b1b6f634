"""A state machine that is there already: is it a power tuner?

Whatever is started must be known first. Another state machine would be started with an input that
it was not made for, and nobody knows what it would do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import botocore.exceptions

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.errors import UserError, brief

_ARN = re.compile(
    r"arn:aws[a-z-]*:states:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):stateMachine:[^:\s]+"
    r"(?::[^:\s]+)?"
)

# What every version of this project's power tuner has in its definition, and nothing else has:
# its states, and what the first of them is given.
_STATES = frozenset({"Prepare", "Measure", "Analyze", "CleanUp", "CleanUpAfterError"})
_PREPARE = {"execution.$": "$$.Execution.Id", "input.$": "$$.Execution.Input"}


def require_tuner(arn: str, account: Account, where: str = "--tuner") -> None:
    """Make sure that an ARN is that of a power tuner that can be used.

    Args:
        arn: As the user gave it.
        account: Whose credentials look.
        where: What names it, for the message.

    Raises:
        UserError: It is not there, no power tuner of this project, or nobody may tell.
    """
    why = why_not(arn, account)
    if why:
        raise UserError(
            f"{where} {brief(arn, most=300)}: {why}. Leave it out to deploy a power tuner for the "
            "time of the tuning."
        )


def why_not(arn: object, account: Account) -> str:
    """Return why a state machine is not to be started; empty if it is a power tuner.

    Args:
        arn: Its ARN, or what stands in the place of one.
        account: Whose credentials look, with states:DescribeStateMachine.
    """
    match = _ARN.fullmatch(arn) if isinstance(arn, str) else None
    if match is None:
        return (
            "not the ARN of a state machine, such as "
            "arn:aws:states:eu-west-1:123456789012:stateMachine:my-tuner"
        )
    if match["account"] != account.account_id:
        return (
            f"it is in account {match['account']}, and the credentials are those of account "
            f"{account.account_id}"
        )
    client = account.session.client("stepfunctions", region_name=match["region"])
    try:
        machine = client.describe_state_machine(stateMachineArn=arn)
    except botocore.exceptions.ClientError as error:
        return _no_machine(match["region"], account, error)
    return _no_tuner(machine)


def of_outputs(
    outputs: Mapping[str, Any], env: str, account: Account, say: Callable[[str], None]
) -> str:
    """Return the ARN of an environment's own power tuner; empty if it has none.

    An output of that name may be a workflow of the user's own, which must not be touched.

    Args:
        outputs: The root module's.
        env: The environment's name.
        account: Where it is.
        say: Told why a state machine is not used.
    """
    machine = outputs.get("state_machine_arn")
    if not machine:
        return ""
    why = why_not(machine, account)
    if why:
        say(
            f"envs/{env}: the state machine of the output state_machine_arn is not started: {why}; "
            "a power tuner is deployed beside it"
        )
    return "" if why else str(machine)


def _no_machine(region: str, account: Account, error: botocore.exceptions.ClientError) -> str:
    if errors.is_denied(error):
        return (
            "nobody can tell whether it is a power tuner: these credentials may not look at it "
            "(states:DescribeStateMachine, and kms:Decrypt if its definition is encrypted)"
        )
    if errors.code(error) in ("StateMachineDoesNotExist", "InvalidArn"):
        at = f" at {account.endpoint}" if account.endpoint else ""
        return f"there is no such state machine in {region} of account {account.account_id}{at}"
    return f"it cannot be looked up: {error}"


def _no_tuner(machine: Mapping[str, Any]) -> str:
    """Return why a state machine is no power tuner; empty if it is one."""
    if machine.get("status") == "DELETING":
        return "it is being deleted"
    if machine.get("type", "STANDARD") != "STANDARD":
        return "it is an express state machine, and no power tuner of Lambda Dyno"
    try:
        definition = json.loads(machine["definition"])
        states = definition["States"]
        missing = sorted(_STATES - states.keys())
        if missing:
            return f"it is no power tuner of Lambda Dyno: it has no state {', '.join(missing)}"
        given = states["Prepare"]["Parameters"]
        is_tuner = definition["StartAt"] == "Prepare" and given.items() >= _PREPARE.items()
    except (AttributeError, KeyError, TypeError, ValueError):
        is_tuner = False
    return "" if is_tuner else "it is no power tuner of Lambda Dyno, by its definition"
