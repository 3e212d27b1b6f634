"""Prepare: check the input, lock the function and publish what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from lambda_dyno.tuner_contract.arns import FunctionArn
from lambda_dyno.tuner_contract.keys import TuningInput
from lambda_dyno.tuner_contract.values import room_bytes, size_bytes
from power_tuner.aws import Role, clean_up_after, client, client_of
from power_tuner.errors import (
    AwsCallFailed,
    FunctionBusy,
    FunctionNotReady,
    InvalidInput,
    NotTunable,
)
from power_tuner.function import Deadline, Function
from power_tuner.handlers.common import SETTINGS, deadline_at, errors_of, put_out, request_of
from power_tuner.lock import FunctionLock
from power_tuner.meter import Meter
from power_tuner.prepare import BUSY_PAUSE_S, Preparation, busy
from power_tuner.sources import read_payloads
from power_tuner.state import TuningState

_MARGIN_S = 15.0
Work = tuple[FunctionArn, Mapping[str, Any] | None, TuningState | None]
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
        _check_room(event["input"], len(request.power_values) * max(1, len(request.architectures)))
        before = TuningState.from_json(event["state"]) if event.get("state") else None
        deadline = Deadline(deadline_at(context, _MARGIN_S))
        work: list[Work] = [(request.function, None, before)]
        left_out: dict[str, str] = {}
        if request.cloned:
            work, left_out = _copies(request, event["execution"], before, deadline)
    # what is left of a copy must be cleaned up after
    with errors_of("Prepare", nothing_changed=first and not request.cloned):
        states = []
        role = Role.of(event["input"])
        for arn, original, side in work:
            api = client_of(role, arn.region) or client("lambda", arn.region)
            function = Function(api, arn, deadline)
            preparation = Preparation(
                request,
                plan,
                event["execution"],
                function,
                deadline,
                _is_running,
                clean_up_after(SETTINGS),
                original,
            )
            try:
                states.append(preparation.run(side))
            except (AwsCallFailed, FunctionNotReady) as error:
                if side is before and not states:  # of the function's own architecture
                    raise
                left_out[side.architecture if side else _architecture(original)] = str(error)
        state = before or states[0]
        if before is None:
            state.others = states[1:]
        state.others = [one for one in state.others if one.architecture not in left_out]
        state.left_out |= left_out
    return put_out(event, state, meter)


def _architecture(original: Mapping[str, Any] | None) -> str:
    return str(((original or {}).get("Configuration", {}).get("Architectures") or ["x86_64"])[0])


def _copies(
    request: TuningInput, execution_arn: str, before: TuningState | None, deadline: Deadline
) -> tuple[list[Work], dict[str, str]]:
    """Return the copies to prepare, and why architectures are left out.

    Of a copy: its ARN, what GetFunction answers of what it is a copy of, and what there is already.

    Raises:
        FunctionBusy: Another execution is changing the memory size of $LATEST.
        NotTunable: There can be no copy.
    """
    if before is not None:
        from power_tuner.analyze import detour

        again = [side for side in before.sides if detour(request, side) == "Prepare"]
        return [(FunctionArn.parse(side.copy), {}, side) for side in again], {}
    # who measures versions of the function itself does not wait for it
    from power_tuner.copying import Copier, Original, code_of, layer_reader, package_of
    from power_tuner.sides import on, why_left_out

    arn, api = request.function, client("lambda", request.function.region)
    original = Original(api, arn).describe(SETTINGS)
    lock = FunctionLock(Function(api, arn, deadline), execution_arn)
    while not arn.of_version and (found := lock.find()) and found[1].memory_mb is not None:
        if request.on_conflict == "fail" or not _is_running(found[1].execution_arn):
            raise FunctionBusy(busy(arn.text, found[1]))
        deadline.pause(BUSY_PAUSE_S, f"{found[1].execution_arn} to end")
        original = Original(api, arn).describe(SETTINGS)
    config = original["Configuration"]
    package = package_of(original)
    copier = Copier(api, execution_arn, arn)
    copy = copier.copy(original, code_of(original, package), SETTINGS.copy_tags)
    work: list[Work] = [(copy, original, None)]
    left_out = {}
    for architecture in request.architectures:
        if architecture == _architecture(original):
            continue
        given = SETTINGS.copy_packages.get(architecture)
        why = why_left_out(original, b"" if given else package, layer_reader(api), architecture)
        if why:
            left_out[architecture] = why
            continue
        code = code_of(original, package)
        if given:
            code = {"S3Bucket": given["bucket"], "S3Key": given["key"]}
        other = on(original, architecture, given["sha256"] if given else config["CodeSha256"])
        try:
            work.append((copier.copy(other, code, SETTINGS.copy_tags), other, None))
        except NotTunable as error:
            left_out[architecture] = str(error)
    return work, left_out


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
