"""Measure: invoke every version as often as asked, all power values side by side.

One pass ends before its own Lambda function must; what is left is done by the next one.
Nothing here measures time: durations are what Lambda reports, so a busy tuner does not
change a result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event, Lock

from power_tuner.errors import InvocationFailed, NothingMeasured
from power_tuner.function import Deadline
from power_tuner.invoker import GaveUpError, Invoker, Outcome
from power_tuner.payloads import PayloadPlan
from power_tuner.request import TuningInput
from power_tuner.samples import Sample
from power_tuner.state import PowerState, TuningState

# A power value at which the function fails this often in a row from the start is hopeless.
_HOPELESS_AFTER = 5
_SHOWN_CHARS = 300


@dataclass(frozen=True, slots=True)
class Invocation:
    """An invocation to make: the number says which payload it gets."""

    power: PowerState
    number: int


class Measurer:
    """One pass of Measure.

    Args:
        request: The checked input.
        plan: Payloads.
        invoke: Invokes a version, processors around it included.
        deadline: No invocation is started that would not end before it.
        most_at_once: Invocations that this Lambda function can hold at once.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        request: TuningInput,
        plan: PayloadPlan,
        invoke: Invoker,
        deadline: Deadline,
        most_at_once: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._request = request
        self._plan = plan
        self._invoke = invoke
        self._deadline = deadline
        self._most_at_once = most_at_once
        self._sleep = sleep
        self._stop = Event()
        self._record = Lock()
        self._longest_s: dict[int, float] = {}

    def run(self, state: TuningState) -> None:
        """Measure into the state until all is done or time is up.

        Raises:
            InvocationFailed: The function failed, and may not.
            NothingMeasured: It failed at every power value.
        """
        self._arn = self._request.function.text
        lanes = self._lanes(state.powers)
        workers = self._workers(len(lanes), state.reserved_concurrency)
        if lanes:
            self._run_lanes(lanes, workers)
        state.passes += 1
        self._judge(state.powers)

    def _lanes(self, powers: Sequence[PowerState]) -> list[list[Invocation]]:
        """Return the work as lanes; one lane is done in series, lanes side by side."""
        num = self._request.invocations
        open_powers = [power for power in powers if not power.done(num)]
        lanes = [[Invocation(p, n) for n in range(p.launched, num)] for p in open_powers]
        if self._request.parallel_invocation:
            lanes = [[invocation] for lane in lanes for invocation in lane]
        elif self._request.sequential:
            lanes = [[invocation for lane in lanes for invocation in lane]]
        return lanes

    def _workers(self, lanes: int, reserved_concurrency: int | None) -> int:
        limit = self._most_at_once
        if reserved_concurrency is not None:
            limit = min(limit, reserved_concurrency)
        return max(1, min(lanes, limit))

    def _run_lanes(self, lanes: Sequence[Sequence[Invocation]], workers: int) -> None:
        with ThreadPoolExecutor(max_workers=workers) as pool:
            futures = [pool.submit(self._run_lane, lane) for lane in lanes]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            if any(future.exception() for future in done):
                self._stop.set()
        for future in futures:
            future.result()

    def _run_lane(self, lane: Sequence[Invocation]) -> None:
        last = len(lane) - 1
        for position, invocation in enumerate(lane):
            if self._stop.is_set():
                return
            if invocation.power.excluded:
                continue
            if not self._one(invocation):
                return
            if self._request.sleep_between_runs_ms and position < last:
                self._sleep(self._request.sleep_between_runs_ms / 1000)

    def _one(self, invocation: Invocation) -> bool:
        """Make one invocation; return False when there is no time for it."""
        power = invocation.power
        if self._deadline.left_s <= self._longest_s.get(power.power, 0.0):
            return False
        started = self._deadline.clock()
        try:
            outcome = self._invoke(
                f"{self._arn}:{power.versions[-1]}", self._plan.text(invocation.number)
            )
        except GaveUpError as error:
            with self._record:
                power.retries += error.retries
                if error.out_of_time:
                    return False
                power.excluded = power.failure = str(error)
            return True
        took_s = self._deadline.clock() - started
        with self._record:
            self._longest_s[power.power] = max(took_s, self._longest_s.get(power.power, 0.0))
            self._note(invocation, outcome)
        return True

    def _note(self, invocation: Invocation, outcome: Outcome) -> None:
        power = invocation.power
        power.launched += 1
        power.invocations += 1
        power.retries += outcome.retries
        report = outcome.report
        if report is not None:
            power.billed_ms += Sample.of(0, report.billed_ms).billed_ms
            power.max_memory_used_mb = max(power.max_memory_used_mb, report.max_memory_used_mb)
        allowed = outcome.error_type in self._request.allowed_exceptions
        if outcome.error_type:
            power.errors[outcome.error_type] = power.errors.get(outcome.error_type, 0) + 1
        if report is not None and (not outcome.error_type or allowed):
            power.samples.append(Sample.of(report.total_ms, report.billed_ms, cold=report.cold))
        elif not allowed:
            self._note_failure(invocation, outcome)

    def _note_failure(self, invocation: Invocation, outcome: Outcome) -> None:
        power = invocation.power
        words = self._words(invocation, outcome)
        power.failure = power.failure or words
        if not self._request.allow_failures:
            raise InvocationFailed(words)
        if outcome.killed:
            power.excluded = words
        elif not power.samples and power.launched >= _HOPELESS_AFTER:
            power.excluded = power.failure

    def _words(self, invocation: Invocation, outcome: Outcome) -> str:
        """Return what failed, where and how; with the payload, unless that is secret."""
        index = self._plan.index(invocation.number)
        words = f"power value {invocation.power.power} MB, payload {index}: {outcome.error_type}"
        message = outcome.error_message
        if self._request.disable_payload_logs:
            return words
        if message:
            words = f"{words}: {message[:_SHOWN_CHARS]}"
        return f"{words} (sent: {self._plan.text(invocation.number)[:_SHOWN_CHARS]})"

    def _judge(self, powers: Sequence[PowerState]) -> None:
        """Exclude power values at which the function failed too often to go by the rest."""
        for power in powers:
            failed = power.launched - len(power.samples) - power.discarded
            if not power.excluded and power.launched and failed * 2 > power.launched:
                power.excluded = power.failure
        if all(power.excluded for power in powers):
            first = powers[0].excluded
            raise NothingMeasured(f"the function failed at every power value, first at {first}")
