"""The environment's log: a pipe to MiniStack, which keeps what comes out as the log tail."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import termios
import time

_PATIENCE_S = 2.0
_STDERR = 2


class Log:
    """Writes the platform's lines between those of the handler, who has the same pipe."""

    def write(self, text: str) -> None:
        """Write whole lines."""
        data = text.encode()
        while data:
            data = data[os.write(_STDERR, data) :]

    def hand_over(self) -> None:
        """Wait until MiniStack has all that was written.

        It reads log and answer from two pipes in two threads, and takes the log as it is a few
        milliseconds after the answer. The thread that reads the log keeps all lines of a chunk
        before it reads the next: once it has read an empty line, it has kept what came before.
        """
        with contextlib.suppress(OSError):  # not a pipe
            self._wait_until_read()
            os.write(_STDERR, b"\n")
            self._wait_until_read()

    def _wait_until_read(self) -> None:
        unread = array.array("i", [0])
        deadline = time.monotonic() + _PATIENCE_S
        pause_s = 0.00005
        while time.monotonic() < deadline:
            fcntl.ioctl(_STDERR, termios.FIONREAD, unread)
            if not unread[0]:
                return
            time.sleep(pause_s)
            pause_s = min(0.001, pause_s * 1.5)
