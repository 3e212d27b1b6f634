"""The worker's log: a pipe to the embedded AWS, which keeps what comes out as the log tail."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import sys
import termios

from .clocks import Clocks

_PATIENCE_S = 2.0


class Log:
    """Writes the platform's lines between those of the handler."""

    def __init__(self) -> None:
        self._descriptor = os.dup(2)  # whatever the handler does with stderr

    def write(self, text: str) -> None:
        """Write whole lines, after everything that the handler has printed."""
        with contextlib.suppress(OSError, ValueError):  # the handler may have closed it
            sys.stderr.flush()
        data = text.encode()
        while data:
            data = data[os.write(self._descriptor, data) :]

    def hand_over(self) -> None:
        """Wait until the embedded AWS has all that was written.

        It reads log and answer from two pipes in two threads, and takes the log as it is a few
        milliseconds after the answer. The thread that reads the log keeps all lines of a chunk
        before it reads the next: once it has read an empty line, it has kept what came before.
        """
        if self._wait_until_read():
            os.write(self._descriptor, b"\n")
            self._wait_until_read()

    def _wait_until_read(self) -> bool:
        unread = array.array("i", [0])
        deadline = Clocks.monotonic_s() + _PATIENCE_S
        pause_s = 0.00005
        while Clocks.monotonic_s() < deadline:
            try:
                fcntl.ioctl(self._descriptor, termios.FIONREAD, unread)
            except OSError:  # not a pipe
                return False
            if not unread[0]:
                return True
            Clocks.sleep(pause_s)
            pause_s = min(0.001, pause_s * 1.5)
        return False
