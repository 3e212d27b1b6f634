"""The worker of one execution environment: its process, and the socket to it."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from lambda_emulator.sandbox import namespaces
from lambda_emulator.sandbox.places import Plan

# As many files as a function may have open on AWS; the socket is on a descriptor beyond, where no
# loop over all that may be open comes by.
FILES = 1024
_CHUNK = 1 << 18
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_NOT_STARTED = 127


class Plans(Protocol):
    """What `places.Places` offers."""

    def own(self) -> Plan:
        """Return the plan for a file system of its own."""

    def shared(self) -> Plan:
        """Return the plan for this machine's."""


class Worker:
    """A running worker."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self._channel = channel
        self._buffer = bytearray()
        self._searched = 0
        self.ended: int | None = None  # how, as `os.wait4` says
        self._used_s = 0.0

    def send(self, line: bytes, deadline: float) -> None:
        """Send a line; what is not read until the deadline is not sent."""
        self._channel.settimeout(max(0.001, deadline - time.monotonic()))
        with contextlib.suppress(OSError):
            self._channel.sendall(line)

    def lines(self, timeout_s: float) -> Iterator[bytes]:
        """Return the lines that have arrived, or arrive until then; look whether it has ended."""
        read = self._read(max(0.0, timeout_s))
        self._look()
        while self.ended is not None and read:  # what it said last
            read = self._read(0.0)
        while (end := self._buffer.find(b"\n", self._searched)) >= 0:
            line = bytes(self._buffer[: end + 1])
            del self._buffer[: end + 1]
            self._searched = 0
            yield line
        self._searched = len(self._buffer)

    def _read(self, timeout_s: float) -> bool:
        with contextlib.suppress(OSError):
            ready, _, _ = select.select([self._channel], [], [], timeout_s)
            data = self._channel.recv(_CHUNK) if ready else b""
            if ready and not data:
                time.sleep(0.001)  # it has closed it, and is about to end
            self._buffer += data
            return bool(data)
        return False

    def _look(self) -> None:
        if self.ended is None:
            with contextlib.suppress(ChildProcessError):
                pid, status, used = os.wait4(self.pid, os.WNOHANG)
                if pid:
                    self.ended = status
                    self._used_s = used.ru_utime + used.ru_stime

    def cpu_s(self) -> float:
        """Return the CPU time that it has used, and its children that it has waited for."""
        if self.ended is not None:
            return self._used_s
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
            children_s = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
            return time.clock_gettime(~self.pid << 3 | 2) + children_s  # its process's CPU clock
        except (OSError, ValueError, IndexError):
            return 0.0


def start(
    plans: Plans, channels: tuple[socket.socket, socket.socket], scratch: Path
) -> tuple[Worker, Plan]:
    """Start a worker, with a file system of its own where that can be had.

    Args:
        plans: How to start it.
        channels: A pair of sockets: ours, and the worker's on the descriptor of its plan.
        scratch: An empty folder, to be its root.

    Raises:
        OSError: There is no such program.
    """
    ours, theirs = channels
    _become_subreaper()
    plan = plans.own()
    try:
        pid = _fork(plan, theirs.fileno(), scratch)
    except namespaces.Unavailable:
        plan = plans.shared()
        pid = _fork(plan, theirs.fileno(), scratch)
    theirs.close()
    return Worker(pid, ours), plan


def channels() -> tuple[socket.socket, socket.socket]:
    """Return a pair of sockets, the second on a descriptor beyond those that functions have."""
    ours, theirs = socket.socketpair()
    with contextlib.suppress(OSError, ValueError):  # the limit is lower here
        beyond = fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD_CLOEXEC, FILES)
        theirs.close()
        theirs = socket.socket(fileno=beyond)
    return ours, theirs


def _become_subreaper() -> None:
    """Be the parent of what the worker's children leave behind; Linux only."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _fork(plan: Plan, protocol: int, scratch: Path) -> int:
    """Start a process; return its id once its program runs."""
    reading, writing = os.pipe()  # closed by a program that starts
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        why = "?"
        try:
            os.close(reading)
            _become(plan, protocol, scratch, parent)
        except namespaces.Unavailable as error:
            why = f"V{error}"
        except BaseException as error:
            why = f"E{error}"
        os.write(writing, why.encode())
        os._exit(_NOT_STARTED)
    os.close(writing)
    with open(reading, "rb") as pipe:
        why = pipe.read().decode(errors="replace")
    if why:
        os.waitpid(pid, 0)
        raise (namespaces.Unavailable if why[0] == "V" else OSError)(why[1:])
    return pid


def _become(plan: Plan, protocol: int, scratch: Path, parent: int) -> None:
    """Become the worker."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if plan.view is not None:
        namespaces.enter(plan.view, scratch)
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(_NOT_STARTED)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.set_inheritable(protocol, True)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    os.chdir(plan.task)
    os.execve(plan.argv[0], plan.argv, plan.environment)
