"""The worker's log: a pipe to the embedded AWS, which keeps what comes out as the log tail."""

from __future__ import annotations

import array
import contextlib
import os
import sys
import time

_PATIENCE_S = 0.05


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

    def wait_until_read(self) -> None:
        """Wait until the embedded AWS has read the log.

        It reads log and answer from two pipes in two threads, and takes the log as it is when
        the answer is there.
        """
        try:
            import fcntl
            import termios
        except ImportError:
            return
        unread = array.array("i", [0])
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            try:
                fcntl.ioctl(self._descriptor, termios.FIONREAD, unread)
            except OSError:
                return
            if not unread[0]:
                return
            time.sleep(0.0001)
