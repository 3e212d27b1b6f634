"""What a power tuner left on a function that stays, when nobody is there to clean up after it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import botocore.exceptions

from lambda_dyno.aws import lambda_function
from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.core.results import Leftover
from lambda_dyno.runs import run_folder
from lambda_dyno.tune import executions, function_lock
from lambda_dyno.tune.tuner import LOCK_ALIAS

Say = Callable[[str], None]


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
    left = executions.left_on(session, function, machine, None)
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
    return executions.left_on(session, function, machine, None)


def on_functions(session: Any, is_gone: Callable[[str], bool]) -> list[Leftover]:
    """Return what tuners that are gone left on any function of the account.

    A tuning takes the lock first and gives it back last, so one question for each function
    tells. Whoever may look at some functions only is denied the others one by one, and each denial
    stands in the account's trail and may sound an alarm: after the first, nothing but functions
    with a run's name are asked.

    Args:
        session: A boto3 session.
        is_gone: Whether a state machine of this name works no more.
    """
    left = []
    for arn, lock in _locked(session, discreet=True):
        if is_gone(lock.machine):
            left += executions.left_on(session, _function(arn), lock.machine, lock.memory_mb)
    return left


def functions_of(session: Any, machine: str) -> list[str]:
    """Return the ARNs of the functions that a state machine has locked.

    Args:
        session: A boto3 session.
        machine: Name of the state machine.
    """
    return [arn for arn, lock in _locked(session) if lock.machine == machine]


def _locked(session: Any, *, discreet: bool = False) -> Iterator[tuple[str, function_lock.Lock]]:
    """Yield the functions of the account that a tuner has locked, with the lock.

    Args:
        session: A boto3 session.
        discreet: Whether the first denial is enough.
    """
    client = session.client("lambda")
    denied = False
    for page in client.get_paginator("list_functions").paginate():
        for row in page["Functions"]:
            if denied and not run_folder.OF_A_RUN.search(row["FunctionName"]):
                continue
            try:
                alias = client.get_alias(FunctionName=row["FunctionName"], Name=LOCK_ALIAS)
            except botocore.exceptions.ClientError as error:
                code = error.response["Error"]["Code"]
                denied = denied or (discreet and code.startswith("AccessDenied"))
                continue
            lock = function_lock.parse(alias.get("Description", ""))
            if lock is not None:
                yield row["FunctionArn"], lock


def _restore_memory(client: Any, function: Function, say: Say) -> None:
    alias = client.get_alias(FunctionName=function.name, Name=LOCK_ALIAS)
    lock = function_lock.parse(alias.get("Description", ""))
    if lock is None or lock.memory_mb is None:
        return
    now = client.get_function_configuration(FunctionName=function.name)["MemorySize"]
    if now != lock.memory_mb:
        client.update_function_configuration(FunctionName=function.name, MemorySize=lock.memory_mb)
        client.get_waiter("function_updated_v2").wait(FunctionName=function.name)
        say(f"{function.name} has its {lock.memory_mb} MB back")


def _function(arn: str) -> Function:
    name = lambda_function.parse_name(arn)
    return Function(arn, name.name, name.region, memory_mb=0, architecture="", runtime="")
