"""A terminal that a program runs on: a pty, and what a person would see on it.

The program gets the pty as its controlling terminal, so that a typed Ctrl-C interrupts its whole
foreground group, as in a shell, and a closed one hangs it up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyte

CTRL_C = b"\x03"
_ROWS = 50


class Terminal:
    """A program on a terminal of its own.

    Args:
        argv: The program.
        columns: Width of the screen.
        env: Its whole environment, but for TERM; None is this process's.
        cwd: Its working folder.
        term: What kind of terminal it is told that this is.
        stdout: Where its standard output goes; None is the terminal, too.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        columns: int = 80,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        term: str = "xterm-256color",
        stdout: int | None = None,
    ) -> None:
        self._master, slave = os.openpty()
        size = struct.pack("HHHH", _ROWS, columns, 0, 0)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        self._screen = pyte.HistoryScreen(columns, _ROWS, history=10_000, ratio=1.0)
        self._stream = pyte.ByteStream(self._screen)
        self._reader: threading.Thread | None = None
        self.output = b""
        inherited = dict(os.environ if env is None else env)
        for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
            if env is None:
                inherited.pop(name, None)  # of whoever runs the tests
        try:
            self.process = subprocess.Popen(
                argv,
                cwd=cwd,
                env={**inherited, "TERM": term},
                stdin=slave,
                stdout=slave if stdout is None else stdout,
                stderr=slave,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            )
        finally:
            os.close(slave)

    def follow(self) -> None:
        """Read on in the background, so that the program never waits for its reader."""

        def read() -> None:
            while self.process.poll() is None or self._read(0.0):
                self._read(0.1)

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def close(self) -> None:
        """Close the terminal's window: the program is hung up."""
        master, self._master = self._master, -1
        if self._reader is not None:
            self._reader.join(timeout=0.3)  # it may be in the middle of reading
        if master >= 0:
            os.close(master)

    def until(self, seen: Callable[[], bool], timeout_s: float) -> bool:
        """Read what the program writes until something is seen, it ends, or time is up.

        Returns:
            Whether it was seen.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if seen():
                return True
            if not self._read(0.05) and self.process.poll() is not None:
                break
        return seen()

    def says(self, text: str, timeout_s: float = 120.0) -> bool:
        """Wait until a text is on the screen or has scrolled off it."""
        return self.until(lambda: text in self.text, timeout_s)

    def wait(self, timeout_s: float) -> int:
        """Read to the program's end and return its exit status.

        Raises:
            subprocess.TimeoutExpired: It hangs.
        """
        deadline = time.monotonic() + timeout_s
        while self.process.poll() is None and time.monotonic() < deadline:
            if not self._read(0.05):
                time.sleep(0.01)
        while self._read(0.0):
            pass
        return self.process.wait(timeout=max(0.1, deadline - time.monotonic()))

    @property
    def lines(self) -> list[str]:
        """What is on the screen, and what has scrolled off it."""
        width = self._screen.columns
        gone = [
            "".join(line[column].data for column in range(width))
            for line in self._screen.history.top
        ]
        return [line.rstrip() for line in (*gone, *self._screen.display)]

    @property
    def text(self) -> str:
        """The lines as one text, without the empty ones at the end."""
        return "\n".join(self.lines).rstrip()

    @property
    def cursor_hidden(self) -> bool:
        """Whether the program has left the cursor hidden."""
        return bool(self._screen.cursor.hidden)

    def _read(self, timeout_s: float) -> bool:
        master = self._master
        try:
            if master < 0 or not select.select([master], [], [], timeout_s)[0]:
                return False
            data = os.read(master, 65_536)
        except (OSError, ValueError):  # the program, or `close`, has closed it
            return False
        self.output += data
        self._stream.feed(data)
        return bool(data)


@contextlib.contextmanager
def terminal(argv: Sequence[str], **options: object) -> Iterator[Terminal]:
    """Run a program on a terminal; it is gone afterwards, whatever happens."""
    opened = Terminal(argv, **options)  # type: ignore[arg-type]
    try:
        yield opened
    finally:
        opened.close()
        if opened.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(opened.process.pid, signal.SIGKILL)
            opened.process.wait(timeout=10)
