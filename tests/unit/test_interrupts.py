"""One Ctrl-C interrupts; the next ones wait until things are in order."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest

from harness.interrupts import INSISTENT, raised_once


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
