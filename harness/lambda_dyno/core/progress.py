"""What a run reports to whoever watches it. `report.terminal` shows it to a person."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Step(Protocol):
    """A step that is under way."""

    def update(self, text: str, done: float | None = None, total: float | None = None) -> None:
        """Say what the step does now, and how far it is.

        Args:
            text: What it does.
            done: How much of `total` is done.
            total: None or 0 while unknown.
        """


class Ui(Protocol):
    """Who is told."""

    def step(self, name: str, text: str) -> AbstractContextManager[Step]:
        """Return a context that shows a step until its end; its last text stays as the outcome."""

    def note(self, text: str, style: str = "") -> None:
        """Write a line between steps."""

    def warn(self, text: str) -> None:
        """Write a warning."""

    def error(self, text: str, hint: str = "") -> None:
        """Write an error, with what to do about it."""
