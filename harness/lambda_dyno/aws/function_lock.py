"""The lock that a power tuner puts on a function: is the function free?

Each `dyno tune --function` has a power tuner of its own, and one tuner must not see another's
executions. Whoever starts it may, so it is found out here, before anything is deployed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import botocore.exceptions

from lambda_dyno.aws import residue
from lambda_dyno.aws.accounts import Account
from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.core.errors import UserError
from lambda_dyno.tuner_contract.marks import LOCK_ALIAS, Lock

_CLEANING_S = 20.0  # how long the clean-up of an execution that is over may take
_POLL_S = 1.0


def require_free(
    function: Function,
    account: Account,
    *,
    wait: bool,
    tuner_arn: str = "",
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make sure that no other tuning has the function.

    Args:
        function: The function.
        account: Whose credentials look.
        wait: Whether the tuning will wait for another one.
        tuner_arn: The tuner that will be used, if it is there: it knows its own executions.
        clock: Monotonic seconds.
        sleep: Waits so many seconds.

    Raises:
        UserError: It is being tuned, or a tuning that is over has left its marks on it.
    """
    deadline = clock() + _CLEANING_S
    while (lock := find(function.name, function.region, account)) is not None:
        if tuner_arn.split(":")[-1:] == [lock.machine]:
            return
        status = _status(lock, account)
        if status == "RUNNING":
            if wait:
                return
            raise UserError(
                f"{function.name} is being tuned: {lock.execution_arn}. Wait for its end, or say "
                "--on-conflict wait."
            )
        if not status or clock() > deadline:  # nobody is there to clean up, or nobody does
            raise UserError(_left_behind(function, account, lock))
        sleep(_POLL_S)


def find(name: str, region: str, account: Account) -> Lock | None:
    """Return the lock that a function has now; None if it has none.

    Args:
        name: The function.
        region: Where it is.
        account: Whose credentials look.
    """
    client = account.session.client("lambda", region_name=region)
    try:
        alias = client.get_alias(FunctionName=name, Name=LOCK_ALIAS)
    except botocore.exceptions.ClientError:
        return None  # there is none, or it may not be looked at: then the tuner will find it
    return Lock.parse(alias.get("Description", ""))


def _status(lock: Lock, account: Account) -> str:
    """Return the status of the lock's execution; empty if it does not exist any more."""
    region = lock.execution_arn.split(":")[3]
    states: Any = account.session.client("stepfunctions", region_name=region)
    try:
        return str(states.describe_execution(executionArn=lock.execution_arn)["status"])
    except states.exceptions.ExecutionDoesNotExist:
        return ""
    except botocore.exceptions.ClientError:
        return "RUNNING"  # it may


def _left_behind(function: Function, account: Account, lock: Lock) -> str:
    left = residue.left_on(account.session, function, lock.machine, lock.memory_mb)
    commands = "\n".join(f"  {item.remove}" for item in left)
    return (
        f"{function.name} still has marks of a tuning that is over: {lock.execution_arn}. "
        f"Remove them:\n{commands}"
    )
