"""Executions of a power tuner that are to end before the tuner goes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import botocore.exceptions

from harness import tuner
from harness.errors import StepError


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
            function_arn=str(tuning_input.get("lambdaARN")),
            session=session,
            clock=clock,
            sleep=sleep,
        )
    return running
