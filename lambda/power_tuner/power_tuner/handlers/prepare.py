"""Prepare: check the input, lock the function and publish what is measured."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from power_tuner.aws import client
from power_tuner.function import Deadline, Function
from power_tuner.handlers.common import SETTINGS, deadline_at, errors_of, put_out, request_of
from power_tuner.meter import Meter
from power_tuner.prepare import Preparation
from power_tuner.sources import read_payloads
from power_tuner.state import TuningState

_MARGIN_S = 15.0
_LOG = logging.getLogger(__name__)
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
            request, event["execution"], function, deadline, _is_running, _clean_up_after
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


def _clean_up_after(execution_arn: str) -> None:
    """Have CleanUp's own function do it: Prepare may not delete anything."""
    answer = client("lambda", SETTINGS.region).invoke(
        FunctionName=SETTINGS.clean_up_function,
        Payload=json.dumps({"detail": {"executionArn": execution_arn}}),
    )
    if answer.get("FunctionError"):
        _LOG.warning("the clean-up after %s failed", execution_arn)
