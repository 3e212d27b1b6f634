"""The Lambda handlers, one per state: parse, call the core, serialise.

Every state gets `{"execution": ARN, "input": the execution's input, "retries": number}`, and
`"state"`, what the state before put out. CleanUp also comes after an error (`"failure"`
instead of a state) and by a rule (an event that names the execution).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from power_tuner import prices
from power_tuner.analyze import analyze as analyze_state
from power_tuner.analyze import next_state
from power_tuner.aws import Settings, clients
from power_tuner.cleanup import CleanUp
from power_tuner.errors import (
    NOTHING_CHANGED,
    InvalidInput,
    PayloadNotRead,
    TunerError,
    named,
    split_name,
)
from power_tuner.function import Deadline, Function
from power_tuner.invoker import LambdaInvoker
from power_tuner.measure import Measurer
from power_tuner.meter import Meter
from power_tuner.optimize import Optimization
from power_tuner.payloads import PayloadPlan, plan
from power_tuner.prepare import Preparation
from power_tuner.request import FunctionArn, TuningInput, parse
from power_tuner.state import TuningState

_LOG = logging.getLogger("power_tuner")
_LOG.setLevel(logging.INFO)
_SETTINGS = Settings.from_environment()
_CLIENTS = clients()

# Kept back from a Lambda function's time, to put out what there is.
_PREPARE_MARGIN_S = 15.0
_MEASURE_MARGIN_S = 15.0
_CLEAN_UP_MARGIN_S = 5.0
_OVER = frozenset({"ABORTED", "FAILED", "TIMED_OUT"})
_NOTHING_CHANGED = frozenset(error.__name__ for error in NOTHING_CHANGED)


def prepare(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Check the input, lock the function and publish what is measured."""
    meter = Meter(context)
    with _errors("Prepare"):
        request = _request(event)
        _payloads(request)  # a payload that is no good must not be found out after publishing
        before = TuningState.from_json(event["state"]) if event.get("state") else None
        deadline = _deadline(context, _PREPARE_MARGIN_S)
        state = Preparation(
            request,
            event["execution"],
            _function(request.function, deadline),
            deadline,
            is_running=_is_running,
            clean_up_after=_clean_up_after,
        ).run(before)
    return _put_out(event, state, meter)


def measure(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Invoke what Prepare published, as far as the time goes."""
    meter = Meter(context)
    with _errors("Measure"):
        request = _request(event)
        state = TuningState.from_json(event["state"])
        deadline = _deadline(context, _MEASURE_MARGIN_S)
        client = _CLIENTS.invoking(request.function.region, deadline.left_s)
        Measurer(request, _payloads(request), LambdaInvoker(client, deadline), deadline).run(state)
    return _put_out(event, state, meter)


def analyze(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Decide whether enough is measured, then which power value is best."""
    meter = Meter(context)
    with _errors("Analyze"):
        request = _request(event)
        state = TuningState.from_json(event["state"])
        state.next = next_state(request, state)
        state.usage.transitions += 1  # the Choice that follows
        if state.next != "Measure":
            region_prices = prices.lookup(request.function.region, state.architecture)
            state.output = analyze_state(request, state, region_prices, _SETTINGS.visualization_url)
    return _put_out(event, state, meter)


def optimize(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Give $LATEST the best power value."""
    meter = Meter(context)
    with _errors("Optimize"):
        request = _request(event)
        state = TuningState.from_json(event["state"])
        assert state.output is not None  # Analyze comes before
        power = state.output["power"]
        deadline = _deadline(context, _CLEAN_UP_MARGIN_S)
        Optimization(_function(request.function, deadline), event["execution"]).apply(
            power, request.auto_optimize_alias
        )
        state.output["optimized"] = {"power": power, "alias": request.auto_optimize_alias or None}
    return _put_out(event, state, meter)


def clean_up(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Put $LATEST back and remove everything of the execution."""
    meter = Meter(context)
    with _errors("CleanUp"):
        if "detail" in event:
            return _clean_up_by_rule(event["detail"]["executionArn"], context)
        if "failure" in event:
            return _clean_up_after_failure(event, context)
        request = _request(event)
        state = TuningState.from_json(event["state"])
        output = state.output
        assert output is not None  # Analyze comes before
        _clean_up(request.function, event["execution"], context).after_success(
            optimized="optimized" in output
        )
        meter.add_to(state.usage, event)
        return _complete(output, state)


def _clean_up_after_failure(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    name, message = _failure(event["failure"])
    if name not in _NOTHING_CHANGED:
        arn = FunctionArn.parse(event["input"].get("lambdaARN"), "lambdaARN")
        _clean_up(arn, event["execution"], context).after_failure()
    return {"Error": name, "Cause": message}


def _clean_up_by_rule(execution_arn: str, context: Any) -> dict[str, Any]:
    """Clean up after an execution that is over, whoever asks."""
    execution = _CLIENTS.states.describe_execution(executionArn=execution_arn)
    status = execution["status"]
    if status not in _OVER:
        return {"executionArn": execution_arn, "status": status, "cleaned": False}
    if execution.get("error") not in _NOTHING_CHANGED:
        try:
            arn = FunctionArn.parse(json.loads(execution["input"]).get("lambdaARN"), "lambdaARN")
        except InvalidInput:
            return {"executionArn": execution_arn, "status": status, "cleaned": False}
        _clean_up(arn, execution_arn, context).after_failure()
    return {"executionArn": execution_arn, "status": status, "cleaned": True}


def _clean_up(arn: FunctionArn, execution_arn: str, context: Any) -> CleanUp:
    return CleanUp(_function(arn, _deadline(context, _CLEAN_UP_MARGIN_S)), execution_arn)


def _complete(output: dict[str, Any], state: TuningState) -> dict[str, Any]:
    """Add what the tuner itself cost: known only at the very end."""
    own = prices.lookup(_CLIENTS.region, _SETTINGS.architecture)
    usage = state.usage
    output["stateMachine"]["executionCost"] = usage.transitions * own.state_transition
    output["tuner"] = usage.to_json() | {
        "cost": usage.gb_seconds * own.gb_second
        + usage.invocations * own.request
        + usage.transitions * own.state_transition,
        "passes": state.passes,
    }
    return output


def _request(event: Mapping[str, Any]) -> TuningInput:
    return parse(event["input"], _SETTINGS.default_power_values)


def _payloads(request: TuningInput) -> PayloadPlan:
    payload = request.payload
    if request.payload_s3:
        raise PayloadNotRead("payloadS3: not supported yet")
    return plan(request.invocations if not request.dry_run else request.num, payload)


def _function(arn: FunctionArn, deadline: Deadline) -> Function:
    return Function(_CLIENTS.functions(arn.region), arn, deadline)


def _deadline(context: Any, margin_s: float) -> Deadline:
    left_s = context.get_remaining_time_in_millis() / 1000 - margin_s
    return Deadline(time.monotonic() + left_s)


def _is_running(execution_arn: str) -> bool:
    """Return whether an execution runs, or may: one of another state machine cannot be seen."""
    try:
        execution = _CLIENTS.states.describe_execution(executionArn=execution_arn)
    except ClientError as error:
        return "ExecutionDoesNotExist" not in str(error)
    return bool(execution["status"] == "RUNNING")


def _clean_up_after(execution_arn: str) -> None:
    """Have CleanUp's own function do it: Prepare may not delete anything."""
    answer = _CLIENTS.functions(_CLIENTS.region).invoke(
        FunctionName=_SETTINGS.clean_up_function,
        Payload=json.dumps({"detail": {"executionArn": execution_arn}}),
    )
    if answer.get("FunctionError"):
        _LOG.warning("clean-up after %s failed", execution_arn)


def _put_out(event: Mapping[str, Any], state: TuningState, meter: Meter) -> dict[str, Any]:
    meter.add_to(state.usage, event)
    return state.to_json(input_bytes=len(json.dumps(event["input"])))


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


@contextmanager
def _errors(state: str) -> Iterator[None]:
    """Give errors a name that survives, and those of AWS the state that they happened in."""
    try:
        yield
    except TunerError as error:
        raise named(error) from error
    except ClientError as error:
        raise named(TunerError(f"{state} failed: {error}")) from error
