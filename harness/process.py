"""Run a program: argument list, no shell, both pipes drained, a deadline, no stray child."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# How long a program may take to end by itself after SIGINT. Terraform uses the time to
# finish the resource it is creating and to write its state.
GRACE_S = 120.0


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ended.

    Attributes:
        returncode: Its exit status; negative is the signal that ended it.
        stdout: All it wrote to standard output.
        stderr: All it wrote to standard error.
    """

    returncode: int
    stdout: str
    stderr: str


class DeadlineError(Exception):
    """A program did not end in time and was stopped."""


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    stdin: str | None = None,
) -> Completed:
    """Run a program to its end.

    The program gets a session of its own, so that Ctrl-C in a terminal reaches it only
    through this function: once, as SIGINT, followed by a wait for its orderly end.

    Args:
        argv: Program and arguments.
        cwd: Working folder; None is this process's.
        env: Its whole environment; None is this process's.
        timeout_s: Seconds until it is interrupted, and killed `GRACE_S` later.
        log: File that both outputs are appended to as they come.
        on_line: Called with each line of standard output, from a thread.
        stdin: What it reads; None is nothing.

    Raises:
        DeadlineError: It did not end in time.
        FileNotFoundError: There is no such program.
        KeyboardInterrupt: Passed on after the program has ended.
    """
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(log.open("a", encoding="utf-8")) if log else None
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        out = _Drain(process.stdout, sink, on_line)
        err = _Drain(process.stderr, sink, None)
        if stdin is not None:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(stdin)
                process.stdin.close()
        try:
            returncode = process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _stop(process)
            raise DeadlineError(f"{argv[0]} did not end within {timeout_s:g} s") from None
        except BaseException:
            _stop(process)
            raise
        finally:
            out.join()
            err.join()
        return Completed(returncode, out.text(), err.text())


class _Drain(threading.Thread):
    """Reads a pipe to its end, so that it never fills up."""

    def __init__(
        self, pipe: IO[str], sink: IO[str] | None, on_line: Callable[[str], None] | None
    ) -> None:
        super().__init__(daemon=True)
        self._pipe, self._sink, self._on_line = pipe, sink, on_line
        self._lines: list[str] = []
        self.start()

    def run(self) -> None:
        with self._pipe:
            for line in self._pipe:
                self._lines.append(line)
                if self._sink:
                    self._sink.write(line)
                    self._sink.flush()
                if self._on_line:
                    self._on_line(line.rstrip("\n"))

    def join(self, timeout: float | None = 10.0) -> None:
        super().join(timeout)

    def text(self) -> str:
        return "".join(self._lines)


def _stop(process: subprocess.Popen[str]) -> None:
    """Interrupt a process group, wait, and kill what is left of it."""
    deadline = time.monotonic() + GRACE_S
    _signal_group(process, signal.SIGINT)
    while process.poll() is None and time.monotonic() < deadline:
        # A further Ctrl-C while waiting is swallowed: the program already knows.
        with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
            process.wait(timeout=0.2)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
