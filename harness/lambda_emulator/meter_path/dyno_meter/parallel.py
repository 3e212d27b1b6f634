"""How wide work is that ran side by side. Pure.

An interval's width is the number of threads that ran or wanted to, on average. That is not all:

- Threads that want to run at once do not end at once on a machine with fewer cores than AWS
  would give: the last one runs alone for a while, and that tail would look like work of one
  thread. If the threads (or processes) of a region never waited for anything but a core, then
  the region takes as long as the longest of them, and is as wide as all its work divided by that.
- Threads that take turns (Python's lock lets one run at a time) are woken before their turn,
  and queue for a core without being able to use it. Over a whole region that is less than a
  quarter of them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INTERVAL = "interval"
# A task that waited less than this for anything else ran by itself. Part of its time in run
# queues is allowed on top: on a busy machine others hold a lock that long.
_ALONE_MS = 2.0
_ALONE_SHARE = 0.1
_ALONE_QUEUE_SHARE = 0.25
_ONE_THREAD = 1.5
_WOKEN_SHARE = 0.25
_FEW_WAITS_SHARE = 0.05


class Task:
    """A thread or process of the handler's, from its begin to its end."""

    __slots__ = ("begin", "cpu_ms", "end", "life_ms", "offset_ms", "queue_ms", "wall_ms")

    def __init__(self, begin: int, wall_ms: float, offset_ms: float) -> None:
        self.begin = begin  # number of the first event of its life
        self.wall_ms = wall_ms
        self.offset_ms = offset_ms  # CPU time of its starter until then
        self.end: int | None = None
        self.life_ms = self.cpu_ms = self.queue_ms = 0.0

    def ended(self, end: int, life_ms: float, cpu_ms: float, queue_ms: float) -> None:
        """Note its end and what it used."""
        self.end = end
        self.life_ms, self.cpu_ms, self.queue_ms = life_ms, cpu_ms, queue_ms

    @property
    def ran_alone(self) -> bool:
        """Whether it waited for nothing but a core."""
        blocked_ms = self.life_ms - self.cpu_ms - self.queue_ms
        allowed_ms = _ALONE_MS + _ALONE_SHARE * self.life_ms + _ALONE_QUEUE_SHARE * self.queue_ms
        return self.end is not None and blocked_ms < allowed_ms


def interval(
    wall_ms: float, cpu_ms: float, queue_ms: float, blocked_ms: float, tasks: int
) -> tuple[Any, ...]:
    """Return the event for an interval: (INTERVAL, CPU time, width, blocked, busy, wall)."""
    busy_ms = cpu_ms + queue_ms
    width = busy_ms / wall_ms if tasks > 1 and wall_ms > 0.0 else 1.0
    return INTERVAL, cpu_ms, _width(width), blocked_ms, busy_ms, wall_ms


def _width(threads: float) -> float:
    return threads if threads > _ONE_THREAD else 1.0


def straightened(events: list[tuple[Any, ...]], tasks: list[Task]) -> list[tuple[Any, ...]]:
    """Return the events with one interval for each region of tasks that ran by themselves."""
    result = list(events)
    for begin, end, members in reversed(_regions(tasks)):
        region = events[begin:end]
        if any(event[0] != INTERVAL for event in region):
            continue
        if all(task.ran_alone for task in members):
            result[begin:end] = [_as_longest(region, members)]
        elif len(members) > 1 and _hardly_waited(region):
            result[begin:end] = [_as_average(region, len(members))]
    return result


def _hardly_waited(region: list[tuple[Any, ...]]) -> bool:
    blocked_ms, wall_ms = (sum(event[i] for event in region) for i in (3, 5))
    return bool(blocked_ms <= _FEW_WAITS_SHARE * wall_ms)


def _regions(tasks: list[Task]) -> list[tuple[int, int, list[Task]]]:
    """Return the spans of events in which tasks overlap, in order, with their tasks."""
    regions: list[tuple[int, int, list[Task]]] = []
    for task in sorted((t for t in tasks if t.end is not None), key=lambda t: t.begin):
        assert task.end is not None
        if regions and task.begin < regions[-1][1]:
            begin, end, members = regions[-1]
            regions[-1] = (begin, max(end, task.end), [*members, task])
        else:
            regions.append((task.begin, task.end, [task]))
    return regions


def _as_average(region: list[tuple[Any, ...]], tasks: int) -> tuple[Any, ...]:
    cpu_ms, _, blocked_ms, busy_ms, wall_ms = (sum(e[i] for e in region) for i in range(1, 6))
    width = busy_ms / max(wall_ms, 1e-6)
    if width < 1.0 + _WOKEN_SHARE * tasks:
        width = 1.0
    return INTERVAL, cpu_ms, width, blocked_ms, busy_ms, wall_ms


def _as_longest(region: list[tuple[Any, ...]], members: list[Task]) -> tuple[Any, ...]:
    cpu_ms = sum(event[1] for event in region)
    first_ms = min(task.offset_ms for task in members)
    starter_ms = max(0.0, cpu_ms - sum(task.cpu_ms for task in members))
    longest_ms = max(task.offset_ms - first_ms + task.cpu_ms for task in members)
    width = max(1.0, cpu_ms / max(longest_ms, starter_ms, 1e-6))
    return INTERVAL, cpu_ms, width, 0.0, cpu_ms, longest_ms
