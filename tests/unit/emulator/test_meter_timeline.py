"""From what was read of a machine to what a function did: order, waits and width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lambda_emulator.meter_path.dyno_meter.cfs import ANSWER, CALL, CPU, WAIT
from lambda_emulator.meter_path.dyno_meter.parallel import Task, interval, straightened
from lambda_emulator.meter_path.dyno_meter.timeline import Timeline
from lambda_emulator.meter_path.dyno_meter.usage import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence


class Machine:
    """Gives readings that a test has written down: (wall, CPU, queue, tasks), in ms."""

    def __init__(self, *readings: Sequence[float]) -> None:
        self._readings = iter(readings)

    def __call__(self) -> Reading:
        wall_ms, cpu_ms, queue_ms, tasks, *yields = next(self._readings)
        return Reading(wall_ms, cpu_ms, queue_ms, int(tasks), yields=int(*yields))


def rounded(steps: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Return steps in whole milliseconds, without what the test itself takes.

    That is read from the real clock: nanoseconds, and a tenth of a millisecond on a busy machine.
    """
    whole = [tuple(round(v) if isinstance(v, float) else v for v in step) for step in steps]
    return [step for step in whole if step[0] not in (CPU, WAIT) or step[1] != 0]


def test_time_in_a_run_queue_is_neither_work_nor_waiting() -> None:
    """30 ms on the clock, 10 of them CPU time, 15 in a queue: 5 ms were waited."""
    timeline = Timeline(Machine((0, 0, 0, 1), (30, 10, 15, 1)))
    timeline.begin()
    timeline.end()

    assert rounded(timeline.steps()) == [(CPU, 10.0, 1.0), (WAIT, 5.0)]


def test_a_busy_machine_changes_nothing() -> None:
    """Pure CPU time is the same, however long it had to queue for a core."""
    idle = Timeline(Machine((0, 0, 0, 1), (17, 17, 0, 1)))
    busy = Timeline(Machine((0, 0, 0, 1), (60, 17, 43, 1)))
    for timeline in (idle, busy):
        timeline.begin()
        timeline.end()

    assert rounded(idle.steps()) == rounded(busy.steps()) == [(CPU, 17.0, 1.0)]


def test_waiting_for_the_embedded_aws_is_replaced() -> None:
    """Between call and answer, 500 ms of waiting count nothing and the model's 4 ms stand."""
    readings = [(0, 0, 0, 1), (2, 2, 0, 1), (502, 2, 0, 1), (503, 3, 0, 1)]
    timeline = Timeline(Machine(*readings))
    timeline.begin()
    timeline.call("scan", 4.0)
    timeline.answer("scan")
    timeline.end()

    assert rounded(timeline.steps()) == [
        (CPU, 2.0, 1.0),
        (CALL, "scan", 4.0),
        (ANSWER, "scan"),
        (CPU, 1.0, 1.0),
    ]


def test_wait_is_as_long_as_asked_for() -> None:
    """A sleep of 100 ms beside a child that queues for 40 of them, and its sleeper late by 30."""
    timeline = Timeline(Machine((0, 0, 0, 1), (2, 2, 0, 1), (132, 52, 40, 2), (133, 53, 40, 1)))
    timeline.begin()
    key = timeline.timer_begins(100.0)
    timeline.answer(key)
    timeline.end()

    call, work, answer = [step for step in timeline.steps() if step[0] in (CALL, ANSWER, CPU)][1:4]
    assert call == (CALL, key, 100.0)
    assert work[:2] == (CPU, pytest.approx(50, abs=1))
    assert answer == (ANSWER, key)
    assert isinstance(key, str), "it is told as JSON"


def test_call_that_is_never_answered_is_an_ordinary_wait() -> None:
    """Nobody waits for an answer that does not come: the time was spent on something else."""
    timeline = Timeline(Machine((0, 0, 0, 1), (1, 1, 0, 1), (41, 1, 0, 1)))
    timeline.begin()
    timeline.call("forgotten", 4.0)
    timeline.end()

    assert rounded(timeline.steps()) == [(CPU, 1.0, 1.0), (WAIT, 40.0)]


def test_body_of_an_answer_takes_what_aws_takes() -> None:
    """A stalled body counts as the model says, and what else was waited for stays."""
    timeline = Timeline(Machine((0, 0, 0, 1), (100, 0, 0, 1), (100, 0, 0, 1)))
    timeline.begin()
    timeline.replace_wait(70.0, 12.0)
    timeline.end()

    assert rounded(timeline.steps()) == [(WAIT, 42.0)]


def test_what_of_a_body_was_marked_as_a_wait_is_replaced_too() -> None:
    """Whoever waits for it marks the end of that wait before anybody knows what it was for."""
    readings = [(0, 0, 0, 1), (72, 2, 0, 1), (73, 3, 0, 1), (74, 4, 0, 1)]
    timeline = Timeline(Machine(*readings))
    timeline.begin()
    timeline.mark()
    timeline.replace_wait(70.0, 12.0)
    timeline.end()

    assert rounded(timeline.steps()) == [
        (CPU, 2.0, 1.0),
        (CPU, 1.0, 1.0),
        (WAIT, 12.0),
        (CPU, 1.0, 1.0),
    ]


def test_who_never_left_the_core_has_not_waited() -> None:
    """The machine itself was not there; nobody counts where there is no count."""
    for yields, waited in (((3, 3), 0), ((3, 4), 8), ((0, 0), 8)):
        timeline = Timeline(Machine((0, 0, 0, 1, yields[0]), (10, 2, 0, 1, yields[1])))
        timeline.begin()
        timeline.end()
        assert rounded(timeline.steps()) == [(CPU, 2.0, 1.0), (WAIT, 8.0)][: 1 + bool(waited)]


def test_waits_in_a_row_are_one() -> None:
    """A look by the meter in the middle of a sleep does not cut it in two."""
    timeline = Timeline(Machine((0, 0, 0, 1), (30, 0, 0, 1), (80, 0, 0, 1)))
    timeline.begin()
    timeline.mark(by_meter=True)
    timeline.end()

    assert rounded(timeline.steps()) == [(WAIT, 80.0)]


def test_marks_outside_an_invocation_are_ignored() -> None:
    """Threads that outlive an invocation leave no trace in the next."""
    timeline = Timeline(Machine((0, 0, 0, 1), (1, 1, 0, 1)))
    timeline.begin()
    timeline.end()
    timeline.mark()
    timeline.task_started("late", 0.0)

    assert len(timeline.steps()) == 1


def task(begin: int, end: int, life_ms: float, cpu_ms: float, queue_ms: float) -> Task:
    """Return a task that has ended."""
    made = Task(begin, 0.0, 0.0)
    made.ended(end, life_ms, cpu_ms, queue_ms)
    return made


def widths(events: Sequence[Sequence[Any]]) -> list[float]:
    """Return the widths of intervals."""
    return [round(event[2], 2) for event in events]


def test_four_threads_on_two_cores_are_four_wide() -> None:
    """Each had 100 ms of CPU time and queued as long; the tail of the last does not count."""
    events = [interval(180, 360, 330, 0, 4), interval(40, 40, 0, 0, 2)]
    tasks = [task(0, 2, life, 100, life - 100) for life in (200, 205, 215, 220)]

    (region,) = straightened(events, tasks)
    assert region[1] == 400
    assert widths([region]) == [4.0]


def test_one_child_that_never_waited_is_one_piece_of_work() -> None:
    """The kernel tells its CPU time late: what looks like a wait and a burst is neither."""
    events = [interval(5, 0, 0, 5, 2), interval(5, 9, 0, 0, 2), interval(60, 58, 2, 0, 2)]
    (region,) = straightened(events, [task(0, 3, 70, 67, 2)])

    assert region[1] == 67
    assert region[3] == 0
    assert widths([region]) == [1.0]


def test_one_child_that_waited_keeps_its_waits() -> None:
    """A child that sleeps is not made of work."""
    events = [interval(40, 0, 0, 40, 2), interval(30, 30, 0, 0, 2)]

    assert straightened(events, [task(0, 2, 70, 30, 0)]) == events


def test_threads_that_take_turns_are_one_wide() -> None:
    """Python's lock: each waited for the others, and woke up in vain now and then."""
    events = [interval(400, 400, 150, 0, 4)]
    tasks = [task(0, 1, 400, 100, 40) for _ in range(4)]

    assert widths(straightened(events, tasks)) == [1.0]


def test_tasks_that_do_not_overlap_are_left_as_they_are() -> None:
    """One thread after the other is no parallel work."""
    events = [interval(50, 50, 0, 0, 2), interval(50, 50, 0, 0, 2)]
    tasks = [task(0, 1, 50, 50, 0), task(1, 2, 50, 50, 0)]

    assert straightened(events, tasks) == events


def test_region_with_calls_keeps_its_order() -> None:
    """Threads that call AWS are followed call by call."""
    events = [interval(10, 10, 0, 0, 2), (CALL, 1, 4.0), interval(10, 0, 0, 10, 2), (ANSWER, 1)]
    tasks = [task(0, 4, 20, 5, 0), task(0, 4, 20, 5, 0)]

    assert straightened(events, tasks) == events


@pytest.mark.parametrize(("busy_ms", "width"), [(100, 1.0), (140, 1.0), (190, 1.9), (400, 4.0)])
def test_width_of_an_interval(busy_ms: float, width: float) -> None:
    """As many threads as ran or wanted to, on average; a little above one is one."""
    assert widths([interval(100, busy_ms, 0, 0, 4)]) == [width]
