"""CleanUp: put $LATEST back and remove everything of the execution."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambda_dyno.tuner_contract import prices
from lambda_dyno.tuner_contract.arns import FunctionArn
from lambda_dyno.tuner_contract.keys import is_cloned
from power_tuner.aws import Role, client, client_of
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
        request = request_of(event)
        if request.cloned:
            _remove_copies(request.function, event["execution"])
        else:
            clean_up = _clean_up(request.function, event["input"], event["execution"], context)
            clean_up.after_success(optimized="optimized" in output)
        meter.add_to(state.usage, event)
        return _complete(output, state)


def _after_failure(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    name, message = _failure(event["failure"])
    if name in _NOTHING_CHANGED:
        return {"Error": name, "Cause": message}
    try:
        _after_any_failure(event["input"], event["execution"], context)
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
        _after_any_failure(json.loads(execution["input"]), execution_arn, context)
    except (InvalidInput, AttributeError):
        return answer | {"cleaned": False}
    return answer | {"cleaned": True}


def _after_any_failure(raw: Any, execution_arn: str, context: Any) -> None:
    """Leave nothing of an execution, by its input as it came.

    Raises:
        AttributeError, InvalidInput: It names no function, so there is nothing.
    """
    arn = function_arn(raw.get("lambdaARN"), "lambdaARN")
    if is_cloned(raw):
        _remove_copies(arn, execution_arn)
    else:
        _clean_up(arn, raw, execution_arn, context).after_failure()


def _remove_copies(arn: FunctionArn, execution_arn: str) -> None:
    from power_tuner.copying import Copier  # who measures versions does not wait for it

    Copier(client("lambda", arn.region), execution_arn, arn).remove(client("logs", arn.region))


def _clean_up(arn: FunctionArn, raw: Any, execution_arn: str, context: Any) -> CleanUp:
    deadline = Deadline(deadline_at(context, _MARGIN_S))
    api = client_of(Role.of(raw), arn.region) or client("lambda", arn.region)
    return CleanUp(Function(api, arn, deadline), execution_arn)


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
