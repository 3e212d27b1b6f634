"""The processes below one: stopped, gone on and ended together."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable

_ROUNDS = 5  # of looking for what was started meanwhile


def below(pid: int) -> list[int]:
    """Return a process's descendants; empty where there is no /proc with children."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in _children(waiting.pop()):
            found.append(child)
            waiting.append(child)
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:
                found += map(int, file.read().split())
        except OSError:
            continue
    return found


def freeze(worker: int) -> None:
    """Stop a worker and all that it has started, those that it has left to us included."""
    stopped: set[int] = set()
    for _ in range(_ROUNDS):
        new = {worker, *below(os.getpid())} - stopped
        if not new:
            return
        _send(new, signal.SIGSTOP)
        stopped |= new


def thaw(worker: int) -> None:
    """Let go on what was frozen."""
    _send({worker, *below(os.getpid())}, signal.SIGCONT)


def kill(worker: int | None) -> None:
    """End a worker and all that it has started, and bury those that are ours."""
    for _ in range(_ROUNDS):
        doomed = {*below(os.getpid()), *([worker] if worker else [])}
        if not doomed:
            return
        _send(doomed, signal.SIGKILL)
        if not _bury():
            return
        worker = None


def _bury() -> bool:
    """Wait for the children that are dead or dying; tell whether there may be more."""
    buried = False
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, 0)[0]:
            buried = True
    return buried


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
