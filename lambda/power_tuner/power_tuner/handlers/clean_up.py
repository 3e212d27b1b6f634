"""CleanUp: put $LATEST back and remove everything of the execution."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambda_dyno.tuner_contract import prices
from lambda_dyno.tuner_contract.arns import FunctionArn
from power_tuner.aws import client
from power_tuner.cleanup import CleanUp
from power_tuner.errors import NOTHING_CHANGED, CleanUpFailed, InvalidInput, split_name
from power_tuner.function import Deadline, Function
from power_tuner.handlers.common import SETTINGS, deadline_at, errors_of, request_of
from power_tuner.meter import Meter
from power_tuner.request import function_arn
from power_tuner.state import TuningState

_MARGIN_S = 5.0
_LAST_RETRY = 2  # of CleanUpAfterError in the state machine
_OVER = frozenset({"ABORTED", "FAILED", "TIMED_OUT"})
_NOTHING_CHANGED = frozenset(error.__name__ for error in NOTHING_CHANGED)
client("lambda", SETTINGS.region)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Return the execution's output, or what it fails with, or what a rule's event came to."""
    meter = Meter(context)
    with errors_of("CleanUp"):
        if "detail" in event:
            return _by_rule(event["detail"]["executionArn"], context)
        if "failure" in event:
            return _after_failure(event, context)
        state = TuningState.from_json(event["state"])
        output = state.output
        assert output is not None  # Analyze or Optimize comes before
        clean_up = _clean_up(request_of(event).function, event["execution"], context)
        clean_up.after_success(optimized="optimized" in output)
        meter.add_to(state.usage, event)
        return _complete(output, state)


def _after_failure(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    name, message = _failure(event["failure"])
    if name in _NOTHING_CHANGED:
        return {"Error": name, "Cause": message}
    arn = function_arn(event["input"].get("lambdaARN"), "lambdaARN")
    try:
        _clean_up(arn, event["execution"], context).after_failure()
    except CleanUpFailed as error:
        if int(event.get("retries") or 0) < _LAST_RETRY:
            raise  # the state machine tries again
        left = CleanUpFailed.__name__
        before = "" if name == left else f". The tuning had failed with {name}: {message}"
        return {"Error": left, "Cause": f"{error}{before}"}
    return {"Error": name, "Cause": message}


def _by_rule(execution_arn: str, context: Any) -> dict[str, Any]:
    """Clean up after an execution that is over, whoever asks."""
    states = client("stepfunctions", SETTINGS.region)
    execution = states.describe_execution(executionArn=execution_arn)
    answer = {"executionArn": execution_arn, "status": execution["status"]}
    if execution["status"] not in _OVER or execution.get("error") in _NOTHING_CHANGED:
        return answer | {"cleaned": False}
    try:
        arn = function_arn(json.loads(execution["input"]).get("lambdaARN"), "lambdaARN")
    except (InvalidInput, AttributeError):
        return answer | {"cleaned": False}
    _clean_up(arn, execution_arn, context).after_failure()
    return answer | {"cleaned": True}


def _clean_up(arn: FunctionArn, execution_arn: str, context: Any) -> CleanUp:
    deadline = Deadline(deadline_at(context, _MARGIN_S))
    return CleanUp(Function(client("lambda", arn.region), arn, deadline), execution_arn)


def _complete(output: dict[str, Any], state: TuningState) -> dict[str, Any]:
    """Add what the tuner itself cost: known only at the very end."""
    own = prices.lookup(SETTINGS.region, SETTINGS.architecture)
    usage = state.usage
    transitions_cost = float(usage.transitions * own.state_transition)
    output["stateMachine"]["executionCost"] = transitions_cost
    output["tuner"] = usage.to_json() | {
        "cost": usage.gb_seconds * float(own.gb_second)
        + float(usage.invocations * own.request)
        + transitions_cost,
        "passes": state.passes,
    }
    return output


def _failure(failure: Mapping[str, Any]) -> tuple[str, str]:
    """Return name and message of what a state failed with."""
    error = str(failure.get("Error") or "Unknown")
    cause = str(failure.get("Cause") or "")
    try:
        message = json.loads(cause).get("errorMessage") or cause
    except (ValueError, AttributeError):
        message = cause
    name, message = split_name(str(message))
    return name or error, message or f"a state of the tuner ended with {error}"
