"""What a section of a report is: declared once, shown by page, Markdown, terminal and comment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lambda_dyno.charts.drawing import Size, Spec
from lambda_dyno.core.results import RunResult
from lambda_dyno.gates.phrases import VerdictLine
from lambda_dyno.gates.recommendation import Step
from lambda_dyno.report.tables import Table

Samples = Mapping[str, Sequence[float]]  # latencies in ms of the load tests, by their label


@dataclass(frozen=True, slots=True)
class Content:
    """What a section says of one run, in the order in which it is shown; what is empty is not.

    Attributes:
        sentence: The gist of it. In a terminal it stands below the table.
        sentence_style: Its style in a terminal, in rich's words.
        chart_note: A caption of the section's chart, which only the page has.
        table: The figures.
        checks: Lines of a verdict, which page and terminal show in a manner of their own;
            elsewhere `table` holds them.
        page_note: Small print below the table, which only the page has.
        facts: More small print, a paragraph each.
        facts_style: Their style in a terminal.
        steps: What to do, numbered.
        page_data: JSON that the page's script finds at the section; it adds what needs a script.
    """

    sentence: str = ""
    sentence_style: str = ""
    chart_note: str = ""
    table: Table | None = None
    checks: tuple[VerdictLine, ...] = ()
    page_note: str = ""
    facts: tuple[str, ...] = ()
    facts_style: str = "dim"
    steps: tuple[Step, ...] = ()
    page_data: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of a section.

    Attributes:
        name: Of its files.
        title: Its title.
        spec: Draws it in a size; None: it cannot.
        readable: Whether the page's script reads values from it.
        text: Draws it as Markdown that needs no file, which no forge would show; None: nothing
            does, so that Markdown has a link to the picture.
    """

    name: str
    title: str
    spec: Callable[[RunResult, Samples, Size], Spec | None]
    readable: bool = False
    text: Callable[[RunResult], str] | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A section, declared in a module of `sections` as its `SECTION`.

    Attributes:
        key: Its address in the page, and its name among the parts of the terminal's summary.
        title: Its heading.
        place: The lower, the earlier it stands in page, Markdown and comment.
        rank: The lower, the longer it stays in a comment that has little room.
        content: Returns what it says of a run, or None where it is not shown.
        chart: Its picture, drawn where there is content.
        terminal_place: As `place`, in a terminal, where the end is read first; None: not there.
        terminal: As `content`, for a terminal that has words of its own; None: the same words.
        folded: Whether page, Markdown and comment show its heading alone, until it is opened.
    """

    key: str
    title: str
    place: int
    rank: int
    content: Callable[[RunResult], Content | None]
    chart: Chart | None = None
    terminal_place: int | None = None
    terminal: Callable[[RunResult], Content | None] | None = None
    folded: bool = False
