"""A power tuner that is there already: is it one?"""

from __future__ import annotations

import json
import re
from typing import Any

import botocore.exceptions

from harness.aws import Account
from harness.errors import UserError

_ARN = re.compile(
    r"arn:aws[a-z-]*:states:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):stateMachine:[^:\s]+"
    r"(?::[^:\s]+)?"
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})

# States that every version of this project's power tuner has. Another state machine would be
# started with an input that it was not made for, and nobody knows what it would do.
_STATES = frozenset({"Prepare", "Measure", "Analyze", "CleanUp"})


def require_tuner(arn: str, account: Account) -> None:
    """Make sure that an ARN is that of a power tuner that can be used.

    Args:
        arn: As the user gave it.
        account: Whose credentials look.

    Raises:
        UserError: It is not there, or no power tuner of this project.
    """
    match = _ARN.fullmatch(arn)
    if match is None:
        raise UserError(
            f"--tuner {arn}: not the ARN of a state machine, such as "
            "arn:aws:states:eu-west-1:123456789012:stateMachine:my-tuner"
        )
    if match["account"] != account.account_id:
        raise UserError(
            f"--tuner {arn}: it is in account {match['account']}, and the credentials are those "
            f"of account {account.account_id}"
        )
    client = account.session.client("stepfunctions", region_name=match["region"])
    try:
        machine = client.describe_state_machine(stateMachineArn=arn)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in _DENIED:
            return  # who may start it need not be allowed to look at it
        raise UserError(_no_machine(arn, match["region"], account, error)) from error
    why = _why_not(machine)
    if why:
        raise UserError(f"--tuner {arn}: {why}")


def _no_machine(
    arn: str, region: str, account: Account, error: botocore.exceptions.ClientError
) -> str:
    if error.response["Error"]["Code"] in ("StateMachineDoesNotExist", "InvalidArn"):
        at = f" at {account.endpoint}" if account.endpoint else ""
        return (
            f"--tuner {arn}: there is no such state machine in {region} of account "
            f"{account.account_id}{at}"
        )
    return f"--tuner {arn}: it cannot be looked up: {error}"


def _why_not(machine: dict[str, Any]) -> str:
    """Return why a state machine is no power tuner; empty if it is one."""
    if machine.get("status") == "DELETING":
        return "it is being deleted"
    if machine.get("type", "STANDARD") != "STANDARD":
        return "it is an express state machine, and no power tuner of Lambda Dyno"
    try:
        states = set(json.loads(machine["definition"])["States"])
    except (KeyError, TypeError, ValueError):
        return ""  # encrypted with a key that these credentials may not use
    missing = sorted(_STATES - states)
    if missing:
        return (
            f"it is no power tuner of Lambda Dyno: it has no state {', '.join(missing)}. "
            "Leave --tuner out to deploy one for the time of the tuning."
        )
    return ""
