"""Tells the meter when threads and processes begin and end.

Each is a mark on the timeline: from there on, another number of them wants to run. And what a
thread or a process waited for a core can only be read before it is gone.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import sys
import threading
import time

from .clocks import Clocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .timeline import Timeline
    from .usage import Probe

_SHORT_MS = 0.5  # a wait that is no more is not worth two marks
_MOST_TASKS = 1024  # processes and threads of an environment, as AWS's quotas say


def install(timeline: Timeline, probe: Probe, hurry: Callable[[], None]) -> None:
    """Hook into the standard library's ways to start and await threads and processes.

    Args:
        timeline: What to mark.
        probe: What is told whose counters are about to go.
        hurry: Called when a process was started, of which nothing else will tell.
    """
    _hook_threads(timeline, probe)
    _hook_waitpid(timeline, probe)
    _hook_starts(timeline, hurry)
    _hook_waits(timeline)


def hook_loaded_modules(timeline: Timeline) -> None:
    """Hook into modules that are only looked at if the function has loaded them."""
    ssl = sys.modules.get("ssl")
    if ssl is not None:
        ssl.SSLSocket.read = _marking_waits(ssl.SSLSocket.read, timeline)
    selectors = sys.modules.get("selectors")
    for name in ("EpollSelector", "PollSelector", "SelectSelector", "KqueueSelector"):
        kind = getattr(selectors, name, None)
        if kind is not None:
            kind.select = _timing(kind.select, timeline, _of_selector, _nothing_is_ready)


def _hook_waits(timeline: Timeline) -> None:
    """Mark the end of every wait: what was used before belongs before it."""
    time.sleep = _timing(time.sleep, timeline, _of_sleep)
    for name in ("recv", "recv_into", "connect", "accept", "sendall"):
        setattr(socket.socket, name, _marking_waits(getattr(socket.socket, name), timeline))


def _marking_waits(original: Callable[..., Any], timeline: Timeline) -> Callable[..., Any]:
    @functools.wraps(original)
    def marking(*arguments: Any, **options: Any) -> Any:
        if not timeline.active:
            return original(*arguments, **options)
        timeline.wait_begins()
        try:
            return original(*arguments, **options)
        finally:
            timeline.wait_ends()

    return marking


def _timing(
    original: Callable[..., Any],
    timeline: Timeline,
    delay_s: Callable[..., Any],
    was_waited: Callable[[Any], bool] = lambda _: True,
) -> Callable[..., Any]:
    """Let a wait of the handler's own thread be as long as it asks for, whatever others do.

    How long it took here says little: on a busy machine others queue for a core meanwhile, and it
    is late itself.

    Args:
        original: What waits.
        timeline: What to mark.
        delay_s: Tells the seconds from the arguments.
        was_waited: Tells from the result whether they went by.
    """
    marking = _marking_waits(original, timeline)
    main = threading.main_thread().ident

    @functools.wraps(original)
    def timing(*arguments: Any, **options: Any) -> Any:
        delay_ms = 0.0
        if timeline.active and threading.get_ident() == main:
            with contextlib.suppress(TypeError, ValueError):  # the original says what is wrong
                delay_ms = 1e3 * float(delay_s(*arguments, **options) or 0.0)
        if not delay_ms > _SHORT_MS:
            return marking(*arguments, **options)
        key = timeline.timer_begins(delay_ms)
        result = marking(*arguments, **options)
        if was_waited(result):
            timeline.answer(key)
        return result

    return timing


def _of_sleep(seconds: Any) -> Any:
    return seconds


def _of_selector(_selector: Any, timeout: Any = None) -> Any:
    return timeout


def _nothing_is_ready(ready: Any) -> bool:
    return not ready


def _hook_threads(timeline: Timeline, probe: Probe) -> None:
    inner = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]

    def bootstrap_inner(self: threading.Thread) -> None:
        if not timeline.active:
            inner(self)
            return
        thread_id = threading.get_native_id()
        probe.thread_started(thread_id)
        key = "thread", thread_id
        # its starter waits until it runs: their CPU times so far make no difference
        timeline.task_started(key, 0.0)
        try:
            inner(self)
        finally:
            timeline.task_ending(key, lambda: probe.thread_ending(thread_id))

    start = threading.Thread.start

    def started(self: threading.Thread) -> None:
        if threading.active_count() >= _MOST_TASKS - 1:  # one more is the meter's
            raise RuntimeError("can't start new thread")
        start(self)

    threading.Thread._bootstrap_inner = bootstrap_inner  # type: ignore[attr-defined]
    threading.Thread.start = started  # type: ignore[method-assign]


def _hook_waitpid(timeline: Timeline, probe: Probe) -> None:
    original = os.waitpid

    def waitpid(pid: int, options: int) -> tuple[int, int]:
        if timeline.active and pid > 0:
            try:  # wait, but leave the process's counters where they are
                ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | options & os.WNOHANG)
            except (AttributeError, OSError):
                ended = None
            if ended is not None:
                timeline.task_ending(("process", pid), lambda: probe.child_ending(pid))
        return original(pid, options)

    os.waitpid = waitpid


def _hook_starts(timeline: Timeline, hurry: Callable[[], None]) -> None:
    import _posixsubprocess

    def hooked(start: Callable[..., Any]) -> Callable[..., Any]:
        def started(*arguments: Any, **options: Any) -> Any:
            pid = start(*arguments, **options)
            if pid and timeline.active:
                timeline.task_started(("process", pid), Clocks.thread_ns() / 1e6)
                hurry()
            return pid

        return started

    os.fork = hooked(os.fork)
    _posixsubprocess.fork_exec = hooked(_posixsubprocess.fork_exec)
    for name in ("posix_spawn", "posix_spawnp"):
        if hasattr(os, name):
            setattr(os, name, hooked(getattr(os, name)))
