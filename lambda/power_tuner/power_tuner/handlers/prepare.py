"""Prepare: check the input, lock the function and publish what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from power_tuner.aws import clean_up_after, client
from power_tuner.function import Deadline, Function
from power_tuner.handlers.common import SETTINGS, deadline_at, errors_of, put_out, request_of
from power_tuner.meter import Meter
from power_tuner.prepare import Preparation
from power_tuner.sources import read_payloads
from power_tuner.state import TuningState

_MARGIN_S = 15.0
client("lambda", SETTINGS.region)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Return the state with a version for each power value."""
    meter = Meter(context)
    with errors_of("Prepare", nothing_changed="state" not in event):
        request = request_of(event)
        read_payloads(
            request, SETTINGS.region
        )  # one that is no good must not be found out after publishing
        before = TuningState.from_json(event["state"]) if event.get("state") else None
        deadline = Deadline(deadline_at(context, _MARGIN_S))
        function = Function(client("lambda", request.function.region), request.function, deadline)
        state = Preparation(
            request, event["execution"], function, deadline, _is_running, clean_up_after(SETTINGS)
        ).run(before)
    return put_out(event, state, meter)


def _is_running(execution_arn: str) -> bool:
    """Return whether an execution runs, or may: one of another state machine cannot be seen."""
    try:
        states = client("stepfunctions", SETTINGS.region)
        execution = states.describe_execution(executionArn=execution_arn)
    except ClientError as error:
        return "ExecutionDoesNotExist" not in str(error)
    return bool(execution["status"] == "RUNNING")
