"""What a person sees while a run works: a line for each step, on standard error.

On a terminal the line of the current step is alive (spinner, how far, how long); elsewhere
each step writes a line at its start and end, and one now and then between.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO, cast

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

# In a log file, a line about a step's progress at most this often.
_QUIET_S = 10.0


class _Unbreakable(io.TextIOBase):
    """Standard error, but nothing fails for want of a reader.

    A terminal may be closed, a pipe's other end may be gone, a disk be full: that must not come
    between a run and its teardown.
    """

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return sys.stderr.encoding or "utf-8"

    def write(self, text: str, /) -> int:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()

    def isatty(self) -> bool:
        try:
            return sys.stderr.isatty()
        except ValueError:
            return False

    def fileno(self) -> int:
        return sys.stderr.fileno()


class Step:
    """The current step's line."""

    def __init__(self, name: str, text: str, changed: Callable[[Step], None]) -> None:
        self.name = name
        self.text = text
        self._changed = changed
        self._started = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._started

    def update(self, text: str, done: float | None = None, total: float | None = None) -> None:
        """Say what the step does now, and how far it is.

        Args:
            text: What it does.
            done: How much of `total` is done.
            total: None or 0 while unknown.
        """
        if done is not None and total:
            text = f"{text}  {min(1.0, done / total):.0%}"
        self.text = text
        self._changed(self)


class Ui:
    """Shows steps as they work.

    Args:
        console: Where to; standard error if not given.
        prefix: Of each line in a log: whose it is.
    """

    def __init__(self, console: Console | None = None, *, prefix: str = "") -> None:
        self._prefix = prefix
        self.console = console or Console(file=cast("TextIO", _Unbreakable()), highlight=False)

    @contextmanager
    def step(self, name: str, text: str) -> Iterator[Step]:
        """Show a step until the block ends; its last text stays as the outcome."""
        show = self._alive if self.console.is_terminal else self._lines
        with show(name, text) as step:
            try:
                yield step
            except KeyboardInterrupt:
                step.text = "interrupted"
                self._finish(step, "!", "yellow")
                raise
            except BaseException as error:
                step.text = str(error).splitlines()[0] if str(error) else type(error).__name__
                self._finish(step, "✗", "red")
                raise
            self._finish(step, "✓", "green")

    def note(self, text: str, style: str = "") -> None:
        """Write a line between steps."""
        self.console.print(Text(self._prefix + text, style=style), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Write a warning."""
        self.note(f"warning: {text}", "yellow")

    def error(self, text: str, hint: str = "") -> None:
        """Write an error, with what to do about it."""
        self.note(f"error: {text}", "bold red")
        if hint:
            self.note(hint)

    @contextmanager
    def _alive(self, name: str, text: str) -> Iterator[Step]:
        spinner = Spinner("dots", style="cyan")
        step = Step(name, text, lambda _: None)
        with Live(
            console=self.console,
            transient=True,
            refresh_per_second=8,
            get_renderable=lambda: _row(spinner, step),
        ):
            yield step

    @contextmanager
    def _lines(self, name: str, text: str) -> Iterator[Step]:
        last = time.monotonic()

        def changed(step: Step) -> None:
            nonlocal last
            if time.monotonic() - last >= _QUIET_S:
                last = time.monotonic()
                self._line(step, " ")

        step = Step(name, text, changed)
        self._line(step, "…")
        yield step

    def _finish(self, step: Step, mark: str, style: str) -> None:
        if self.console.is_terminal:
            self.console.print(_row(Text(mark, style=style), step))
        else:
            self._line(step, mark)

    def _line(self, step: Step, mark: str) -> None:
        """Write a step as one line, however long: a log is searched, not looked at."""
        line = f"{self._prefix}{mark} {step.name:<7} {_elapsed(step):>8}  {step.text}"
        self.console.print(Text(line), soft_wrap=True)


def _row(mark: RenderableType, step: Step) -> RenderableType:
    row = Table.grid(padding=(0, 1))
    row.add_column(width=1)
    row.add_column(width=7, style="bold")
    row.add_column(width=8, justify="right", style="dim")
    row.add_column(overflow="fold")
    row.add_row(mark, step.name, _elapsed(step), step.text)
    return row


def _elapsed(step: Step) -> str:
    return f"{step.elapsed_s:.1f} s"
