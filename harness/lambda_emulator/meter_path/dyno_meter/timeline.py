"""What one invocation did, in the order in which it did it. Pure: readings in, steps out.

Each mark closes an interval: so much CPU time in it, so much time in a run queue, and the rest
was spent waiting. Between the start and the answer of a call to the embedded AWS, waiting is
that for the answer: the embedded AWS may be starved by this busy machine, so its own time does
not count, and the model of AWS's latency stands in for it.
"""

from __future__ import annotations

import threading

from .cfs import ANSWER, CALL, CPU, WAIT
from .clocks import Clocks
from .parallel import INTERVAL, Task, interval, straightened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .cfs import Step
    from .usage import Reading

# Not all that is neither CPU time nor queue is a wait of the function's: interrupts are not.
_NOISE_MS = 0.1
_NOISE_SHARE = 0.01
_NO_CPU_MS = 0.005
_NOTICED_MS = 0.5  # a wait that is worth a mark


class Timeline:
    """Collects what an invocation does. May be marked from any thread."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read
        self._lock = threading.RLock()
        self._events: list[tuple[Any, ...]] = []
        self._tasks: list[Task] = []
        self._running: dict[object, Task] = {}
        self._waits: dict[int, float] = {}  # since when threads wait
        self._ended_waits_ms = 0.0
        self._timers = 0
        self._last: Reading | None = None
        self.active = False  # whether an invocation is under way
        self.tasks = 1  # threads that counted when last looked at
        self.begin_wall_ms = 0.0

    def begin(self) -> None:
        """Start over."""
        with self._lock:
            self._events = []
            self._tasks = []
            self._running = {}
            self._ended_waits_ms = 0.0
            self._last = self._read()
            self.tasks = self._last.tasks
            self.begin_wall_ms = self._last.wall_ms
            self.active = True

    def end(self) -> None:
        """Close the last interval; marks that come later are ignored."""
        with self._lock:
            self.mark()
            self.active = False

    def mark(self, *, by_meter: bool = False) -> None:
        """Close an interval: what comes next may run differently.

        Args:
            by_meter: Whether a thread of the meter calls, whose CPU time does not count anyway.
        """
        if not self.active:
            return
        with self._lock:
            last = self._last
            if last is None:
                return
            own_ns = Clocks.thread_ns()
            now = self._read()
            self.tasks = now.tasks
            self._events.append(_interval(last, now, self._waited_ms(last, now)))
            # what the meter itself took is not the function's
            own_ms = 0.0 if by_meter else (Clocks.thread_ns() - own_ns) / 1e6
            now.cpu_ms += own_ms
            self._last = now

    def leave_out(self, work: Callable[[], float]) -> float:
        """Mark, do some work of the meter's and return what it gives; none of it is in any step."""
        with self._lock:
            self.mark()
            result = work()
            if self.active:
                self._last = self._read()
            return result

    def wait_begins(self) -> None:
        """Note that the calling thread now waits for something outside."""
        self._waits[threading.get_ident()] = Clocks.wall_ns() / 1e6

    def wait_ends(self) -> None:
        """Note that it waits no more; a mark if it was long: what comes next comes after it."""
        begin_ms = self._waits.pop(threading.get_ident(), None)
        if begin_ms is None or not self.active:
            return
        now_ms = Clocks.wall_ns() / 1e6
        if now_ms - begin_ms > _NOTICED_MS:
            with self._lock:
                if self._last is not None:
                    self._ended_waits_ms += now_ms - max(begin_ms, self._last.wall_ms)
                self.mark()

    def _waited_ms(self, last: Reading, now: Reading) -> float:
        """Return how much of an interval some thread is known to have waited."""
        ended_ms, self._ended_waits_ms = self._ended_waits_ms, 0.0
        begins = list(self._waits.values())
        longest_ms = max((now.wall_ms - max(b, last.wall_ms) for b in begins), default=0.0)
        return max(ended_ms, longest_ms)

    @property
    def side_by_side(self) -> bool:
        """Whether more than one thread or process was there when last looked at, or since."""
        return self.tasks > 1 or bool(self._running)

    def task_started(self, key: object, offset_ms: float) -> None:
        """Mark that a thread or process runs.

        Args:
            key: What `task_ending` will name it.
            offset_ms: The CPU time that its starter had used by then.
        """
        if not self.active:
            return
        with self._lock:
            self.mark()
            wall_ms = Clocks.wall_ns() / 1e6
            self._running[key] = task = Task(len(self._events), wall_ms, offset_ms)
            self._tasks.append(task)

    def task_ending(self, key: object, counters: Callable[[], tuple[float, float, float]]) -> None:
        """Mark that a thread or process is about to go.

        Args:
            key: What `task_started` named it.
            counters: Gives its CPU time and queue time in ms, and the wall clock at its end.
        """
        if not self.active:
            return
        with self._lock:
            self.mark()
            cpu_ms, queue_ms, wall_ms = counters()
            task = self._running.pop(key, None)
            if task is not None:
                task.ended(len(self._events), wall_ms - task.wall_ms, cpu_ms, queue_ms)

    def timer_begins(self, delay_ms: float) -> str:
        """Note a wait of so long; return what `answer` will name it."""
        self._timers += 1
        key = f"timer {self._timers}"
        self.call(key, delay_ms)
        return key

    def call(self, key: object, latency_ms: float) -> None:
        """Note that something was asked of the embedded AWS, and how long AWS would take."""
        with self._lock:
            self.mark()
            self._events.append((CALL, key, latency_ms))

    def answer(self, key: object) -> None:
        """Note that the answer is there."""
        with self._lock:
            self.mark()
            self._events.append((ANSWER, key))

    def replace_wait(self, waited_ms: float, modelled_ms: float) -> None:
        """Let a modelled wait stand for one that has just ended and took `waited_ms`."""
        with self._lock:
            self.mark()
            place = len(self._events) - 1
            while waited_ms > 0 and place >= 0 and self._events[place][0] == INTERVAL:
                event = self._events[place]  # marked within the wait, too
                left_ms = max(0.0, event[3] - waited_ms)
                self._events[place] = (*event[:3], left_ms, *event[4:])
                waited_ms -= event[5] - event[1]
                place -= 1
            self._events.append((INTERVAL, 0.0, 1.0, modelled_ms, 0.0, modelled_ms))

    def steps(self) -> list[Step]:
        """Return what was done so far, as the CPU model takes it."""
        with self._lock:
            return _steps(straightened(self._events, self._tasks))

    def totals(self) -> tuple[float, float]:
        """Return CPU time and the time spent waiting for anything, in milliseconds."""
        with self._lock:
            intervals = [event for event in self._events if event[0] == INTERVAL]
            return sum(e[1] for e in intervals), sum(e[3] for e in intervals)


def _interval(last: Reading, now: Reading, waited_ms: float) -> tuple[Any, ...]:
    wall_ms = max(0.0, now.wall_ms - last.wall_ms)
    cpu_ms = max(0.0, now.cpu_ms - last.cpu_ms)
    queue_ms = max(0.0, now.queue_ms - last.queue_ms)
    blocked_ms = wall_ms - cpu_ms - queue_ms
    # A thread of the meter may hold Python's lock while it waits for a core; one of the
    # function's that wants to work waits for that, but one that waits for something else does not.
    meter_queue_ms = max(0.0, now.meter_queue_ms - last.meter_queue_ms)
    held_up_ms = max(0.0, min(meter_queue_ms, blocked_ms - waited_ms))
    queue_ms += held_up_ms
    blocked_ms -= held_up_ms
    # whoever never left the core to wait has not waited: the machine itself was not there
    never_left = now.yields > 0 and now.yields == last.yields
    if never_left or blocked_ms < _NOISE_MS + _NOISE_SHARE * wall_ms:
        blocked_ms = 0.0
    return interval(wall_ms, cpu_ms, queue_ms, blocked_ms, max(now.tasks, last.tasks))


def _steps(events: list[tuple[Any, ...]]) -> list[Step]:
    answered = {event[1] for event in events if event[0] == ANSWER}
    asked: set[object] = set()
    steps: list[Step] = []
    for event in events:
        if event[0] == INTERVAL:
            _, cpu_ms, width, blocked_ms, _, _ = event
            if cpu_ms > _NO_CPU_MS:
                steps.append((CPU, cpu_ms, width))
            if blocked_ms and not asked:
                if steps and steps[-1][0] == WAIT:
                    blocked_ms += steps.pop()[1]
                steps.append((WAIT, blocked_ms))
        elif event[1] in answered:  # nobody waits for an answer that never comes
            (asked.add if event[0] == CALL else asked.discard)(event[1])
            steps.append(event)
    return steps
