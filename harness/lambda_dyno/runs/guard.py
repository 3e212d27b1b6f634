"""Runs one program for a process that may be killed, and ends the program in order then.

`python -I -S guard.py LIFE_FD GRACE_S TEMP PROGRAM ARGUMENT...`

Killed by SIGKILL, a process cannot end what it started, and its pipes break: Terraform dies of
that in the middle of a change, with half of it in no state. So this process stands between. It
passes the program's output on (and goes on reading when nobody takes it any more), forwards
SIGINT, and when the other end of LIFE_FD is closed it interrupts the program, waits for its
orderly end, kills what is left of its process group, and removes TEMP. SIGTERM kills at once.

Only the standard library, and little of it: it starts in a few hundredths of a second.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

_CHUNK = 65_536
_LAST_WORDS_S = 1.0  # for output that is still in the pipes when the program has ended


class Guard:
    """One program and who watches over it.

    Args:
        life: A socket whose other end is the owner's; it ends with the owner.
        grace_s: Seconds that the program gets to end by itself.
        temp: Folder to remove at the end; empty for none.
    """

    def __init__(self, life: int, grace_s: float, temp: str) -> None:
        self._life = life
        self._grace_s = grace_s
        self._temp = temp
        self._group = 0
        self._status: int | None = None
        self._sinks: dict[int, int] = {}  # the program's pipe to ours
        self._kill_at: float | None = None
        self._signals = signals_as_bytes()

    def run(self, argv: list[str]) -> int:
        """Run the program and return its exit status, as `os.waitstatus_to_exitcode` has it."""
        os.set_inheritable(self._life, False)
        self._start(argv)
        os.write(self._life, b"%d\n" % self._group)
        watched_life = [self._life]
        while self._status is None:
            ready, _, _ = select.select(
                [self._signals, *watched_life, *self._sinks], [], [], self._patience()
            )
            if self._life in ready:
                watched_life = []
                self._interrupt()
            self._pass_on(ready)
            if self._signals in ready:
                self._heed(os.read(self._signals, 64))
            self._reap()
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._send(signal.SIGKILL)
        self._send(signal.SIGKILL)  # helpers that outlived the program
        self._drain()
        _remove(self._temp)
        return self._status

    def _start(self, argv: list[str]) -> None:
        actions: list[tuple[int, ...]] = []
        ours = []
        for descriptor in (1, 2):
            read_end, write_end = os.pipe()
            self._sinks[read_end] = descriptor
            ours.append(write_end)
            actions.append((os.POSIX_SPAWN_DUP2, write_end, descriptor))
        self._group = os.posix_spawnp(
            argv[0],
            argv,
            os.environ,
            file_actions=actions,
            setpgroup=0,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
        for descriptor in ours:
            os.close(descriptor)

    def _patience(self) -> float:
        """Return how long to wait for something to happen; a lost SIGCHLD does no harm."""
        if self._kill_at is None:
            return 1.0
        return min(1.0, max(0.01, self._kill_at - time.monotonic()))

    def _interrupt(self) -> None:
        self._send(signal.SIGINT)
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._grace_s

    def _heed(self, numbers: bytes) -> None:
        if signal.SIGINT in numbers:
            self._send(signal.SIGINT)
        if signal.SIGTERM in numbers or signal.SIGHUP in numbers:
            self._kill_at = time.monotonic()

    def _pass_on(self, ready: list[int]) -> bool:
        """Pass output on, and return whether there was any."""
        moved = False
        for pipe in [pipe for pipe in self._sinks if pipe in ready]:
            chunk = os.read(pipe, _CHUNK)
            if not chunk:
                del self._sinks[pipe]
                os.close(pipe)
                continue
            moved = True
            _write(self._sinks[pipe], chunk)
        return moved

    def _drain(self) -> None:
        """Pass on what is still in the pipes; a stranger may hold them open for ever."""
        deadline = time.monotonic() + _LAST_WORDS_S
        while self._sinks and (left_s := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select(list(self._sinks), [], [], left_s)
            if not self._pass_on(ready) and not ready:
                return

    def _reap(self) -> None:
        pid, status = os.waitpid(self._group, os.WNOHANG)
        if pid:
            self._status = os.waitstatus_to_exitcode(status)

    def _send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group, number)


def signals_as_bytes(*more: signal.Signals) -> int:
    """Let signals show up as bytes on the returned file descriptor.

    Handlers, not SIG_IGN: the program would inherit that.

    Args:
        more: Signals beside those that end a process, and that a child has ended.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, *more):
        signal.signal(number, lambda *_: None)
    return read_end


def _write(descriptor: int, chunk: bytes) -> None:
    """Write all of a chunk, or drop it if nobody takes it any more."""
    with contextlib.suppress(OSError):
        while chunk:
            chunk = chunk[os.write(descriptor, chunk) :]


def _remove(folder: str) -> None:
    """Remove a folder with all that is in it, as far as possible."""
    if not folder:
        return
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                _remove(entry.path)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)  # noqa: PTH108 - pathlib takes as long as all the rest
        os.rmdir(folder)  # noqa: PTH106


def main(arguments: list[str]) -> None:
    """Run what the command line says, and end as the program did."""
    life, grace_s, temp, *argv = arguments
    status = Guard(int(life), float(grace_s), temp).run(argv)
    if status >= 0:
        sys.exit(status)
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the program's own dump is enough
    with contextlib.suppress(OSError):
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)


if __name__ == "__main__":
    main(sys.argv[1:])
