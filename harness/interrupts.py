"""Ctrl-C, SIGTERM and SIGHUP while something must be put in order before it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# How often Ctrl-C must be pressed until putting in order is abandoned.
INSISTENT = 3


@contextmanager
def raised_once(say: Callable[[str], None]) -> Iterator[None]:
    """Let the first signal interrupt what is inside, and no other one until somebody insists.

    What is interrupted then has the time to put things in order: a second Ctrl-C of an impatient
    hand would leave them half done.

    Args:
        say: Told about the signals that are held back.
    """
    arrived = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal arrived
        arrived += 1
        before = former[signal.Signals(number)]
        if arrived == 1 and callable(before):
            before(number, frame)  # raises, as it would have without us
        if arrived == 1 or arrived > INSISTENT:
            raise KeyboardInterrupt
        with suppress(RuntimeError):  # the interrupted code may be in the middle of printing
            say(f"still cleaning up; {INSISTENT + 1 - arrived} more to abandon it")

    former = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
