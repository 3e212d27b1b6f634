"""Run a program: argument list, no shell, both pipes drained, a deadline, no stray child.

Each program has a guard (`runs.guard`), so that it ends in order even when this process
is killed, and a temporary folder that goes with it. Both it and its children carry this process's
mark (`runs.ownership`), by which `runs.orphans` finds them should the guard be
killed too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lambda_dyno.runs import guard
from lambda_dyno.runs.ownership import VARIABLE, Owner

# How long a program may take to end by itself after SIGINT. Terraform uses the time to
# finish the resource it is creating and to write its state.
GRACE_S = 120.0

# What lets a job write to its repository, and get tokens that roles trust. Terraform's providers
# and load drivers run what a pull request, or a state that somebody wrote, brings along. It is no
# wall: the same user can read the environment of this very process.
FORGE_VARIABLES = (
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_RESULTS_URL",
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_RUNTIME_URL",
    "GH_TOKEN",
    "GITHUB_TOKEN",
)

_LOOK_S = 1.0  # how often `watch` is asked
_KILL_S = 10.0  # for a guard to kill its program


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


class AbandonedError(Exception):
    """What a program worked with is gone, so it was killed."""


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float,
    log: Path | None = None,
    on_line: Callable[[str], object] | None = None,
    stdin: str | None = None,
    meanwhile: Callable[[], None] | None = None,
    watch: Callable[[], str] | None = None,
    secret: bool = False,
) -> Completed:
    """Run a program to its end.

    The program gets a session of its own, so that Ctrl-C in a terminal reaches it only
    through this function: once, as SIGINT, followed by a wait for its orderly end. The same
    happens when this process is killed.

    Args:
        argv: Program and arguments.
        cwd: Working folder; None is this process's.
        env: Its whole environment; None is this process's. `TMPDIR` and the mark are added, and
            `FORGE_VARIABLES` taken away.
        timeout_s: Seconds until it is interrupted, and killed `GRACE_S` later.
        log: File that both outputs are appended to as they come.
        on_line: Called with each line of standard output, from a thread.
        stdin: What it reads; None is nothing.
        meanwhile: Called once it runs and can read that; its standard input ends afterwards.
        watch: Asked about once a second why there is no use in going on; empty: there is.
        secret: Whether standard output may hold secrets: it is kept out of the log.

    Raises:
        DeadlineError: It did not end in time.
        AbandonedError: `watch` had a reason; the program was killed.
        FileNotFoundError: There is no such program.
        KeyboardInterrupt: Passed on after the program has ended.
    """
    program = Started(argv, cwd=cwd, env=env, piped=stdin is not None)
    with contextlib.ExitStack() as stack:
        stack.callback(program.clear)
        sink = stack.enter_context(log_to(log)) if log else None
        out = Drain(program.stdout, None if secret else sink, on_line)
        err = Drain(program.stderr, sink, None)
        try:
            if stdin is not None:
                program.write(stdin)
            if meanwhile is not None:
                meanwhile()
            if stdin is not None:
                program.end_input()
            returncode = program.wait(timeout_s, watch)
        except BaseException:
            program.stop()
            raise
        finally:
            out.join()
            err.join()
        if out.failure:
            raise out.failure
        return Completed(returncode, out.text(), err.text())


class Conversation:
    """A program that is told things, line by line, while it runs."""

    def __init__(self, program: Started) -> None:
        self._program = program

    def say(self, line: str) -> None:
        """Write a line to the program's standard input; one that has ended hears nothing."""
        self._program.write(f"{line}\n")

    @property
    def ended(self) -> bool:
        """Whether the program has."""
        return self._program.ended


@contextlib.contextmanager
def talking(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    on_line: Callable[[str], object],
    end_s: float = 30.0,
) -> Iterator[Conversation]:
    """Run a program for as long as the block lasts, and as `run` does; it ends with its input.

    Args:
        argv: Program and arguments.
        env: Its whole environment. `TMPDIR` and the mark are added.
        log: File that both outputs are appended to as they come.
        on_line: Called with each line of standard output, from a thread.
        end_s: Seconds that it may take to end when nobody says anything any more.

    Raises:
        FileNotFoundError: There is no such program.
    """
    program = Started(argv, cwd=None, env=env, piped=True)
    with contextlib.ExitStack() as stack:
        stack.callback(program.clear)
        sink = stack.enter_context(log_to(log))
        drains = [Drain(program.stdout, sink, on_line), Drain(program.stderr, sink, None)]
        try:
            yield Conversation(program)
            program.end_input()
            program.wait(end_s, None)
        except DeadlineError:
            program.stop()
        except BaseException:
            program.stop()
            raise
        finally:
            program.end_input()
            for drain in drains:
                drain.join()


class Started:
    """A program and its guard."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None,
        env: Mapping[str, str] | None,
        piped: bool,
    ) -> None:
        environment = dict(os.environ if env is None else env)
        if shutil.which(argv[0], path=environment.get("PATH", os.defpath)) is None:
            raise FileNotFoundError(f"there is no program {argv[0]}")
        owner = Owner.this_process()
        for name in FORGE_VARIABLES:
            environment.pop(name, None)
        environment[VARIABLE] = owner.mark
        self._name = argv[0]
        self._writing = threading.Lock()
        self._temp = owner.temp_folder()
        if self._temp is not None:
            environment["TMPDIR"] = str(self._temp)
        self._life, life = socket.socketpair()
        try:
            self._guard = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", guard.__file__),
                    *(str(life.fileno()), str(GRACE_S), str(self._temp or "")),
                    *argv,
                ],
                cwd=cwd,
                env=environment,
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
                pass_fds=[life.fileno()],
            )
        except BaseException:
            self._life.close()
            self._remove_temp()
            raise
        finally:
            life.close()
        assert self._guard.stdout is not None
        assert self._guard.stderr is not None
        self.stdout, self.stderr = self._guard.stdout, self._guard.stderr

    def write(self, text: str) -> None:
        """Write to the program's standard input."""
        assert self._guard.stdin is not None
        # a thread of its own may tell it of new keys; what is closed hears nothing
        with self._writing, contextlib.suppress(BrokenPipeError, ValueError):
            self._guard.stdin.write(text)
            self._guard.stdin.flush()

    def end_input(self) -> None:
        """Close the program's standard input."""
        assert self._guard.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.close()

    @property
    def ended(self) -> bool:
        """Whether the program has ended."""
        return self._guard.poll() is not None

    def wait(self, timeout_s: float, watch: Callable[[], str] | None) -> int:
        """Wait for the end and return the exit status."""
        deadline = time.monotonic() + timeout_s
        while True:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise DeadlineError(f"{self._name} did not end within {timeout_s:g} s")
            try:
                return self._guard.wait(timeout=min(left_s, _LOOK_S) if watch else left_s)
            except subprocess.TimeoutExpired:
                if watch and (reason := watch()):
                    self._guard.terminate()  # which kills the program
                    raise AbandonedError(reason) from None

    def stop(self) -> None:
        """Interrupt the program, wait for its orderly end, and kill what is left of it."""
        deadline = time.monotonic() + GRACE_S
        with contextlib.suppress(ProcessLookupError):
            self._guard.send_signal(signal.SIGINT)
        while self._guard.poll() is None and time.monotonic() < deadline:
            # A further Ctrl-C while waiting is swallowed: the program already knows.
            with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
                self._guard.wait(timeout=0.2)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.terminate()
            self._guard.wait(timeout=_KILL_S)
        self._guard.kill()
        self._guard.wait()

    def clear(self) -> None:
        """End what a guard that was killed has left."""
        if self._guard.returncode is None or self._guard.returncode == -signal.SIGKILL:
            self._guard.kill()
            self._guard.wait()
            self._kill_group()
        if self._guard.stdin is not None:
            self.end_input()
        self._life.close()
        self._remove_temp()

    def _kill_group(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._life.settimeout(0.0)
            group = int(self._life.recv(32))
            os.killpg(group, signal.SIGINT)
            deadline = time.monotonic() + _KILL_S
            while time.monotonic() < deadline:
                os.killpg(group, 0)
                time.sleep(0.05)
            os.killpg(group, signal.SIGKILL)

    def _remove_temp(self) -> None:
        if self._temp is not None:
            shutil.rmtree(self._temp, ignore_errors=True)


@contextlib.contextmanager
def log_to(path: Path) -> Iterator[IO[str] | None]:
    """Open a log to add to; on a full disk there is none, which is no reason to stop."""
    try:
        sink = path.open("a", encoding="utf-8")
    except OSError:
        yield None
        return
    try:
        yield sink
    finally:
        with contextlib.suppress(OSError):
            sink.close()


class Drain(threading.Thread):
    """Reads a pipe to its end, so that it never fills up."""

    def __init__(
        self,
        pipe: IO[str],
        sink: IO[str] | None,
        on_line: Callable[[str], object] | None,
        *,
        at_end: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(daemon=True)
        self._pipe, self._at_end = pipe, at_end
        self._attending = threading.Lock()
        self.attend(sink, on_line)
        self.start()

    def attend(self, sink: IO[str] | None, on_line: Callable[[str], object] | None) -> None:
        """Do with what is read from now on as is said here, and forget what was before."""
        with self._attending:
            self._sink, self._on_line = sink, on_line
            self._lines: list[str] = []
            self.failure: Exception | None = None  # of `on_line`

    def run(self) -> None:
        """Read: the thread's own."""
        try:
            with self._pipe:
                for line in self._pipe:
                    with self._attending:
                        self._lines.append(line)
                        self._keep(line)
                        self._tell(line.rstrip("\n"))
        finally:
            self._at_end()

    def _keep(self, line: str) -> None:
        if self._sink is None:
            return
        try:
            self._sink.write(line)
            self._sink.flush()
        except (OSError, ValueError):
            self._sink = None  # a full disk: the pipe must be drained all the same

    def _tell(self, line: str) -> None:
        if self._on_line is None:
            return
        try:
            self._on_line(line)
        except Exception as error:
            self.failure, self._on_line = error, None

    def join(self, timeout: float | None = 10.0) -> None:
        """Wait for the pipe's end, which a stranger may hold open."""
        super().join(timeout)

    def text(self) -> str:
        """Return all that was read."""
        return "".join(self._lines)
