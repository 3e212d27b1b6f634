"""What a person sees while a run works: a line for each step, on standard error.

On a terminal the line of the current step is alive (spinner, how far, how long); elsewhere
each step writes a line at its start and end, and one now and then between. Elsewhere is also a
terminal that cannot move its cursor (TERM=dumb) and a pipe that is to have colours (FORCE_COLOR).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, cast

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from lambda_dyno.core.errors import printable
from lambda_dyno.report.streams import StandardError, is_screen, paragraph

# In a log file, a line about a step's progress at most this often.
_QUIET_S = 10.0
_USUAL_COLUMNS = 80
_NARROW = 20  # columns that are too few for a text beside a step's name


class _Line:
    """The current step's line."""

    def __init__(self, name: str, text: str, changed: Callable[[_Line], None]) -> None:
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
            text = f"{min(1.0, done / total):4.0%}  {text}"  # first: a narrow line loses its end
        self.text = text
        self._changed(self)


class TerminalUi:
    """Shows steps as they work: a `core.progress.Ui`.

    Args:
        console: Where to; standard error if not given.
        prefix: Of each line in a log: whose it is.
    """

    def __init__(self, console: Console | None = None, *, prefix: str = "") -> None:
        self._prefix = prefix
        self.console = console or Console(file=cast("TextIO", StandardError()), highlight=False)
        if self.console.width < 1:  # COLUMNS=0: no line at all would be shown
            self.console.width = _USUAL_COLUMNS

    @contextmanager
    def step(self, name: str, text: str) -> Iterator[_Line]:
        """Show a step until the block ends; its last text stays as the outcome."""
        show = self._alive if self._moves else self._lines
        with show(name, text) as step:
            try:
                yield step
            except KeyboardInterrupt:
                step.text = "interrupted"
                self._finish(step, "!", "yellow")
                raise
            except BaseException:
                self._finish(step, "✗", "red")  # why is said by whoever handles it
                raise
            self._finish(step, "✓", "green")

    def note(self, text: str, style: str = "") -> None:
        """Write a line between steps."""
        # what comes from elsewhere must not colour, move or hide anything here
        line = paragraph(self._prefix + printable(text, besides="\n\t"), self.console)
        self.console.print(Text(line, style=style), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Write a warning."""
        self.note(f"warning: {text}", "yellow")

    def error(self, text: str, hint: str = "") -> None:
        """Write an error, with what to do about it."""
        self.note(f"error: {text}", "bold red")
        if hint:
            self.note(hint)

    @property
    def _moves(self) -> bool:
        """Whether a line can be written over. Colours may be forced on a pipe, a cursor not."""
        return self.console.is_interactive and is_screen(self.console)

    @contextmanager
    def _alive(self, name: str, text: str) -> Iterator[_Line]:
        spinner = Spinner("dots", style="cyan")
        step = _Line(name, text, lambda _: None)
        with Live(
            console=self.console,
            transient=True,
            refresh_per_second=8,
            redirect_stdout=False,  # results may go to a file meanwhile
            get_renderable=lambda: self._living(spinner, step),
        ):
            yield step

    def _living(self, spinner: Spinner, step: _Line) -> Text:
        """Return a step as one line of the window, whatever it says: of one height."""
        head = _head(spinner.render(self.console.get_time()), step)
        return Text.assemble(head, "  ", step.text, no_wrap=True, overflow="ellipsis")

    @contextmanager
    def _lines(self, name: str, text: str) -> Iterator[_Line]:
        last = time.monotonic()

        def changed(step: _Line) -> None:
            nonlocal last
            if time.monotonic() - last >= _QUIET_S:
                last = time.monotonic()
                self._line(step, " ")

        step = _Line(name, text, changed)
        self._line(step, "…")
        yield step

    def _finish(self, step: _Line, mark: str, style: str) -> None:
        if not is_screen(self.console):
            self._line(step, mark, style)
            return
        head = _head(Text(mark, style=style), step)
        between, indent = "  ", head.cell_len + 2
        if self.console.width < indent + _NARROW:
            between, indent = "\n  ", 2
        line = paragraph(step.text, self.console, indent=indent)
        self.console.print(Text.assemble(head, between, line), soft_wrap=True)

    def _line(self, step: _Line, mark: str, style: str = "") -> None:
        """Write a step as one line, however long: a log is searched, not looked at."""
        head = _head(Text(mark, style=style), step)
        self.console.print(Text.assemble(self._prefix, head, "  ", step.text), soft_wrap=True)


def _head(mark: RenderableType, step: _Line) -> Text:
    """Return a step's mark, name and time, as wide for every step."""
    assert isinstance(mark, Text)
    name, elapsed = (f"{step.name:<7}", "bold"), (f"{_elapsed(step):>8}", "dim")
    return Text.assemble(mark, " ", name, " ", elapsed)


def _elapsed(step: _Line) -> str:
    return f"{step.elapsed_s:.1f} s"
