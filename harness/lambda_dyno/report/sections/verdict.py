"""The gate's verdict, check by check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lambda_dyno.core import formatting
from lambda_dyno.core.results import RunResult
from lambda_dyno.gates.phrases import STYLES, VerdictLine, headline, verdict_lines
from lambda_dyno.gates.summary import is_said_whole
from lambda_dyno.report.section import Content, Section
from lambda_dyno.report.tables import Column, Table, row_of


def _content(result: RunResult) -> Content | None:
    lines = verdict_lines(result.verdict, result.load)
    if not lines:
        return None
    return Content(sentence=_sentence(result), table=verdict_table(lines), checks=lines)


def _sentence(result: RunResult) -> str:
    """Return how many checks there are and what they came to, at both sizes if there are two."""
    head = headline(replace(result, error=""))
    return f"{head.symbol} {head.text}"


def _terminal(result: RunResult) -> Content | None:
    """Return what stopped the run as well, where the first line has no room for it."""
    smoke = result.smoke  # whose section says it already, if it stopped the run
    told = smoke is not None and not smoke.passed and smoke.first_failure in result.error
    stopped = "" if told or is_said_whole(result.error) else result.error.strip()
    lines = verdict_lines(result.verdict, result.load)
    if not lines and not stopped:
        return None
    status = headline(replace(result, error="")).status
    return Content(
        sentence=_sentence(result) if lines else "",
        sentence_style=f"bold {STYLES[status]}",
        facts=("  " + stopped.replace("\n", "\n  "),) if stopped else (),
        facts_style="",
        checks=lines,
    )


def verdict_table(lines: Sequence[VerdictLine]) -> Table:
    """Return the checks of the gate, one of them at least."""
    sizes = lines[0].sizes or {"Measured": ""}
    columns = (
        Column("SLO", numeric=False),
        Column("Outcome", numeric=False),
        Column("Limit"),
        *map(Column, sizes),
        Column("Margin"),
        Column("Reason", numeric=False),
    )
    rows = tuple(
        row_of(
            line.title,
            f"{line.symbol} {line.outcome}",
            line.limit,
            *(line.sizes.values() or (line.measured,)),
            line.margin or formatting.MISSING,
            line.why,
            key=line.outcome,
        )
        for line in lines
    )
    return Table("Checks of the gate", columns, rows, is_titled=True)


SECTION = Section(
    key="verdict",
    title="Verdict",
    place=20,
    rank=1,
    content=_content,
    terminal_place=20,
    terminal=_terminal,
)
