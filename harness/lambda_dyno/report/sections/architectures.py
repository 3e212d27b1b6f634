"""The architectures side by side: the best size of each, and how they differ."""

from __future__ import annotations

from lambda_dyno.core import formatting
from lambda_dyno.core.results import ArchitectureOutcome, RunResult, TuningResult
from lambda_dyno.report.section import Content, Section
from lambda_dyno.report.sections.options import change
from lambda_dyno.report.tables import Cell, Column, Row, Table

_NOTE = (
    "Each at its own best size and prices. A change is against the function's own architecture; "
    "with it its 95 % interval. ≈: no difference that the noise lets tell."
)


def _content(result: RunResult) -> Content | None:
    tuning = result.tuning
    if tuning is None or not tuning.architectures:
        return None
    found = tuning.architectures
    out = [f"{x.architecture} was left out: {x.left_out}." for x in found if x.left_out]
    return Content(table=_table(tuning), facts=tuple(out))


def _table(tuning: TuningResult) -> Table:
    columns = (
        Column("Architecture", numeric=False),
        Column("Best size", "MB"),
        Column("Duration", "ms"),
        Column("Duration vs own"),
        Column("Cost", f"{tuning.currency}/million"),
        Column("Cost vs own"),
    )
    rows = tuple(_row(outcome, tuning) for outcome in tuning.architectures)
    return Table("Architectures", columns, rows, (_NOTE,), intervals=True)


def _row(outcome: ArchitectureOutcome, tuning: TuningResult) -> Row:
    cells = (
        Cell(outcome.architecture),
        Cell(formatting.MISSING if outcome.power is None else str(outcome.power)),
        Cell(formatting.milliseconds(outcome.duration)),
        change(outcome.duration_ratio),
        Cell(formatting.per_million(outcome.cost)),
        change(outcome.cost_ratio),
    )
    is_own = outcome.architecture == tuning.architecture
    best = "recommended" if outcome.is_recommended else "left out" if outcome.left_out else ""
    return Row(cells, tuple(filter(None, ("current" if is_own else "", best))), key=cells[0].text)


SECTION = Section(
    key="architectures",
    title="Architectures",
    place=12,
    rank=3,
    content=_content,
    terminal_place=12,
)
