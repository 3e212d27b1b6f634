"""Measure: invoke every version as often as asked, all power values side by side.

One pass ends before its own Lambda function must; what is left is done by the next one.
Nothing here measures time: durations are what Lambda reports, so a busy tuner does not
change a result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING

from lambda_dyno.tuner_contract.keys import TuningInput
from lambda_dyno.tuner_contract.values import NUM_MIN
from lambda_dyno.tuner_contract.workload import LinkError
from power_tuner.errors import InvocationFailed, NothingMeasured, without
from power_tuner.function import Deadline
from power_tuner.invoker import NO_REPORT, GaveUpError, Invoker, Outcome
from power_tuner.lanes import run_lanes
from power_tuner.payloads import Plan
from power_tuner.samples import Sample
from power_tuner.state import PowerState, TuningState

if TYPE_CHECKING:
    from power_tuner.adaptive import Adaptive

# A power value at which the function fails this often from the start is hopeless.
_HOPELESS_AFTER = 5
_ROUND_S = 30.0  # to publish further sizes, wait for them and measure there
_SHOWN_CHARS = 300
# A function that makes up a type for each of its errors must not fill the state.
_MOST_ERROR_TYPES = 10
_OTHER_ERRORS = "other types"


@dataclass(frozen=True, slots=True)
class Invocation:
    """An invocation to make: the number says which payload it gets."""

    power: PowerState
    number: int
    again: bool = False  # only for its answer: it was made before


Lane = Sequence[Invocation]  # one after the other; lanes run side by side


class Measurer:
    """One pass of Measure.

    Args:
        request: The checked input.
        plan: What each invocation is sent.
        invoke: Invokes a version, processors around it included.
        deadline: When the pass is over; an invocation that is not leaves its work to the next.
        most_at_once: Invocations that this Lambda function can hold at once.
        seed: Of adaptive measuring: the execution's name.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        request: TuningInput,
        plan: Plan,
        invoke: Invoker,
        deadline: Deadline,
        most_at_once: int,
        seed: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._request = request
        self._plan = plan
        self._invoke = invoke
        self._deadline = deadline
        self._most_at_once = most_at_once
        self._seed = seed
        self._sleep = sleep
        self._record = Lock()  # of all below, and of the state
        self._over = False
        self._longest_s: dict[int, float] = {}  # by power value
        self._answered = 0
        self._unanswered: dict[int, str] = {}  # why, by power value

    def run(self, state: TuningState, *, last: bool = False) -> None:
        """Measure into the state until all is done or time is up.

        Args:
            state: What there is already.
            last: Whether no other pass comes, since the input's time limit ends this one.

        Raises:
            InvocationFailed: The function failed, and may not.
            NothingMeasured: It failed at every power value.
        """
        self._arn = state.copy or self._request.function.text
        limit = self._most_at_once
        for most in (state.reserved_concurrency, self._request.max_concurrency or None):
            if most is not None:
                limit = max(1, min(limit, most))
        powers = [power for power in state.powers if not power.done]
        before = {power.power: (len(power.samples), power.discarded) for power in powers}
        try:
            self._measure(powers, limit)
            if self._request.adaptive:
                self._adapt(state, limit)
        finally:
            with self._record:
                self._over = True  # what comes in later is of no use: the state is on its way
        state.passes += 1
        self._exclude_unanswered(powers)
        if self._request.adaptive:
            self._end_adaptive(state, last=last)
        else:
            state.timed_out = last and not all(power.done for power in powers)
        if self._request.only_cold_starts:
            self._exclude_never_cold(powers, before)
        if state.timed_out and not self._request.adaptive:
            for power in powers:
                self._cut_short(power, state.warnings)
        self._exclude_failing(state)
        _require_any(state)

    def _measure(self, powers: Sequence[PowerState], limit: int) -> None:
        """Measure what is to be done at these power values, as far as the time goes."""
        longest_s = max(0.0, self._deadline.left_s)
        lanes = self._lanes(powers, limit)
        run_lanes(lanes, self._run_lane, at_once=limit, longest_s=longest_s)

    def _adapt(self, state: TuningState, limit: int) -> None:
        """Measure what the evidence asks for, until it is enough or other sizes are wanted."""
        while all(power.done for power in state.powers):
            self._exclude_failing(state)
            if not self._adaptive(state).proceed():
                return
            self._measure([power for power in state.powers if not power.done], limit)

    def _end_adaptive(self, state: TuningState, *, last: bool) -> None:
        """Say what was found if no time is left to find more."""
        if state.decision is not None or not last:
            return
        unpublished = [p for p in state.powers if not p.done and not p.versions]
        if unpublished and self._deadline.left_s > _ROUND_S:
            return
        state.timed_out = True
        state.powers = [power for power in state.powers if power not in unpublished]
        self._adaptive(state).time_is_up()

    def _adaptive(self, state: TuningState) -> Adaptive:
        from power_tuner.adaptive import Adaptive  # who measures fixed numbers does not wait for it

        return Adaptive(self._request, self._plan, state, self._seed)

    def _lanes(self, powers: Sequence[PowerState], limit: int) -> list[Lane]:
        work: list[Lane] = [[Invocation(power, n) for n in power.todo] for power in powers]
        if self._request.only_cold_starts:
            # what is more than runs at once would find warm environments
            work = [lane[:limit] for lane in work]
        at_once = self._request.parallel_invocation and not self._request.adaptive
        if at_once or self._request.only_cold_starts:
            return [alone for lane in work for alone in self._apart(lane)]
        if self._request.sequential:
            return [list(chain.from_iterable(work))]
        return work

    def _apart(self, lane: Lane) -> list[Lane]:
        """Return what can be made at once: all of it, but for those that follow each other."""
        apart: dict[int, list[Invocation]] = {}
        for invocation in lane:
            apart.setdefault(self._plan.lane(invocation.number), []).append(invocation)
        return list(apart.values())

    def _run_lane(self, lane: Lane) -> None:
        last = len(lane) - 1
        for position, invocation in enumerate(lane):
            if invocation.power.excluded:
                continue
            if self._over or not self._one(invocation):
                return
            if self._request.sleep_between_runs_ms and position < last:
                self._sleep(self._request.sleep_between_runs_ms / 1000)

    def _one(self, invocation: Invocation) -> bool:
        """Make one invocation; return False when there is no time for it."""
        power = invocation.power
        if self._deadline.left_s <= self._longest_s.get(power.power, 0.0):
            return False
        started = self._deadline.clock()
        version = f"{self._arn}:{power.versions[-1]}"
        self._unanswered.setdefault(power.power, f"no answer in {self._deadline.left_s:.0f} s")
        for number in () if invocation.again else self._plan.first(invocation.number, power.power):
            if not self._one(Invocation(power, number, again=True)):
                return False
        try:
            outcome = self._outcome(version, invocation)
        except GaveUpError as error:
            with self._record:
                if not self._over:
                    self._note_refusal(power, error)
            return not error.out_of_time
        took_s = self._deadline.clock() - started
        with self._record:
            if self._over:
                return False
            self._answered += 1
            self._longest_s[power.power] = max(took_s, self._longest_s.get(power.power, 0.0))
            self._note(invocation, outcome)
        return True

    def _outcome(self, version: str, invocation: Invocation) -> Outcome:
        """Invoke, and hold the answer against what a workload says of it."""
        power, number = invocation.power.power, invocation.number
        try:
            body = self._plan.body(number, power)
        except LinkError as error:
            return Outcome(None, error_type="MissingLink", error_message=str(error))
        outcome = self._invoke(version, body)
        if outcome.failed:
            return outcome
        wrong = self._plan.answered(number, power, outcome.payload)
        if not wrong:
            return outcome
        return replace(outcome, error_type="UnexpectedStatus", error_message=wrong)

    def _note_refusal(self, power: PowerState, error: GaveUpError) -> None:
        power.retries += error.retries
        self._unanswered[power.power] = str(error)
        if not error.out_of_time:
            power.excluded = power.failure = f"power value {power.power} MB: {error}"

    def _note(self, invocation: Invocation, outcome: Outcome) -> None:
        power, report = invocation.power, outcome.report
        power.attempts += 1
        power.retries += outcome.retries
        if report is not None:
            power.billed_ms += Sample.of(0, report.billed_ms).billed_ms
            power.max_memory_used_mb = max(power.max_memory_used_mb, report.max_memory_used_mb)
        if outcome.error_type:
            known = outcome.error_type in power.errors or len(power.errors) < _MOST_ERROR_TYPES
            kind = outcome.error_type if known else _OTHER_ERRORS
            power.errors[kind] = power.errors.get(kind, 0) + 1
        allowed = not outcome.failed or outcome.error_type in self._request.allowed_exceptions
        if invocation.again:
            power.discarded += 1
        elif report is None or not allowed:
            power.todo.remove(invocation.number)
            self._note_failure(invocation, outcome)
        elif invocation.number < 0:  # it warmed up
            power.todo.remove(invocation.number)
            power.discarded += 1
        elif self._request.only_cold_starts and not report.cold:
            power.discarded += 1  # it stays to be done
        else:
            power.todo.remove(invocation.number)
            request = self._plan.request(invocation.number)
            power.samples.append(
                Sample.of(report.total_ms, report.billed_ms, cold=report.cold, request=request)
            )

    def _note_failure(self, invocation: Invocation, outcome: Outcome) -> None:
        power = invocation.power
        words = self._words(invocation, outcome)
        power.failure = power.failure or words
        if not self._request.allow_failures:
            raise InvocationFailed(words)
        if outcome.killed:
            power.excluded = words
        elif not power.samples and power.attempts - power.discarded >= _HOPELESS_AFTER:
            power.excluded = power.failure

    def _words(self, invocation: Invocation, outcome: Outcome) -> str:
        """Return what failed, where and how; with what was sent, unless that is secret."""
        power, number = invocation.power.power, invocation.number
        error_type = outcome.error_type or NO_REPORT
        words = f"power value {power} MB, {self._plan.name(number)}: {error_type}"
        if self._request.disable_payload_logs:
            # what the function says may repeat what it was sent
            return f"{words} (its message is withheld: disablePayloadLogs)"
        message = without(outcome.error_message, self._plan.withheld(number, power))
        if message:
            words = f"{words}: {message[:_SHOWN_CHARS]}"
        if self._request.workload is not None:
            return words  # its name says what was sent
        sent = self._plan.body(number) if outcome.sent is None else outcome.sent
        return f"{words} (sent: {sent.decode(errors='replace')[:_SHOWN_CHARS]})"

    def _exclude_unanswered(self, powers: Sequence[PowerState]) -> None:
        """Give up what had a whole pass and no answer: the next one would be no better."""
        for power in powers:
            if not self._answered and not power.done and power.power in self._unanswered:
                why = self._unanswered[power.power]
                power.excluded = power.failure = f"power value {power.power} MB: {why}"

    def _exclude_never_cold(
        self, powers: Sequence[PowerState], before: dict[int, tuple[int, int]]
    ) -> None:
        """Give up where a fresh version shows no cold start: it would go on for ever."""
        for power in powers:
            samples, discarded = before[power.power]
            warm = len(power.samples) == samples and power.discarded > discarded
            if warm and not power.done:
                power.excluded = (
                    f"power value {power.power} MB: no cold start among the first invocations of "
                    "a fresh version"
                )

    def _cut_short(self, power: PowerState, warnings: list[str]) -> None:
        """Do with what was measured until time was up, if that is enough to go by.

        With several payloads it is not: the first ones come first.
        """
        if power.done:
            return
        measured = len(power.samples)
        words = f"{measured} of {self._request.invocations} invocations were measured in time"
        if measured >= NUM_MIN and not self._plan.several:
            power.todo = []
            warnings.append(f"{power.power} MB: {words}")
        else:
            power.excluded = f"power value {power.power} MB: {words}"

    def _exclude_failing(self, state: TuningState) -> None:
        """Exclude power values at which the function failed too often to go by the rest."""
        for power in state.powers:
            failed = power.attempts - len(power.samples) - power.discarded
            if not power.excluded and failed * 2 > power.attempts:
                power.excluded = power.failure


def _require_any(state: TuningState) -> None:
    if all(power.excluded for power in state.powers):
        first = state.powers[0].excluded
        if state.timed_out:
            raise NothingMeasured(f"time was up before enough was measured, first at {first}")
        raise NothingMeasured(f"the function failed at every power value, first at {first}")
