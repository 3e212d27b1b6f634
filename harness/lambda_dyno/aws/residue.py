"""What a power tuner left on a function that stays, when nobody is there to clean up after it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import botocore.exceptions

from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.function_name import parse_name
from lambda_dyno.core.results import Leftover
from lambda_dyno.tuner_contract.marks import LOCK_ALIAS, Lock, copied_for, is_measured_by

Say = Callable[[str], None]

_LATE_LOGS_S = 3.0


def left_on(
    session: Any, function: Function, machine: str, memory_mb: int | None
) -> list[Leftover]:
    """Return what the executions of a state machine left on a function: nothing, as a rule.

    Args:
        session: A boto3 session.
        function: The function.
        machine: The state machine's name, which all marks of its executions carry.
        memory_mb: What the function had before; None: that was not changed.
    """
    client = session.client("lambda", region_name=function.region)
    remove = f"aws lambda delete-{{what}} --region {function.region} --function-name"
    left = []
    try:
        for page in client.get_paginator("list_aliases").paginate(FunctionName=function.name):
            left += [
                Leftover(
                    "lambda alias",
                    f"{function.name}:{alias['Name']}",
                    f"{remove.format(what='alias')} {function.name} --name {alias['Name']}",
                )
                for alias in page["Aliases"]
                if alias["Name"] == LOCK_ALIAS and f":{machine}:" in alias["Description"]
            ]
        versions = client.get_paginator("list_versions_by_function")
        for page in versions.paginate(FunctionName=function.name):
            left += [
                Leftover(
                    "lambda version",
                    f"{function.name}:{version['Version']}",
                    f"{remove.format(what='function')} {function.name}:{version['Version']}",
                )
                for version in page["Versions"]
                if is_measured_by(version.get("Description", ""), machine)
            ]
        if left and memory_mb is not None:
            left += _memory(client, function, memory_mb)
    except client.exceptions.ResourceNotFoundException:
        return []  # somebody deleted the function meanwhile
    except botocore.exceptions.ClientError as error:
        reason = f"cannot be looked at: {errors.code(error)}"
        return [Leftover("unknown", function.name, reason)]
    return left


def clear(session: Any, function_arn: str, machine: str, say: Say) -> list[Leftover]:
    """Remove the marks of a state machine that is gone, and return what is left of them.

    The function gets the memory size back that the lock names, then its versions go, then the
    lock: whatever interrupts this, the next one finds the rest.

    Args:
        session: A boto3 session.
        function_arn: The function.
        machine: Name of the state machine; it must not run any more.
        say: Told what was removed.
    """
    function = _function(function_arn)
    left = left_on(session, function, machine, None)
    if not left:
        return []
    client = session.client("lambda", region_name=function.region)
    with contextlib.suppress(botocore.exceptions.ClientError):
        _restore_memory(client, function, say)
        for mark in sorted(left, key=lambda mark: mark.kind == "lambda alias"):
            name, _, qualifier = mark.name.rpartition(":")
            if mark.kind == "lambda version":
                client.delete_function(FunctionName=name, Qualifier=qualifier)
            elif mark.kind == "lambda alias":
                client.delete_alias(FunctionName=name, Name=qualifier)
            say(f"removed what a tuning left: {mark.kind} {mark.name}")
    return left_on(session, function, machine, None)


def on_functions(
    session: Any, is_gone: Callable[[str], bool], is_of_a_run: Callable[[str], bool]
) -> list[Leftover]:
    """Return what tuners that are gone left on any function of the account.

    A tuning takes the lock first and gives it back last, so one question for each function
    tells. Whoever may look at some functions only is denied the others one by one, and each denial
    stands in the account's trail and may sound an alarm: after the first, nothing but functions
    with a run's name are asked.

    Args:
        session: A boto3 session.
        is_gone: Whether a state machine of this name works no more.
        is_of_a_run: Whether a function of this name is a run's.
    """
    left = []
    for arn, lock in _locked(session, is_of_a_run):
        if is_gone(lock.machine):
            left += left_on(session, _function(arn), lock.machine, lock.memory_mb)
    return left


def functions_of(session: Any, machine: str) -> list[str]:
    """Return the ARNs of the functions that a state machine has locked.

    Args:
        session: A boto3 session.
        machine: Name of the state machine.
    """
    return [arn for arn, lock in _locked(session) if lock.machine == machine]


def orphaned_copies(session: Any) -> Iterator[tuple[str, str]]:
    """Yield the copies of functions whose tuning is over: name, and ARN of the execution.

    A copy's name follows from the execution that its description names, so nothing else is taken
    for one, whatever somebody calls it.

    Args:
        session: A boto3 session.
    """
    for page in session.client("lambda").get_paginator("list_functions").paginate():
        for row in page["Functions"]:
            execution_arn = copied_for(row["FunctionName"], row.get("Description", ""))
            same_home = execution_arn.split(":")[3:5] == row["FunctionArn"].split(":")[3:5]
            if execution_arn and same_home and _is_over(session, execution_arn):
                yield row["FunctionName"], execution_arn


def remove_copy(session: Any, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Delete a copy and its log group, which a last line of the copy's may make again.

    Raises:
        ClientError: It may not be deleted.
    """
    client, logs = session.client("lambda"), session.client("logs")
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):
        client.delete_function(FunctionName=name)
    for wait_s in (0.0, _LATE_LOGS_S):
        sleep(wait_s)
        with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
            logs.delete_log_group(logGroupName=f"/aws/lambda/{name}")


def _is_over(session: Any, execution_arn: str) -> bool:
    """Return whether an execution is over; one that may not be looked at is not."""
    states = session.client("stepfunctions")
    try:
        return bool(states.describe_execution(executionArn=execution_arn)["status"] != "RUNNING")
    except states.exceptions.ExecutionDoesNotExist:
        return True
    except botocore.exceptions.ClientError:
        return False


def _locked(
    session: Any, is_of_a_run: Callable[[str], bool] | None = None
) -> Iterator[tuple[str, Lock]]:
    """Yield the functions of the account that a tuner has locked, with the lock.

    Args:
        session: A boto3 session.
        is_of_a_run: After the first denial, nothing but functions with such names is asked.
    """
    client = session.client("lambda")
    denied = False
    for page in client.get_paginator("list_functions").paginate():
        for row in page["Functions"]:
            if denied and is_of_a_run and not is_of_a_run(row["FunctionName"]):
                continue
            try:
                alias = client.get_alias(FunctionName=row["FunctionName"], Name=LOCK_ALIAS)
            except botocore.exceptions.ClientError as error:
                denied = denied or (is_of_a_run is not None and errors.is_denied(error))
                continue
            lock = Lock.parse(alias.get("Description", ""))
            if lock is not None:
                yield row["FunctionArn"], lock


def _memory(client: Any, function: Function, memory_mb: int) -> list[Leftover]:
    now = client.get_function_configuration(FunctionName=function.name)["MemorySize"]
    if now == memory_mb:
        return []
    command = (
        f"aws lambda update-function-configuration --region {function.region} "
        f"--function-name {function.name} --memory-size {memory_mb}"
    )
    return [Leftover("memory size", f"{now} MB of {function.name}", command)]


def _restore_memory(client: Any, function: Function, say: Say) -> None:
    alias = client.get_alias(FunctionName=function.name, Name=LOCK_ALIAS)
    lock = Lock.parse(alias.get("Description", ""))
    if lock is None or lock.memory_mb is None:
        return
    now = client.get_function_configuration(FunctionName=function.name)["MemorySize"]
    if now != lock.memory_mb:
        client.update_function_configuration(FunctionName=function.name, MemorySize=lock.memory_mb)
        client.get_waiter("function_updated_v2").wait(FunctionName=function.name)
        say(f"{function.name} has its {lock.memory_mb} MB back")


def _function(arn: str) -> Function:
    name = parse_name(arn)
    return Function(arn, name.name, name.region, memory_mb=0, architecture="", runtime="")
