"""Tuning from the client's side: start an execution, follow it, and stop it if nobody waits."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lambda_dyno.aws import assumed_role, lambda_function, tuner_executions
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.tune.output import MORE_TIME
from lambda_dyno.tuner_contract.values import ALL_POWER_VALUES, integer, is_true
from lambda_dyno.tuner_contract.workload import Workload

_POLL_S = 0.5
_CONCLUDING_S = 120.0  # from the end of measuring to that of the execution

_HINTS = {
    "InvalidInput": "Correct the input; nothing was changed.",
    "NotTunable": "Check the function's ARN, and the tunable_function_arns of the power tuner.",
    "FunctionBusy": "Wait until that execution has ended, or stop it.",
    "FunctionChanged": "Do not deploy the function while it is being tuned; then tune it again.",
    "FunctionGone": "Deploy the function again, then tune it.",
    "NothingMeasured": "Invoke the function with the same payload, and read its log.",
    "InvocationFailed": "Invoke the function with the same payload, and read its log.",
    "ProcessorFailed": "Invoke the processor by itself, and read its log.",
    "PayloadNotRead": "Check the address in payloadS3 and the tuner's payload_bucket.",
    "CleanUpFailed": tuner_executions.SWEEP,
}


@dataclass(frozen=True, slots=True)
class TuningProgress:
    """How far a tuning is.

    Invocations are known from one pass of Measure to the next; a pass takes up to 15 minutes,
    and most tunings need one.
    """

    state: str  # of the state machine, such as "Measure"
    done: int | None  # invocations that are measured; None before anything is known
    total: int | None
    elapsed_s: float


OnProgress = Callable[[TuningProgress], None]


@dataclass(frozen=True, slots=True)
class FinishedExecution:
    """An execution that succeeded."""

    arn: str
    output: dict[str, Any]


def run(
    tuning_input: Mapping[str, Any],
    *,
    state_machine_arn: str,
    session: Any,
    timeout_s: float,
    on_progress: OnProgress = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FinishedExecution:
    """Run the state machine and return its output as it came.

    On Ctrl-C, and when it does not end, the execution is stopped and its clean-up awaited.

    Args:
        tuning_input: The whole input.
        state_machine_arn: The power tuner's.
        session: A boto3 session that may use the state machine.
        timeout_s: Longest time to measure; what is not finished then is left out.
        on_progress: Told about the state, about twice a second.
        clock: Monotonic seconds.
        sleep: Waits so many seconds.

    Raises:
        StepError: The tuning failed; the message has the state machine's cause.
        UserError: There is no such power tuner, or it does not take the input.
    """
    states = session.client("stepfunctions")
    arn = _start(states, state_machine_arn, _within(tuning_input, timeout_s))
    follower = _Follower(states, arn, _expected_invocations(tuning_input), clock)
    try:
        while (execution := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            on_progress(follower.progress())
            if follower.elapsed_s > timeout_s + _CONCLUDING_S:
                raise StepError(
                    "tune", f"the tuning is not over after {timeout_s:.0f} s: {arn}", MORE_TIME
                )
            sleep(_POLL_S)
    except (KeyboardInterrupt, StepError):
        function_arn = lambda_function.unqualified(str(tuning_input.get("lambdaARN")))
        tuner_executions.stop(
            arn,
            function_arn=function_arn,
            session=session,
            there=assumed_role.session_for(session, tuning_input),
            clock=clock,
            sleep=sleep,
        )
        raise
    return _finished(execution)


class _Follower:
    """Reads from an execution's history where it is."""

    def __init__(
        self, states: Any, arn: str, total: int | None, clock: Callable[[], float]
    ) -> None:
        self._states = states
        self._arn = arn
        self._total = total
        self._clock = clock
        self._started = clock()
        self._entered = 0
        self._state = "Prepare"
        self._done: int | None = None

    @property
    def elapsed_s(self) -> float:
        return self._clock() - self._started

    def progress(self) -> TuningProgress:
        for event in self._newest(with_data=False):
            if event["type"].endswith("StateEntered"):
                if event["id"] != self._entered:
                    self._enter(event["id"])
                break
        return TuningProgress(self._state, self._done, self._total, self.elapsed_s)

    def _enter(self, event_id: int) -> None:
        """Read a new state's input once; it holds what was measured so far."""
        self._entered = event_id
        for event in self._newest(with_data=True):
            if event["id"] == event_id:
                details = event["stateEnteredEventDetails"]
                self._state = details["name"]
                self._done = _measured(details.get("input", ""))

    def _newest(self, *, with_data: bool) -> Iterator[dict[str, Any]]:
        page = self._states.get_execution_history(
            executionArn=self._arn,
            reverseOrder=True,
            maxResults=10,
            includeExecutionData=with_data,
        )
        yield from page["events"]


def _measured(state_input: str) -> int | None:
    try:
        measured = json.loads(state_input).get("measured")
    except (ValueError, AttributeError):
        return None
    return measured if isinstance(measured, int) and measured > 0 else None


def _within(tuning_input: Mapping[str, Any], timeout_s: float) -> Mapping[str, Any]:
    """Return an input whose tuning ends measuring before nobody waits for it any more."""
    limit = tuning_input.get("timeLimitSeconds")
    limit_s = timeout_s if limit is None else min(float(limit), timeout_s)
    return {**tuning_input, "timeLimitSeconds": limit_s} if math.isfinite(limit_s) else tuning_input


def _expected_invocations(tuning_input: Mapping[str, Any]) -> int | None:
    """Return how many invocations a tuning takes, if its input says so."""
    values, each = tuning_input.get("powerValues"), invocations_of(tuning_input)
    values = ALL_POWER_VALUES if values == "ALL" else values
    if not isinstance(values, list | tuple) or not values or not each:
        return None
    return len({str(value).strip() for value in values}) * each


def invocations_of(tuning_input: Mapping[str, Any]) -> int:
    """Return how many invocations of a power value are measured; 0: its input does not say."""
    num = 1 if is_true(tuning_input.get("dryRun")) else integer(tuning_input.get("num"))
    workload = tuning_input.get("workload")
    if not num or workload is None:
        return num or 0
    return Workload.parse(workload).whole_passes(num)


def _start(states: Any, state_machine_arn: str, tuning_input: Mapping[str, Any]) -> str:
    text = _json(tuning_input)
    try:
        started = states.start_execution(stateMachineArn=state_machine_arn, input=text)
    except states.exceptions.StateMachineDoesNotExist as error:
        raise UserError(
            f"there is no power tuner {state_machine_arn}: check its ARN and the region"
        ) from error
    except states.exceptions.InvalidExecutionInput as error:
        raise UserError(f"the tuning's input is no good: {error}") from error
    return str(started["executionArn"])


def _json(tuning_input: Mapping[str, Any]) -> str:
    """Return JSON as short as it gets: Step Functions counts its bytes."""
    text = json.dumps(tuning_input, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(tuning_input)
    return text


def _finished(execution: Mapping[str, Any]) -> FinishedExecution:
    arn, status = execution["executionArn"], execution["status"]
    if status == "SUCCEEDED":
        return FinishedExecution(arn=arn, output=json.loads(execution["output"]))
    error = execution.get("error") or ""
    words = {"ABORTED": "was stopped", "TIMED_OUT": "took longer than the tuner allows"}
    said = ": ".join(part for part in (error, execution.get("cause")) if part)
    raise StepError(
        "tune",
        said or f"the tuning {words.get(status, 'failed')}: {arn}",
        _HINTS.get(error, f"Look at the execution's history: {arn}"),
    )
