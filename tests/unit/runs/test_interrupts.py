"""One Ctrl-C interrupts; the next ones wait until things are in order."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest

from lambda_dyno.runs import interrupts
from lambda_dyno.runs.interrupts import INSISTENT, raised_once


class Stopped(KeyboardInterrupt):
    """What the program makes of SIGTERM."""


def interrupted(signals: int, said: list[str]) -> int:
    """Interrupt work, then its clean-up; return how many signals the clean-up outlived."""
    survived = 0
    with raised_once(said.append):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            with suppress(KeyboardInterrupt):
                for _ in range(signals):
                    signal.raise_signal(signal.SIGINT)
                    survived += 1
    return survived


def test_the_first_signal_interrupts_and_the_second_is_held_back() -> None:
    """The clean-up runs to its end, and says what it does."""
    said: list[str] = []
    assert interrupted(1, said) == 1
    assert said == [f"still cleaning up; {INSISTENT - 1} more to abandon it"]


def test_whoever_insists_is_heard() -> None:
    """A clean-up that hangs can be left."""
    said: list[str] = []
    assert interrupted(10, said) == INSISTENT - 1
    assert len(said) == INSISTENT - 1


def test_sigterm_stays_what_the_program_made_of_it() -> None:
    """The handler that was there raises its own exception, and is there again afterwards."""

    def stop(_number: int, _frame: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(Stopped), raised_once(lambda _: None):
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is stop
    finally:
        signal.signal(signal.SIGTERM, before)


def test_nothing_changes_where_no_signal_comes() -> None:
    """All handlers are put back."""
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with raised_once(lambda _: None):
        pass
    after = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert after == before


def press(*numbers: signal.Signals) -> None:
    for number in numbers:
        os.kill(os.getpid(), number)


def test_one_handler_raises_once_and_then_holds() -> None:
    """There is no moment between an interrupt and its teardown that a second one could hit."""
    told: list[int] = []
    torn_down = False
    with interrupts.handled(told.append):
        try:
            press(signal.SIGINT)
        except KeyboardInterrupt:
            press(signal.SIGINT, signal.SIGTERM)  # right behind it
            torn_down = True
    assert torn_down
    assert told == [2, 1]


def test_held_signals_interrupt_only_who_insists() -> None:
    """The third one does."""
    told: list[int] = []
    with interrupts.handled(told.append) as signals:
        signals.hold()
        press(signal.SIGINT, signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt):
            press(signal.SIGINT)
    assert told == [2, 1]


def test_a_terminated_run_says_by_what() -> None:
    """It is an interrupt like Ctrl-C, with the signal's name."""
    with interrupts.handled(lambda _: None), pytest.raises(interrupts.Terminated, match="SIGTERM"):
        press(signal.SIGTERM)


def test_handlers_are_put_back() -> None:
    """Of all three signals."""
    before = [signal.getsignal(number) for number in interrupts.SIGNALS]
    with interrupts.handled(lambda _: None):
        assert [signal.getsignal(number) for number in interrupts.SIGNALS] != before
    assert [signal.getsignal(number) for number in interrupts.SIGNALS] == before
