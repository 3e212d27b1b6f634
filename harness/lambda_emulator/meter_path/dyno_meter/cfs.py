"""How long work takes under AWS Lambda's share of CPU. Pure: numbers in, numbers out.

A function gets memory / 1769 of a vCPU: "at 1,769 MB, a function has the equivalent of one
vCPU" (AWS Lambda's guide, "Configure Lambda function memory"). The kernel's CFS bandwidth
control enforces it (Documentation/scheduler/sched-bwc.rst): a quota of CPU time per period,
handed out in slices. A slice is only found used up at a tick, so work overruns its quota and
pays back in the next period. Hence the staircase of short functions.

The constants are fitted on the data set cpu17ms, those of several vCPUs and of arm64 on the
sources named at each; docs/local-lambda.md has the fits, their errors and the plot. `cfs.js` is
the same model for Node.js, held to this one by a test.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs every cold start 5 ms
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Step = tuple[Any, ...]

MB_PER_VCPU = 1769
PERIOD_MS = 20.0
# Quota is handed out in slices of 5 ms and looked at at every tick of 4 ms: the second tick finds
# a slice used up. A quota below a slice is found used up by the first.
SLICE_MS = 5.0
TICK_MS = 4.0
# Work starts with a fresh period (the environment was frozen), or one tick into it.
STARTS = ((0.0, 0.8), (4.0, 0.2))
# Execution environments differ, in two ways of their own: what the first period's quota
# has more or less than usual (the runtime itself has used some of it before the clock starts, and
# some use is not accounted yet), and what the same work takes of CPU time.
SANDBOXES = (
    (-1.4, 1.004),
    (-0.5, 0.972),
    (-0.3, 1.028),
    (-0.2, 0.987),
    (-0.1, 1.013),
    (0.05, 0.996),
)
# Shorter waits are a machine's noise: they take their time and have no further consequence.
SHORT_WAIT_MS = 1.0
WAKE_MS = 0.1  # from the refill until throttled work runs again

# More threads of equal work than this many to a vCPU spread over them like a liquid.
_MANY_TO_A_VCPU = 8
# Six vCPUs of x86_64 are the hyperthreads of three cores. PBKDF2 in six processes takes 9 to 25 %
# longer from 8960 MB on than a sixth of its CPU time; no such loss is seen with five, or on arm64.
ALL_HYPERTHREADS = 6
HYPERTHREADS_COST = 1.15
# arm64 is served by several generations, large sizes more often by newer ones: of nine functions
# (cebert, November and December 2025), none at 2048 MB, four at 4096, five at 8192 and eight at
# 10,240 took about 0.78 of the CPU time. The mean falls from 1 at 2048 MB to 0.8 at 10,240.
NEWER_FROM_MB = 2048
NEWER_ONLY_MB = 10_240
NEWER_PACE = 0.8

CPU, WAIT, CALL, ANSWER = "cpu", "wait", "call", "answer"

_EPSILON = 1e-9
_SETTLED_PERIODS = 6  # from here on, one period of throttled work is like the next


def vcpus(memory_mb: int) -> int:
    """Return how many vCPUs a function sees: at most so many threads run at once."""
    for limit_mb, count in ((3008, 2), (5307, 3), (7076, 4), (8845, 5)):
        if memory_mb <= limit_mb:
            return count
    return 6


def core_pace(memory_mb: int, architecture: str) -> float:
    """Return the CPU time that work takes on this size's cores, over that of small sizes."""
    if architecture != "arm64" or memory_mb <= NEWER_FROM_MB:
        return 1.0
    newer = min(1.0, (memory_mb - NEWER_FROM_MB) / (NEWER_ONLY_MB - NEWER_FROM_MB))
    return 1.0 - newer * (1.0 - NEWER_PACE)


def spread(cpu_ms: float, width: float, count: int) -> list[tuple[float, float]]:
    """Return how `width` equal threads run on `count` vCPUs: (CPU ms, vCPUs busy), in order.

    With more threads than vCPUs, some share one. The kernel leaves them there until another vCPU
    is idle, and then moves one (`newidle_balance` in kernel/sched/fair.c): six threads on five
    vCPUs take one and a half times as long as five, not a sixth more.
    """
    width = max(1.0, width)
    if width <= count or width > _MANY_TO_A_VCPU * count:
        return [(cpu_ms, min(width, count))]
    whole = int(width + _EPSILON)
    left = [1.0] * whole + ([width - whole] if width - whole > _EPSILON else [])
    queues = [left[i::count] for i in range(count)]
    phases: list[tuple[float, float]] = []
    while any(queues):
        for queue in queues:
            longest = max(queues, key=len)
            if not queue and len(longest) > 1:
                queue.append(longest.pop())
        busy = [queue for queue in queues if queue]
        took = min(min(queue) * len(queue) for queue in busy)
        for queue in busy:
            done = took / len(queue)
            queue[:] = [rest - done for rest in queue if rest - done > _EPSILON]
        phase_ms, before = cpu_ms * took * len(busy) / width, phases[-1:]
        if before and before[0][1] == len(busy):
            phases[-1] = (before[0][0] + phase_ms, before[0][1])
        else:
            phases.append((phase_ms, float(len(busy))))
    return phases


def on_cores(steps: Iterable[Step], memory_mb: int, architecture: str) -> list[Step]:
    """Return the steps with a CPU step for each number of vCPUs that are busy."""
    found: list[Step] = []
    count, pace = vcpus(memory_mb), core_pace(memory_mb, architecture)
    for step in steps:
        if step[0] != CPU:
            found.append(step)
            continue
        for cpu_ms, busy in spread(step[1] * pace, step[2], count):
            crowded = architecture == "x86_64" and busy >= ALL_HYPERTHREADS
            found.append((CPU, cpu_ms * (HYPERTHREADS_COST if crowded else 1.0), busy))
    return found


def duration_ms(
    steps: Iterable[Step], memory_mb: int, architecture: str = ""
) -> tuple[float, float]:
    """Return mean and standard deviation of the duration that AWS Lambda would take.

    Args:
        steps: What the work does, in order:
            (CPU, ms, width): so much CPU time, by `width` threads that want to run at once;
            (WAIT, ms): nothing runs and nothing wants to;
            (CALL, id, ms): something is asked that answers after so long, while work goes on;
            (ANSWER, id): work needs that answer, and waits for it.
        memory_mb: The function's memory size.
        architecture: "arm64" or "x86_64", for what its cores are known for; "" for neither.
    """
    steps = on_cores(steps, memory_mb, architecture)
    total = squares = 0.0
    for into_period_ms, share in STARTS:
        for credit_ms, pace in SANDBOXES:
            took_ms = _Run(memory_mb, into_period_ms, credit_ms, pace).through(steps)
            weight = share / len(SANDBOXES)
            total += weight * took_ms
            squares += weight * took_ms * took_ms
    return total, max(0.0, squares - total * total) ** 0.5


def scaled(steps: Iterable[Step], factor: float) -> list[Step]:
    """Return steps whose CPU time is multiplied."""
    return [(CPU, step[1] * factor, step[2]) if step[0] == CPU else tuple(step) for step in steps]


class _Run:
    """One invocation on its way through the scheduler's periods."""

    def __init__(
        self, memory_mb: int, into_period_ms: float, credit_ms: float, pace: float
    ) -> None:
        self._pace = pace
        self._share = memory_mb / MB_PER_VCPU
        self._quota = PERIOD_MS * self._share
        self._into_period = into_period_ms
        self._fresh_budget = self._budget = self._quota + credit_ms
        self._now = 0.0
        self._refill = PERIOD_MS - into_period_ms
        self._unchecked_ms = self._slice_ms()
        self._late = 0.0
        self._answers: dict[Any, float] = {}

    def through(self, steps: Iterable[Step]) -> float:
        """Return how long the steps take."""
        for step in steps:
            kind = step[0]
            if kind == CPU:
                self._work(step[1] * self._pace, step[2])
            elif kind == WAIT:
                self._sleep_until(self._now + step[1])
            elif kind == CALL:
                self._answers[step[1]] = self._now + step[2]
            else:
                self._sleep_until(self._answers.pop(step[1], self._now))
        return self._now + self._late

    def _slice_ms(self) -> float:
        """Return how long work runs until its use of the quota is looked at."""
        return 2 * TICK_MS if self._quota >= SLICE_MS else TICK_MS

    def _sleep_until(self, moment: float) -> None:
        """Wait. Falling asleep is accounted at once: who owes then wakes when it is paid."""
        if moment <= self._now:
            return
        slept_ms = moment - self._now
        self._now = moment
        self._refill_passed()
        if slept_ms < SHORT_WAIT_MS:
            return
        if self._budget <= _EPSILON:
            self._throttle(0.0)
        elif slept_ms >= 2 * PERIOD_MS and self._budget >= self._quota:
            # the timer has stopped after an idle period, and starts when work does
            self._refill = self._now + PERIOD_MS - self._into_period
            self._budget = self._fresh_budget
        self._unchecked_ms = self._slice_ms()

    def _refill_passed(self) -> None:
        """Refill for every period that began; what was left over is lost, what is owed is not."""
        if self._refill <= self._now + _EPSILON:
            periods = int((self._now + _EPSILON - self._refill) / PERIOD_MS) + 1
            self._refill += periods * PERIOD_MS
            self._budget = min(self._quota, min(self._budget, 0.0) + periods * self._quota)

    def _work(self, cpu_ms: float, width: float) -> None:
        if width <= self._share:  # the quota is never used up
            self._now += cpu_ms / width
            self._refill_passed()
            return
        left = cpu_ms
        while left > _EPSILON:
            step = min(left / width, self._unchecked_ms, self._refill - self._now)
            self._now += step
            left -= step * width
            self._budget -= step * width
            self._unchecked_ms -= step
            self._refill_passed()
            if self._unchecked_ms <= _EPSILON:
                if self._budget <= _EPSILON:
                    left = self._throttle(left)
                self._unchecked_ms = self._slice_ms()

    def _throttle(self, left: float) -> float:
        """Wait for the period that leaves something to use; return the work that is left then."""
        self._late = WAKE_MS
        settled = left - _SETTLED_PERIODS * (self._quota + 2 * TICK_MS)
        if settled > 0:
            periods = int(settled / self._quota)
            self._now += periods * PERIOD_MS
            self._refill += periods * PERIOD_MS
            left -= periods * self._quota
        while self._budget <= _EPSILON:
            self._now = self._refill
            self._refill_passed()
        return left
