"""Ctrl-C, SIGTERM and SIGHUP while something must be put in order before it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# How often Ctrl-C must be pressed until putting in order is abandoned.
INSISTENT = 3


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP arrived; it ends what goes on as Ctrl-C does."""


class Interrupts:
    """What signals do inside `handled`: the first one raises, unless they are held.

    One handler for all of it, so that there is no moment in which a second signal, right behind
    the first, could get between an interrupted run and its teardown.

    Args:
        say: Told how many more signals it takes to abandon what goes on.
    """

    def __init__(self, say: Callable[[int], None]) -> None:
        self._say = say
        self._held = False
        self._pressed = 0

    def hold(self) -> None:
        """Let no signal interrupt any more, until somebody insists."""
        self._held = True

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Do what a signal is to do."""
        if not self._held:
            self._held = True
            _raise(number)
        self._pressed += 1
        if self._pressed >= INSISTENT:
            _raise(number)
        with suppress(RuntimeError):  # the interrupted code may be in the middle of printing
            self._say(INSISTENT - self._pressed)


def _raise(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Terminated(signal.Signals(number).name)


@contextmanager
def handled(say: Callable[[int], None]) -> Iterator[Interrupts]:
    """Let the first signal interrupt what is inside, and then none until somebody insists.

    Args:
        say: Told how many more signals it takes to abandon what goes on.
    """
    interrupts = Interrupts(say)
    former = {number: signal.signal(number, interrupts.handle) for number in SIGNALS}
    try:
        yield interrupts
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


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
