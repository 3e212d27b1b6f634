"""Puts the meter into one Python worker of the embedded AWS.

The worker is MiniStack's: it reads JSON lines from `sys.stdin` and answers with JSON lines on
`sys.stdout`, first the function to load, then one line for each invocation. Both are a socket to
the sandbox here, on a descriptor that no handler comes across. While the function's own code runs,
`sys.stdin` is /dev/null and `sys.stdout` the log, as on AWS.
"""

from __future__ import annotations

import os
import sys

from .meter import Meter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_current: list[Meter] = []


def current() -> Meter:
    """Return this worker's meter."""
    return _current[0]


def install(protocol: int) -> None:
    """Put the meter between this worker and the sandbox.

    Args:
        protocol: Descriptor of the socket to it.
    """
    _keep_open(protocol)
    channel = _Channel(protocol)
    sys.stdin = channel
    sys.stdout = channel


class _Channel:
    """What the worker takes for its stdin and stdout."""

    def __init__(self, protocol: int) -> None:
        self._protocol = protocol
        self._lines = open(protocol, encoding="utf-8", newline="\n", closefd=False)  # noqa: SIM115
        self._pid = os.getpid()
        self._streams: tuple[TextIO, TextIO, TextIO] = (sys.stdin, sys.stdout, sys.stderr)
        for stream in self._streams[1:]:
            stream.reconfigure(line_buffering=True)  # type: ignore[attr-defined]
        self._meter = Meter(self._send)
        _current.append(self._meter)

    def readline(self) -> str:
        line = self._lines.readline()
        if not line:
            os._exit(0)  # the sandbox is gone
        sys.stdin, sys.stdout, sys.stderr = self._streams
        return self._meter.received(line)

    def write(self, text: str) -> int:
        if os.getpid() != self._pid:  # a child of the handler's that came back from it
            os._exit(0)
        self._streams = sys.stdin, sys.stdout, sys.stderr
        for stream in {id(s): s for s in (*self._streams, sys.__stdout__)}.values():
            try:
                stream.flush()  # type: ignore[union-attr]
            except (AttributeError, OSError, ValueError):
                continue  # the function's own, or closed by it
        sys.stdin = self
        self._send(self._meter.answering(text))
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def _send(self, text: str) -> None:
        data = memoryview(text.encode())
        while data:
            data = data[os.write(self._protocol, data) :]


def _keep_open(protocol: int) -> None:
    """Let the function close what it has opened, but not the meter's files.

    Programs that become daemons close every descriptor that there may be.
    """
    from .usage import open_files

    close, closerange = os.close, os.closerange

    def close_others(fd: int) -> None:
        if fd != protocol and fd not in open_files:
            close(fd)

    def close_range(fd_low: int, fd_high: int, /) -> None:
        for kept in sorted({protocol, *open_files}):
            if fd_low <= kept < fd_high:
                closerange(fd_low, kept)
                fd_low = kept + 1
        closerange(fd_low, fd_high)

    os.close, os.closerange = close_others, close_range
