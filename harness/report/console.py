"""The end of a run in the terminal: tables, recommendation, verdict, what is left."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from harness.report import advice, words
from harness.report.tables import Table, load_table, memory_table, regression_table
from harness.results import RunResult, TuningResult

_STYLES: dict[words.Status, str] = {
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

    Colours and lines are rich's to drop: where the output is no terminal or NO_COLOR is set,
    plain text is left, and no line is cut or wrapped.

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
        _print_table(console, regression_table(result.regression))
        _say(console, Text(words.regression_sentence(result.regression), style="dim"))
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
        _print_table(console, replace(table, caption="Dry run, one invocation each"))
    for warning in tuning.warnings:
        _say(console, Text(f"Note: {warning}", style="dim"))


def as_rich(table: Table, *, plain: bool) -> RichTable:
    """Return a table for the terminal, its detail columns left out.

    Args:
        table: The table.
        plain: Without drawing characters.
    """
    brief = table.brief()
    rich = RichTable(
        title=brief.caption,
        title_justify="left",
        title_style="bold",
        box=None if plain else box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0) if plain else 0,  # the box brings its own column of space
    )
    for column in brief.columns:
        head = f"{column.title}\n{column.unit}" if column.unit else column.title
        rich.add_column(
            Text(head.replace(" ", "\n")),
            justify="right" if column.numeric else "left",
            no_wrap=True,
        )
    if brief.marked:
        rich.add_column("", no_wrap=True)
    for row in brief.rows:
        cells = [Text(cell.text, style="bold" if cell.best else "") for cell in row.cells]
        marks = [Text(", ".join(row.marks))] if brief.marked else []
        rich.add_row(*cells, *marks, style=_row_style(row.marks))
    return rich


def _row_style(marks: tuple[str, ...]) -> str:
    if "recommended" in marks:
        return "green"
    return "dim" if "excluded" in marks else ""


def _print_table(console: Console, table: Table | None) -> None:
    if table is None:
        return
    rich = as_rich(table, plain=not console.is_terminal)
    # A cell that is cut loses a figure; a line too long for the window only looks bad.
    unbounded = console.options.update(max_width=1000)
    rich.width = Measurement.get(console, unbounded, rich).maximum
    console.print(rich, crop=False)
    for note in table.notes:
        _say(console, Text(note, style="yellow"))
    console.print()


def _print_tuning(console: Console, result: RunResult) -> None:
    if result.tuning is None:
        return
    _print_table(console, memory_table(result.tuning))
    _say(console, Text(advice.recommendation(result.tuning), style="bold"))
    for caveat in advice.caveats(result):
        _say(console, Text(f"Note: {caveat}", style="dim"))
    console.print()


def _print_load(console: Console, result: RunResult) -> None:
    if not result.load:
        return
    _print_table(console, load_table(result.load))
    _say(console, Text(words.load_sentence(result.load)))
    for fact in words.load_facts(result.load):
        _say(console, Text(fact, style="dim"))
    console.print()


def _print_smoke(console: Console, result: RunResult) -> None:
    if result.smoke is None or result.smoke.passed:
        return
    failures = result.smoke.failures
    head = f"{len(failures)} of {result.smoke.assertions} smoke assertions failed"
    _say(console, Text(f"✗ {head}", style="red"))
    for failure in failures:
        _say(console, Text(f"  {failure.request}: {failure.assertion}: {failure.message}"))
    console.print()


def _print_verdict(console: Console, result: RunResult) -> None:
    head = words.headline(result)
    style = _STYLES[head.status]
    _say(console, Text(f"{head.symbol} {head.text}", style=f"bold {style}"))
    if result.error:
        _say(console, Text("  " + result.error.strip().replace("\n", "\n  ")))
    lines = words.verdict_lines(result.verdict)
    if console.is_terminal and lines:
        grid = RichTable.grid(padding=(0, 2, 0, 0))  # a reason wraps in its own column
        for line in lines:
            grid.add_row(*_verdict_cells(line))
        console.print(grid)
    else:
        for line in lines:
            _say(console, Text("  ").join(_verdict_cells(line)))
    console.print()


def _verdict_cells(line: words.VerdictLine) -> tuple[Text, Text, Text]:
    return (
        Text(f"  {line.symbol}", style=_STYLES[line.outcome]),
        Text(line.title),
        Text(line.reason, style="dim" if line.outcome == "pass" else ""),
    )


def _print_teardown(console: Console, result: RunResult) -> None:
    end = words.teardown(result)
    line = f"{end.text} {end.command}".rstrip()
    console.print(Text(line, style="" if end.clean else "bold yellow"), soft_wrap=True)
    for leftover in _leftovers(result):
        console.print(leftover, soft_wrap=True)  # a command must stay in one piece


def _leftovers(result: RunResult) -> Iterable[Text]:
    for leftover in result.leftovers or ():
        yield Text(f"  {leftover.kind} {leftover.name}: {leftover.remove}")


def _say(console: Console, text: Text) -> None:
    """Print a paragraph: wrapped at words in a terminal, one line anywhere else."""
    console.print(text, soft_wrap=not console.is_terminal)
