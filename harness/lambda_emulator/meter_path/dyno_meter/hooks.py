"""Tells the meter when threads and processes begin and end.

Each is a mark on the timeline: from there on, another number of them wants to run. And what a
thread or a process waited for a core can only be read before it is gone.
"""

from __future__ import annotations

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
            kind.select = _marking_waits(kind.select, timeline)


def _hook_waits(timeline: Timeline) -> None:
    """Mark the end of every wait: what was used before belongs before it."""
    time.sleep = _marking_waits(time.sleep, timeline)
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

    threading.Thread._bootstrap_inner = bootstrap_inner  # type: ignore[attr-defined]


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
