"""Executions of a power tuner: ended before the tuner goes, and what they left on a function."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import botocore.exceptions

from lambda_dyno.aws import lambda_function
from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.results import Leftover
from lambda_dyno.tune import tuner


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
        tuner.stop(
            arn,
            function_arn=lambda_function.unqualified(str(tuning_input.get("lambdaARN"))),
            session=session,
            clock=clock,
            sleep=sleep,
        )
    return running


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
                if alias["Name"] == tuner.LOCK_ALIAS and f":{machine}:" in alias["Description"]
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
                if _is_measured(version.get("Description", ""), machine)
            ]
        if left and memory_mb is not None:
            left += _memory(client, function, memory_mb)
    except client.exceptions.ResourceNotFoundException:
        return []  # somebody deleted the function meanwhile
    except botocore.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
        return [Leftover("unknown", function.name, f"cannot be looked at: {code}")]
    return left


def _is_measured(description: str, machine: str) -> bool:
    """Whether a version was made to be measured; one of autoOptimizeAlias is there to stay."""
    ours = description.startswith(f"{tuner.MARK}{machine}:")
    return ours and " tuned to " not in description


def _memory(client: Any, function: Function, memory_mb: int) -> list[Leftover]:
    now = client.get_function_configuration(FunctionName=function.name)["MemorySize"]
    if now == memory_mb:
        return []
    command = (
        f"aws lambda update-function-configuration --region {function.region} "
        f"--function-name {function.name} --memory-size {memory_mb}"
    )
    return [Leftover("memory size", f"{now} MB of {function.name}", command)]
