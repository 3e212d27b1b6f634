"""Executions of a power tuner: stop one, or all that run, and wait for their clean-up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import botocore.exceptions

from lambda_dyno.aws import assumed_role, lambda_function
from lambda_dyno.core.errors import StepError
from lambda_dyno.tuner_contract.marks import LOCK_ALIAS, copy_names, is_of

_POLL_S = 0.5
_CLEAN_UP_S = 180.0
_CLEAN_LOOKS = 2  # in a row: a function that was about to be locked looks clean once

SWEEP = "Run `dyno sweep`, which finds what a tuning left behind."


def stop(
    execution_arn: str,
    *,
    function_arn: str,
    session: Any,
    there: Any = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Stop an execution and wait until its clean-up has left nothing on the function.

    Args:
        execution_arn: The execution.
        function_arn: The function.
        session: A boto3 session that may use the state machine.
        there: One that may look at the function; None: the same.
        clock: Monotonic seconds.
        sleep: Waits so many seconds.

    Raises:
        StepError: It could not be stopped, or was not cleaned up after.
    """
    _stop(session.client("stepfunctions"), execution_arn)
    _await_clean_up(there or session, execution_arn, function_arn, clock, sleep)


def end_all(
    session: Any,
    state_machine_arn: str,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Stop what a state machine runs, wait for the clean-up, and return the executions' ARNs.

    A tuner whose owner was killed goes on measuring; taken down in the middle of it, nobody
    would put the function back.

    Args:
        session: A boto3 session.
        state_machine_arn: The tuner's; one that does not exist (any more) runs nothing.
        clock: Monotonic seconds.
        sleep: Waits so many seconds.

    Raises:
        StepError: An execution could not be stopped, or was not cleaned up after.
    """
    states = session.client("stepfunctions")
    try:
        pages = states.get_paginator("list_executions").paginate(
            stateMachineArn=state_machine_arn, statusFilter="RUNNING"
        )
        running = [row["executionArn"] for page in pages for row in page["executions"]]
    except states.exceptions.StateMachineDoesNotExist:
        return []
    except botocore.exceptions.ClientError as error:
        raise StepError("down", f"nobody knows whether a tuning still runs: {error}") from error
    for arn in running:
        tuning_input = json.loads(states.describe_execution(executionArn=arn)["input"])
        stop(
            arn,
            function_arn=lambda_function.unqualified(str(tuning_input.get("lambdaARN"))),
            session=session,
            there=assumed_role.session_for(session, tuning_input),
            clock=clock,
            sleep=sleep,
        )
    return running


def _stop(states: Any, arn: str) -> None:
    try:
        states.stop_execution(executionArn=arn, cause="stopped by dyno")
    except Exception as error:
        # it may just have ended by itself; whether it is over shows in the wait for its clean-up
        if states.describe_execution(executionArn=arn)["status"] == "RUNNING":
            raise StepError("tune", f"the tuning could not be stopped: {arn}: {error}") from error


def _await_clean_up(
    session: Any,
    arn: str,
    function_arn: str,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Wait until nothing of a stopped execution is left on its function."""
    parts = function_arn.split(":")  # the function may be in another region than the tuner
    functions = session.client("lambda", region_name=parts[3] if len(parts) > 3 else None)
    deadline = clock() + _CLEAN_UP_S
    clean = 0
    while clean < _CLEAN_LOOKS:
        clean = 0 if _left_on(functions, function_arn, arn) else clean + 1
        if clock() > deadline:
            raise StepError(
                "tune",
                f"the stopped tuning has not been cleaned up after: {arn}",
                SWEEP,
            )
        sleep(_POLL_S)


def _left_on(functions: Any, function_arn: str, execution_arn: str) -> bool:
    """Return whether a function still has the execution's lock or versions, or a copy."""
    if any(_is_there(functions, name) for name in copy_names(execution_arn)):
        return True
    try:
        aliases = functions.get_paginator("list_aliases").paginate(FunctionName=function_arn)
        for page in aliases:
            for alias in page["Aliases"]:
                if alias["Name"] == LOCK_ALIAS and execution_arn in alias.get("Description", ""):
                    return True
        versions = functions.get_paginator("list_versions_by_function")
        for page in versions.paginate(FunctionName=function_arn):
            for version in page["Versions"]:
                if is_of(version.get("Description", ""), execution_arn):
                    return True
    except functions.exceptions.ResourceNotFoundException:
        return False
    return False


def _is_there(functions: Any, name: str) -> bool:
    """Return whether a function exists; one that may not be looked at is nobody's copy."""
    try:
        functions.get_function_configuration(FunctionName=name)
    except botocore.exceptions.ClientError:
        return False
    return True
