"""The end of a run in the terminal: tables, recommendation, verdict, what is left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from lambda_dyno.core.results import RunResult, TuningResult
from lambda_dyno.gates import summary
from lambda_dyno.gates.phrases import STYLES, VerdictLine
from lambda_dyno.money import run_cost, words
from lambda_dyno.report.section import Content
from lambda_dyno.report.sections import SECTIONS
from lambda_dyno.report.sections.memory import memory_table
from lambda_dyno.report.streams import is_screen, paragraph
from lambda_dyno.report.tables import Cell, Table
from lambda_dyno.report.teardown import teardown

# The first and the last part of what is printed, which are no sections.
SUMMARY = "summary"
TEARDOWN = "teardown"


def print_summary(
    result: RunResult,
    console: Console,
    report_path: Path,
    *,
    parts: Collection[str] | None = None,
) -> None:
    """Print what a run found, in the order in which a reader needs it.

    Colours are rich's to drop or to force (NO_COLOR, FORCE_COLOR). Where the output is no
    terminal, plain lines are left, and none is cut or wrapped.

    Args:
        result: The run, whole or in part.
        console: Where to.
        report_path: The HTML report, named at the end.
        parts: Keys of sections, `SUMMARY` and `TEARDOWN`; None: all, and the report's path.
    """
    if parts is None or SUMMARY in parts:
        _print_summary(console, result)
    shown = ((x.terminal_place, x) for x in SECTIONS if x.terminal_place is not None)
    for _, section in sorted(shown, key=itemgetter(0)):
        if parts is None or section.key in parts:
            _print_content(console, (section.terminal or section.content)(result))
    if parts is None or TEARDOWN in parts:
        _print_teardown(console, result)
    if parts is None:
        console.print(Text.assemble("Report: ", (str(report_path), "bold")), soft_wrap=True)


def _print_summary(console: Console, result: RunResult) -> None:
    """Print the four lines that come first everywhere."""
    found = summary.of(result)
    styles = (f"bold {STYLES[found.status]}", "bold", "", "")
    for line, style in zip(found.lines, styles, strict=True):
        _say(console, Text(line, style=style))
    console.print()


def _print_content(console: Console, content: Content | None) -> None:
    """Print a section: its table, what it says, its checks, and a blank line."""
    if content is None:
        return
    if content.table is not None:
        print_table(console, content.table)
    if content.sentence:
        _say(console, Text(content.sentence, style=content.sentence_style))
    for fact in content.facts:
        _say(console, Text(fact, style=content.facts_style))
    _print_checks(console, content.checks)
    if content.sentence or content.facts or content.checks:
        console.print()


def _print_checks(console: Console, lines: Sequence[VerdictLine]) -> None:
    cells = [
        (
            Text(f"  {line.symbol}", style=STYLES[line.outcome]),
            Text(line.title),
            Text(
                f"{line.sentence}; {line.elsewhere}" if line.elsewhere else line.sentence,
                style="dim" if line.outcome == "pass" else "",
            ),
        )
        for line in lines
    ]
    if cells and is_screen(console):
        grid = RichTable.grid(padding=(0, 2, 0, 0))  # a reason wraps in its own column
        for row in cells:
            grid.add_row(*row)
        console.print(grid)
    else:
        for row in cells:
            _say(console, Text("  ").join(row))


def _print_teardown(console: Console, result: RunResult) -> None:
    end = teardown(result)
    line = f"{end.text} {end.command}".rstrip()
    console.print(Text(line, style="" if end.clean else "bold yellow"), soft_wrap=True)
    for left in result.leftovers or ():
        # a command must stay in one piece
        console.print(Text(f"  {left.kind} {left.name}: {left.remove}"), soft_wrap=True)


def print_dry_run(tuning: TuningResult, console: Console) -> None:
    """Print what one invocation per memory size came to; it recommends nothing.

    Args:
        tuning: The dry run's figures, with a `power` that is none of the sizes.
        console: Where to.
    """
    table = memory_table(tuning)
    print_table(console, replace(table, caption="Dry run, one invocation each"))
    cost = words.spent("The tuning cost", run_cost.of_tuning(tuning.raw), tuning.currency)
    for text in filter(None, (*(f"Note: {warning}" for warning in tuning.warnings), cost)):
        _say(console, Text(text, style="dim"))


def print_table(console: Console, table: Table) -> None:
    """Print a table, its detail columns left out, and its notes.

    No cell is cut or wrapped. Where a window is narrower than the table, intervals go below what
    they are of; where that is too wide, rows become columns; and where that is too wide as well,
    the columns are spread over several tables.
    """
    brief = table.brief()
    _say(console, Text(brief.caption, style="bold"))
    for rich in _fitting(console, brief):
        rich.width = _width(console, rich)
        console.print(rich, crop=False)
    for note in brief.notes:
        _say(console, Text(note, style="yellow"))
    console.print()


def _fitting(console: Console, table: Table) -> list[RichTable]:
    """Return what a table is printed as."""
    plain = not is_screen(console)
    every = range(len(table.columns))
    whole = _upright(table, every, plain=plain, marked=table.marked)
    if plain or _width(console, whole) <= console.width:
        return [whole]
    stacked = _upright(table, every, plain=False, marked=table.marked, stacked=True)
    if _width(console, stacked) <= console.width:
        return [stacked]
    turned = _turned(table)
    if _width(console, turned) <= console.width:
        return [turned]
    return _spread(console, table)


def _spread(console: Console, table: Table) -> list[RichTable]:
    """Return tables of as many columns as fit, the first column in each, marks in the last."""
    parts: list[RichTable] = []
    left = list(range(1, len(table.columns)))
    while left:
        for count in range(len(left), 0, -1):
            marked = table.marked and count == len(left)
            shown = [0, *left[:count]]
            part = _upright(table, shown, plain=False, marked=marked, stacked=True)
            if _width(console, part) <= console.width:
                break
        parts.append(part)
        left = left[count:]
    return parts


def _upright(
    table: Table, columns: Sequence[int], *, plain: bool, marked: bool, stacked: bool = False
) -> RichTable:
    """Return some columns of a table, and its marks or not; `stacked`: intervals below."""
    rich = _frame(plain=plain)
    for index in columns:
        column = table.columns[index]
        head = Text("\n".join([*column.title.split(), *([column.unit] if column.unit else ())]))
        rich.add_column(head, justify="right" if column.numeric else "left", no_wrap=True)
    if marked:
        rich.add_column("", no_wrap=True)
    for row in table.rows:
        marks = [Text(", ".join(row.marks))] if marked else []
        cells = (_cell(row.cells[index], table, stacked=stacked) for index in columns)
        rich.add_row(*cells, *marks, style=_row_style(row.marks))
    return rich


def _turned(table: Table) -> RichTable:
    """Return a table with a column for each row."""
    rich = _frame(plain=False)
    heads = [Text(f"{column.title} {column.unit}".rstrip()) for column in table.columns]
    rich.add_column(heads[0], no_wrap=True)
    for row in table.rows:
        style = _row_style(row.marks)
        rich.add_column(Text(row.cells[0].text), justify="right", no_wrap=True, style=style)
    for index, head in enumerate(heads[1:], start=1):
        rich.add_row(head, *(_cell(row.cells[index], table, stacked=True) for row in table.rows))
    if table.marked:
        rich.add_row("", *(Text("\n".join(row.marks)) for row in table.rows))
    return rich


def _frame(*, plain: bool) -> RichTable:
    return RichTable(
        box=None if plain else box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0) if plain else 0,  # the box brings its own column of space
    )


def _cell(cell: Cell, table: Table, *, stacked: bool = False) -> Text:
    before = "\n" if stacked else " "
    interval = f"{before}({cell.interval})" if cell.interval and table.intervals else ""
    return Text(cell.text + interval, style="bold" if cell.best else "")


def _row_style(marks: tuple[str, ...]) -> str:
    if "recommended" in marks:
        return "green"
    return "dim" if "excluded" in marks else ""


def _width(console: Console, rich: RichTable) -> int:
    """Return the columns that a table takes when nothing of it is cut or wrapped."""
    unbounded = console.options.update(max_width=1000)
    return Measurement.get(console, unbounded, rich).maximum


def _say(console: Console, text: Text) -> None:
    """Print a paragraph: wrapped at words in a terminal, one line anywhere else."""
    console.print(Text(paragraph(text.plain, console), style=text.style), soft_wrap=True)
