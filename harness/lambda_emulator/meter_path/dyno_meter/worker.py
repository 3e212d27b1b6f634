"""Puts the meter into one Python worker of the embedded AWS.

A worker reads JSON lines from stdin and answers with JSON lines on stdout: first the function
to load, then one line per invocation. The meter stands between: it sees the line that starts an
invocation and the answer that ends it, and holds the answer back until the time is over that
AWS would have taken. What the handler logs goes to stderr, and so do the platform's lines.
"""

from __future__ import annotations

import os
import sys

from .meter import Meter
from .settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

_current: list[Meter] = []


def current() -> Meter:
    """Return this worker's meter."""
    return _current[0]


def install() -> None:
    """Put the meter between this worker and the embedded AWS."""
    meter = Meter(Settings(os.environ["DYNO_METER"]), os.environ.get("GATEWAY_PORT", ""))
    _current.append(meter)
    sys.stdin = _Requests(sys.stdin, meter)
    sys.stdout = _Responses(sys.stdout, meter)


class _Requests:
    """Stdin that tells the meter what is read."""

    def __init__(self, stream: TextIO, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    def readline(self, *arguments: int) -> str:
        line = self._stream.readline(*arguments)
        return self._meter.received(line) if line else line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Responses:
    """Stdout that asks the meter before an answer is written."""

    def __init__(self, stream: TextIO, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    def write(self, text: str) -> int:
        return self._stream.write(self._meter.answering(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
