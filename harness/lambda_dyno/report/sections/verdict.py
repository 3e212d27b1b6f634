"""The gate's verdict, check by check."""

from __future__ import annotations

from lambda_dyno.core.results import INTERRUPTED, RunResult, Verdict
from lambda_dyno.gates.phrases import STYLES, headline, verdict_lines
from lambda_dyno.report.section import Content, Section
from lambda_dyno.report.tables import Column, Table, row_of


def _content(result: RunResult) -> Content | None:
    table = verdict_table(result.verdict)
    return Content(table=table, checks=verdict_lines(result.verdict)) if table else None


def _terminal(result: RunResult) -> Content:
    """Return the headline and what stopped the run: a terminal has no head that shows them."""
    head = headline(result)
    stopped = result.error if result.error != INTERRUPTED else ""
    return Content(
        sentence=f"{head.symbol} {head.text}",
        sentence_style=f"bold {STYLES[head.status]}",
        facts=("  " + stopped.strip().replace("\n", "\n  "),) if stopped else (),
        facts_style="",
        checks=verdict_lines(result.verdict),
    )


def verdict_table(verdict: Verdict | None) -> Table | None:
    """Return the checks of the gate, or None if there are none."""
    lines = verdict_lines(verdict)
    if not lines:
        return None
    sizes = lines[0].sizes or {"Measured": ""}
    columns = (
        Column("SLO", numeric=False),
        Column("Outcome", numeric=False),
        *map(Column, sizes),
        Column("Limit"),
        Column("Reason", numeric=False),
    )
    rows = tuple(
        row_of(
            line.title,
            f"{line.symbol} {line.outcome}",
            *(line.sizes.values() or (line.measured,)),
            line.limit,
            line.reason,
            key=line.outcome,
        )
        for line in lines
    )
    return Table("Checks of the gate", columns, rows)


SECTION = Section(
    key="verdict",
    title="Verdict",
    place=10,
    rank=1,
    content=_content,
    terminal_place=50,
    terminal=_terminal,
)
