"""What a Lambda worker uses of this machine: CPU time, and time it only waited for a core.

CPU time is that of all threads and of all child processes. Where Linux has schedstat, the time
that threads were ready to run while others had the cores is known too, so that a busy machine
does not look like a slow function. Elsewhere it counts as waiting.
"""

from __future__ import annotations

import os
import resource
import threading

from .clocks import Clocks


class Reading:
    """Counters at one moment, in milliseconds, and how many threads there were."""

    __slots__ = ("cpu_ms", "meter_queue_ms", "queue_ms", "tasks", "wall_ms", "yields")

    def __init__(
        self,
        wall_ms: float,
        cpu_ms: float,
        queue_ms: float,
        tasks: int,
        meter_queue_ms: float = 0.0,
        yields: int = 0,
    ) -> None:
        self.wall_ms = wall_ms
        self.cpu_ms = cpu_ms
        self.queue_ms = queue_ms
        self.tasks = tasks
        self.meter_queue_ms = meter_queue_ms  # what the meter's own threads waited for a core
        self.yields = yields  # how often a thread has left its core to wait; 0 where nobody counts


SCHEDSTAT, RUSAGE = "schedstat", "rusage"
# Descriptors that functions must leave alone: `worker` sees to it, and closes them by `_close`.
open_files: set[int] = set()
_close = os.close


class Probe:
    """Reads the counters of this process, its threads and its children."""

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._tasks: dict[int, _Task] = {}
        self._task_count = -1
        self._children: dict[int, _Child] = {}
        self._ended_queue_ns = self._mine_queue_ns = 0
        self._mine: set[int] = set()
        self._done: set[int] = set()
        self.has_schedstat = os.path.exists(f"{proc}/self/schedstat")
        self.method = SCHEDSTAT if self.has_schedstat else RUSAGE

    def leave_out(self, thread_id: int) -> None:
        """Do not count a thread of the meter itself."""
        self._mine.add(thread_id)

    def read(self) -> Reading:
        """Return the counters now."""
        wall_ns, cpu_ns = Clocks.wall_ns(), Clocks.process_ns()
        queue_ns = tasks = other_ns = 0
        if self.has_schedstat:
            self._mine_queue_ns = 0
            queue_ns, tasks, other_ns = self._from_proc(Clocks.thread_ns())
        reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
        reaped_ms = (reaped.ru_utime + reaped.ru_stime) * 1e3
        return Reading(
            wall_ns / 1e6,
            (cpu_ns + other_ns) / 1e6 + reaped_ms,
            queue_ns / 1e6,
            tasks,
            self._mine_queue_ns / 1e6,
            resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw,
        )

    def thread_started(self, thread_id: int) -> None:
        """Note that a thread lives; its id may be that of one that has ended."""
        self._done.discard(thread_id)
        self._task_count = -1

    def thread_ending(self, thread_id: int) -> tuple[float, float, float]:
        """Keep what a thread waited: once it has ended, nobody can tell any more.

        Returns:
            Its CPU time and queue time in ms, and the wall clock now.
        """
        ran_ns = waited_ns = 0
        if self.has_schedstat:
            task = self._tasks.pop(thread_id, None) or _Task.open(self._proc, "self", thread_id)
            if task is not None:
                ran_ns, waited_ns = task.read()
                task.close()
            self._ended_queue_ns += waited_ns
            self._done.add(thread_id)
        return ran_ns / 1e6, waited_ns / 1e6, Clocks.wall_ns() / 1e6

    def child_ending(self, pid: int) -> tuple[float, float, float]:
        """Keep what a child waited; to be called between its end and its parent's wait.

        Returns:
            Its CPU time and queue time in ms, and the wall clock when it was last seen to run.
        """
        child = self._children.get(pid)
        if child is None:
            return 0.0, 0.0, Clocks.wall_ns() / 1e6
        return child.ran_ns / 1e6, child.waited_ns / 1e6, child.seen_ns / 1e6

    def _from_proc(self, this_thread_ns: int) -> tuple[int, int, int]:
        """Return nanoseconds in run queues, threads that count, and CPU time to be added.

        What is added is the children's CPU time, less that of the meter's own threads.
        """
        self._find_tasks()
        queue_ns = self._ended_queue_ns
        count = mine_ns = 0
        child_ids: list[int] = []
        for thread_id, task in list(self._tasks.items()):
            if thread_id in self._done:
                continue
            try:
                ran_ns, waited_ns = task.read()
                if thread_id not in self._mine:
                    queue_ns += waited_ns
                    child_ids += task.children()
                    count += 1
                    continue
                self._mine_queue_ns += waited_ns
                is_this = thread_id == threading.get_native_id()
                # the file is behind while the thread runs
                mine_ns += this_thread_ns if is_this else ran_ns
            except OSError:  # it has just ended, unseen
                self._ended_queue_ns += task.waited_ns
                queue_ns += task.waited_ns
                self._drop(thread_id)
        if not child_ids and not self._children:
            return queue_ns, count, -mine_ns
        waited_before = self._ended_queue_ns
        cpu_ns, waited_ns, runners = self._read_children(child_ids)
        queue_ns += waited_ns + self._ended_queue_ns - waited_before
        return queue_ns, count + runners, cpu_ns - mine_ns

    def _find_tasks(self) -> None:
        """Look for new threads if their number has changed."""
        links = os.stat(f"{self._proc}/self/task").st_nlink
        if links == self._task_count:
            return
        self._task_count = links
        alive = {int(name) for name in os.listdir(f"{self._proc}/self/task")}
        for thread_id in set(self._tasks) - alive:
            self._ended_queue_ns += self._tasks[thread_id].waited_ns
            self._drop(thread_id)
        self._done &= alive
        for thread_id in alive - set(self._tasks) - self._done:
            task = _Task.open(self._proc, "self", thread_id)
            if task is not None:
                self._tasks[thread_id] = task

    def _drop(self, thread_id: int) -> None:
        task = self._tasks.pop(thread_id, None)
        if task is not None:
            task.close()
        self._task_count = -1

    def _read_children(self, child_ids: list[int]) -> tuple[int, int, int]:
        """Return CPU time and queue time of all living descendants, and their threads."""
        found: dict[int, _Child] = {}
        runners = 0
        waiting = list(child_ids)
        while waiting:
            pid = waiting.pop()
            if pid in found:
                continue
            ran_ns, waited_ns, threads, grandchildren = _process_counters(self._proc, pid)
            before = self._children.get(pid)
            if before is not None and before.ran_ns == ran_ns:
                found[pid] = before  # it has not run since: it may have ended
            else:
                found[pid] = _Child(ran_ns, waited_ns, Clocks.wall_ns())
            runners += threads
            waiting += grandchildren
        for pid, child in self._children.items():
            if pid not in found:
                self._ended_queue_ns += child.waited_ns
        self._children = found
        living = found.values()
        return sum(c.ran_ns for c in living), sum(c.waited_ns for c in living), runners


class _Child:
    """What a child process had used when it was last seen to have run."""

    __slots__ = ("ran_ns", "seen_ns", "waited_ns")

    def __init__(self, ran_ns: int, waited_ns: int, seen_ns: int) -> None:
        self.ran_ns = ran_ns
        self.waited_ns = waited_ns
        self.seen_ns = seen_ns


class _Task:
    """One thread's files below /proc, kept open: reading costs a microsecond then."""

    __slots__ = ("_children", "_schedstat", "waited_ns")

    def __init__(self, schedstat: int, children: int | None) -> None:
        self._schedstat = schedstat
        self._children = children
        self.waited_ns = 0

    @classmethod
    def open(cls, proc: str, pid: int | str, thread_id: int) -> _Task | None:
        folder = f"{proc}/{pid}/task/{thread_id}"
        try:
            schedstat = os.open(f"{folder}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        open_files.add(schedstat)
        try:
            children = os.open(f"{folder}/children", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # a kernel without CONFIG_PROC_CHILDREN
            return cls(schedstat, None)
        open_files.add(children)
        return cls(schedstat, children)

    def read(self) -> tuple[int, int]:
        """Return nanoseconds run and nanoseconds waited."""
        ran, waited, _ = os.pread(self._schedstat, 80, 0).split()
        self.waited_ns = int(waited)
        return int(ran), self.waited_ns

    def children(self) -> list[int]:
        """Return the processes that this thread has started and that are not reaped."""
        if self._children is None:
            return []
        return [int(pid) for pid in os.pread(self._children, 8192, 0).split()]

    def close(self) -> None:
        for descriptor in (self._schedstat, self._children):
            if descriptor is not None:
                open_files.discard(descriptor)
                _close(descriptor)


def _process_counters(proc: str, pid: int) -> tuple[int, int, int, list[int]]:
    """Return ns run, ns waited, number of threads and children of another process."""
    ran_ns = waited_ns = threads = 0
    children: list[int] = []
    try:
        for name in os.listdir(f"{proc}/{pid}/task"):
            task = _Task.open(proc, pid, int(name))
            if task is None:
                continue
            try:
                ran, waited = task.read()
                ran_ns, waited_ns, threads = ran_ns + ran, waited_ns + waited, threads + 1
                children += task.children()
            except OSError:
                continue
            finally:
                task.close()
    except OSError:
        pass
    return ran_ns, waited_ns, threads, children
