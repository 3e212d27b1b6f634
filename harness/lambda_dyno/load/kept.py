"""A program that does one job after the other: it takes long to start, and is told each by a line.

It is run as any other (`runs.process`): with a guard, and it ends with this process.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lambda_dyno.runs.process import Completed, DeadlineError, Drain, Started, log_to

_END_S = 10.0  # for one that has closed its output


class Kept:
    """A program that waits for its next job.

    Args:
        argv: Program and arguments.
        env: Its whole environment. `TMPDIR` and the mark are added.

    Raises:
        FileNotFoundError: There is no such program.
    """

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str]) -> None:
        self._name = argv[0]
        self._program = Started(argv, cwd=None, env=env, piped=True)
        atexit.register(self.end)
        self._over = threading.Event()  # a job, or all of them
        self._out = Drain(self._program.stdout, None, None, at_end=self._closed)
        self._err = Drain(self._program.stderr, None, None)
        self._ended = False  # it says nothing any more
        self._cleared = False

    @property
    def ended(self) -> bool:
        """Whether it has ended, and takes no job any more."""
        return self._ended or self._program.ended

    def say(self, line: str) -> None:
        """Tell it something that it does not answer."""
        self._program.write(f"{line}\n")

    def job(
        self,
        line: str,
        *,
        on_line: Callable[[str], bool],
        log: Path,
        timeout_s: float,
        meanwhile: Callable[[], None] | None = None,
        secret: bool = False,
    ) -> Completed | None:
        """Have it do a job and return nothing, or how it ended if it did so.

        Args:
            line: The job.
            on_line: Called with each line of standard output, from a thread; returns whether that
                was the last one of the job.
            log: File that both outputs are appended to as they come.
            timeout_s: Seconds until it is interrupted.
            meanwhile: Called once it has the job; it gets an empty line afterwards.
            secret: Whether standard output may hold secrets: it is kept out of the log.

        Raises:
            DeadlineError: The job did not end in time, so the program was stopped.
            KeyboardInterrupt: Passed on after the program has ended.
        """
        done = False

        def hear(text: str) -> None:
            nonlocal done
            if on_line(text):
                done = True
                self._over.set()

        with contextlib.ExitStack() as stack:
            sink = stack.enter_context(log_to(log))
            stack.callback(self._out.attend, None, None)
            stack.callback(self._err.attend, None, None)
            self._out.attend(None if secret else sink, hear)
            self._err.attend(sink, None)
            self._over.clear()
            if self._ended:
                self._over.set()
            try:
                self.say(line)
                if meanwhile is not None:
                    meanwhile()
                    self.say("")
                if not self._over.wait(timeout_s):
                    raise DeadlineError(f"{self._name} did not end within {timeout_s:g} s")
                if done:
                    return None
                returncode = self._program.wait(_END_S, None)
                self._clear()
            except BaseException:
                self._program.stop()
                self._clear()
                raise
            return Completed(returncode, self._out.text(), self._err.text())

    def end(self) -> None:
        """End it; it has no job."""
        if self._cleared:
            return
        self._program.end_input()
        try:
            self._program.wait(_END_S, None)
        except DeadlineError:
            self._program.stop()
        self._clear()

    def _closed(self) -> None:
        self._ended = True
        self._over.set()

    def _clear(self) -> None:
        self._out.join()
        self._err.join()
        self._program.clear()
        self._cleared = True
        atexit.unregister(self.end)
