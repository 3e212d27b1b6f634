"""Prepare: check the input, lock the function and publish what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from lambda_dyno.tuner_contract.arns import FunctionArn
from lambda_dyno.tuner_contract.keys import TuningInput
from lambda_dyno.tuner_contract.values import room_bytes, size_bytes
from power_tuner.aws import clean_up_after, client
from power_tuner.errors import FunctionBusy, InvalidInput
from power_tuner.function import Deadline, Function
from power_tuner.handlers.common import SETTINGS, deadline_at, errors_of, put_out, request_of
from power_tuner.lock import FunctionLock
from power_tuner.meter import Meter
from power_tuner.prepare import BUSY_PAUSE_S, Preparation, busy
from power_tuner.sources import read_payloads
from power_tuner.state import TuningState

_MARGIN_S = 15.0
client("lambda", SETTINGS.region)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Return the state with a version for each power value."""
    meter = Meter(context)
    # an earlier attempt may have changed something
    first = "state" not in event and not event.get("retries")
    with errors_of("Prepare", nothing_changed=first):
        request = request_of(event)
        # what is no good must not be found out after publishing
        plan = read_payloads(request, SETTINGS.region, event["execution"])
        _check_room(event["input"], len(request.power_values))
        before = TuningState.from_json(event["state"]) if event.get("state") else None
        deadline = Deadline(deadline_at(context, _MARGIN_S))
        arn, original = request.function, None
        if request.cloned:
            arn, original = _copied(request, event["execution"], before, deadline)
    # what is left of a copy must be cleaned up after
    with errors_of("Prepare", nothing_changed=first and original is None):
        function = Function(client("lambda", arn.region), arn, deadline)
        state = Preparation(
            request,
            plan,
            event["execution"],
            function,
            deadline,
            _is_running,
            clean_up_after(SETTINGS),
            original,
        ).run(before)
    return put_out(event, state, meter)


def _copied(
    request: TuningInput, execution_arn: str, before: TuningState | None, deadline: Deadline
) -> tuple[FunctionArn, Mapping[str, Any]]:
    """Return the copy to prepare, and what GetFunction answered of what it is a copy of.

    Raises:
        FunctionBusy: Another execution is changing the memory size of $LATEST.
        NotTunable: There can be no copy.
    """
    if before is not None:
        return FunctionArn.parse(before.copy), {}
    from power_tuner.copying import Copier, Original  # who measures versions does not wait for it

    arn, api = request.function, client("lambda", request.function.region)
    original = Original(api, arn).describe(SETTINGS)
    lock = FunctionLock(Function(api, arn, deadline), execution_arn)
    while not arn.of_version and (found := lock.find()) and found[1].memory_mb is not None:
        if request.on_conflict == "fail" or not _is_running(found[1].execution_arn):
            raise FunctionBusy(busy(arn.text, found[1]))
        deadline.pause(BUSY_PAUSE_S, f"{found[1].execution_arn} to end")
        original = Original(api, arn).describe(SETTINGS)
    return Copier(api, execution_arn, arn).copy(original, SETTINGS.copy_tags), original


def _check_room(raw: Any, powers: int) -> None:
    input_bytes = size_bytes(raw)
    if input_bytes > room_bytes(powers):
        raise InvalidInput(
            f"the input has {input_bytes} bytes: Step Functions passes 256 KB from state to "
            f"state, and the measurements of {powers} power values have to fit beside it. Put "
            "the payload into an object in S3, and its address into payloadS3"
        )


def _is_running(execution_arn: str) -> bool:
    """Return whether an execution runs, or may: one of another state machine cannot be seen."""
    try:
        states = client("stepfunctions", SETTINGS.region)
        execution = states.describe_execution(executionArn=execution_arn)
    except ClientError as error:
        return "ExecutionDoesNotExist" not in str(error)
    return bool(execution["status"] == "RUNNING")
