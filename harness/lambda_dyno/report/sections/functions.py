"""Several functions of one environment: what each has, and what is recommended for it."""

from __future__ import annotations

from lambda_dyno.core import formatting
from lambda_dyno.core.results import LOADED, Point, RunResult, TuningResult
from lambda_dyno.report.section import Content, Section
from lambda_dyno.report.tables import Cell, Column, Row, Table

_NOTE = (
    "Each was tuned by itself, with its own event. The load test goes to the first one; the "
    "sections below are of that one."
)


def _content(result: RunResult) -> Content | None:
    if result.tuning is None or not result.functions:
        return None
    loaded = str(result.outputs.get(LOADED) or result.tuning.function_arn.rpartition(":")[2])
    tunings = {loaded: result.tuning, **{one.name: one.tuning for one in result.functions}}
    rows = tuple(_row(name, tuning, name == loaded) for name, tuning in tunings.items())
    columns = (
        Column("Function", numeric=False),
        Column("Memory now", "MB"),
        Column("Recommended", "MB"),
        Column("Duration now", "ms"),
        Column("Duration then", "ms"),
        Column("Cost now", f"{result.tuning.currency}/million"),
        Column("Cost then", f"{result.tuning.currency}/million"),
    )
    changed = [name for name, tuning in tunings.items() if tuning.power != tuning.current_power]
    sentence = (
        f"Of {len(tunings)} functions {len(changed)} should have another size: "
        f"{', '.join(changed)}."
        if changed
        else f"All {len(tunings)} functions have the size that is recommended."
    )
    return Content(sentence=sentence, table=Table("Functions", columns, rows, (_NOTE,)))


def _row(name: str, tuning: TuningResult, is_loaded: bool) -> Row:
    now = Point.of(tuning.detail(tuning.current_power))
    then = Point.of(tuning.detail(tuning.power))
    cells = (
        Cell(name),
        Cell(str(tuning.current_power)),
        Cell(str(tuning.power)),
        Cell(formatting.milliseconds(now.duration_ms if now else None)),
        Cell(formatting.milliseconds(then.duration_ms if then else tuning.duration)),
        Cell(formatting.per_million(now.cost_usd if now else None)),
        Cell(formatting.per_million(then.cost_usd if then else tuning.cost)),
    )
    return Row(cells, ("loaded",) if is_loaded else (), key=name)


SECTION = Section(
    key="functions",
    title="Functions",
    place=9,
    rank=2,
    content=_content,
    terminal_place=9,
)
