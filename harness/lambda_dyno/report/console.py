"""The end of a run in the terminal: tables, recommendation, verdict, what is left."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from lambda_dyno.core.results import INTERRUPTED, RunResult, TuningResult
from lambda_dyno.core.terminal import is_screen, paragraph
from lambda_dyno.report import phrases, recommendation
from lambda_dyno.report.tables import Cell, Table, load_table, memory_table, regression_table

_STYLES: dict[phrases.Status, str] = {
    "pass": "green",
    "fail": "red",
    "error": "red",
    "inconclusive": "yellow",
    "none": "dim",
}


PARTS = ("tuning", "load", "regression", "smoke", "verdict", "teardown")


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
        parts: Which of `PARTS` to print; None is all of them and the report's path.
    """
    wanted = PARTS if parts is None else parts
    if "tuning" in wanted:
        _print_tuning(console, result)
    if "load" in wanted:
        _print_load(console, result)
    if "regression" in wanted and result.regression is not None:
        print_table(console, regression_table(result.regression))
        _say(console, Text(phrases.regression_sentence(result.regression), style="dim"))
        console.print()
    if "smoke" in wanted:
        _print_smoke(console, result)
    if "verdict" in wanted:
        _print_verdict(console, result)
    if "teardown" in wanted:
        _print_teardown(console, result)
    if parts is None:
        console.print(Text.assemble("Report: ", (str(report_path), "bold")), soft_wrap=True)


def print_dry_run(tuning: TuningResult, console: Console) -> None:
    """Print what one invocation per memory size came to; it recommends nothing.

    Args:
        tuning: The dry run's figures, with a `power` that is none of the sizes.
        console: Where to.
    """
    table = memory_table(tuning)
    if table is not None:
        print_table(console, replace(table, caption="Dry run, one invocation each"))
    for warning in tuning.warnings:
        _say(console, Text(f"Note: {warning}", style="dim"))


def print_table(console: Console, table: Table | None) -> None:
    """Print a table, its detail columns left out, and its notes; without one, nothing.

    No cell is cut or wrapped. Where a window is narrower than the table, rows become columns;
    where that is too wide as well, the columns are spread over several tables.
    """
    if table is None:
        return
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
    whole = _upright(table, range(len(table.columns)), plain=plain, marked=table.marked)
    if plain or _width(console, whole) <= console.width:
        return [whole]
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
            part = _upright(table, [0, *left[:count]], plain=False, marked=marked)
            if _width(console, part) <= console.width:
                break
        parts.append(part)
        left = left[count:]
    return parts


def _upright(table: Table, columns: Sequence[int], *, plain: bool, marked: bool) -> RichTable:
    """Return some columns of a table, and its marks or not."""
    rich = _frame(plain=plain)
    for index in columns:
        column = table.columns[index]
        head = Text("\n".join([*column.title.split(), *([column.unit] if column.unit else ())]))
        rich.add_column(head, justify="right" if column.numeric else "left", no_wrap=True)
    if marked:
        rich.add_column("", no_wrap=True)
    for row in table.rows:
        marks = [Text(", ".join(row.marks))] if marked else []
        cells = (_cell(row.cells[index]) for index in columns)
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
        rich.add_row(head, *(_cell(row.cells[index]) for row in table.rows))
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


def _cell(cell: Cell) -> Text:
    return Text(cell.text, style="bold" if cell.best else "")


def _row_style(marks: tuple[str, ...]) -> str:
    if "recommended" in marks:
        return "green"
    return "dim" if "excluded" in marks else ""


def _width(console: Console, rich: RichTable) -> int:
    """Return the columns that a table takes when nothing of it is cut or wrapped."""
    unbounded = console.options.update(max_width=1000)
    return Measurement.get(console, unbounded, rich).maximum


def _print_tuning(console: Console, result: RunResult) -> None:
    if result.tuning is None:
        return
    print_table(console, memory_table(result.tuning))
    _say(console, Text(recommendation.recommendation(result.tuning), style="bold"))
    for caveat in recommendation.caveats(result):
        _say(console, Text(f"Note: {caveat}", style="dim"))
    console.print()


def _print_load(console: Console, result: RunResult) -> None:
    if not result.load:
        return
    print_table(console, load_table(result.load))
    _say(console, Text(phrases.load_sentence(result.load)))
    for fact in phrases.load_facts(result.load, phrases.latency_limit_ms(result)):
        _say(console, Text(fact, style="dim"))
    console.print()


def _print_smoke(console: Console, result: RunResult) -> None:
    if result.smoke is None or result.smoke.passed:
        return
    failures = result.smoke.failures
    head = f"the smoke test failed: {result.smoke.counts}"
    _say(console, Text(f"✗ {head}", style="red"))
    for failure in failures:
        _say(console, Text(f"  {failure.request}: {failure.assertion}: {failure.message}"))
    console.print()


def _print_verdict(console: Console, result: RunResult) -> None:
    head = phrases.headline(result)
    style = _STYLES[head.status]
    _say(console, Text(f"{head.symbol} {head.text}", style=f"bold {style}"))
    if result.error and result.error != INTERRUPTED:
        _say(console, Text("  " + result.error.strip().replace("\n", "\n  ")))
    lines = phrases.verdict_lines(result.verdict)
    if is_screen(console) and lines:
        grid = RichTable.grid(padding=(0, 2, 0, 0))  # a reason wraps in its own column
        for line in lines:
            grid.add_row(*_verdict_cells(line))
        console.print(grid)
    else:
        for line in lines:
            _say(console, Text("  ").join(_verdict_cells(line)))
    console.print()


def _verdict_cells(line: phrases.VerdictLine) -> tuple[Text, Text, Text]:
    return (
        Text(f"  {line.symbol}", style=_STYLES[line.outcome]),
        Text(line.title),
        Text(line.reason, style="dim" if line.outcome == "pass" else ""),
    )


def _print_teardown(console: Console, result: RunResult) -> None:
    end = phrases.teardown(result)
    line = f"{end.text} {end.command}".rstrip()
    console.print(Text(line, style="" if end.clean else "bold yellow"), soft_wrap=True)
    for leftover in _leftovers(result):
        console.print(leftover, soft_wrap=True)  # a command must stay in one piece


def _leftovers(result: RunResult) -> Iterable[Text]:
    for leftover in result.leftovers or ():
        yield Text(f"  {leftover.kind} {leftover.name}: {leftover.remove}")


def _say(console: Console, text: Text) -> None:
    """Print a paragraph: wrapped at words in a terminal, one line anywhere else."""
    console.print(Text(paragraph(text.plain, console), style=text.style), soft_wrap=True)
