"""What is recommended, and three sizes to choose from: cheapest, balanced, fastest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lambda_dyno.core import formatting
from lambda_dyno.core.results import (
    Advice,
    Money,
    Option,
    Outcome,
    Point,
    Ratio,
    RunResult,
    TuningResult,
)
from lambda_dyno.gates import recommendation
from lambda_dyno.gates.advice import advised, figures
from lambda_dyno.money import words
from lambda_dyno.report.section import Content, Section
from lambda_dyno.report.tables import Cell, Column, Row, Table

_NOTE = (
    "With each change: its 95 % interval, of warm invocations, against the deployed size. ≈: no "
    "difference that the noise lets tell."
)
_MODEL = (
    "Figures are those of adaptive measuring's model, in which all sizes are weighed together; the "
    "table of memory sizes has what was measured."
)


def _content(result: RunResult) -> Content | None:
    tuning = result.tuning
    advice = result.advice or advised(result).advice  # of an older release
    if advice is None or tuning is None:
        return None
    if not advice.options:
        return Content(sentence=recommendation.recommendation(tuning))
    return Content(
        sentence=recommendation.recommendation(tuning),
        table=_table(advice, tuning, result),
    )


def _table(advice: Advice, tuning: TuningResult, result: RunResult) -> Table:
    money = result.money
    cost = f"{tuning.currency}/million"
    columns = (
        Column("Option", numeric=False),
        Column("Memory", "MB"),
        Column("Duration", "ms"),
        Column("Duration vs now"),
        Column("Cost", cost),
        Column("Cost vs now"),
        Column(_of_a_month(money), money.currency if money else "", detail=True),
    )
    rows = [_row(option, tuning, money) for option in advice.options]
    sizes_mb = [option.memory_mb for option in advice.options]
    now = tuning.detail(tuning.current_power)
    if now is not None and Point.of(now) is not None:
        own = _cells("now", now.power, *figures(tuning, now), None, None, money)
        rows.insert(0, Row(own, key="now"))
        sizes_mb.insert(0, now.power)
    known = any(option.duration_ratio for option in advice.options)
    notes = (_NOTE if known else "", _MODEL if tuning.curve else "")
    table = Table(
        "Options", columns, tuple(rows), tuple(filter(None, notes)), intervals=True, is_titled=True
    )
    return _with_load(table, sizes_mb, result)


def _with_load(table: Table, sizes_mb: Sequence[int], result: RunResult) -> Table:
    """Return the options with what was found of each row's size under load, if anything was."""
    p95 = _p95_by_size(result)
    judged = result.verdict.sizes if result.verdict else ()
    outcomes = {size.memory_mb: size.outcome for size in judged}
    columns = [
        *([Column("Load p95", "ms", detail=True)] if p95 else []),
        *([Column("SLOs", numeric=False, detail=True)] if outcomes else []),
    ]
    rows = []
    for row, memory_mb in zip(table.rows, sizes_mb, strict=True):
        cells = [Cell(p95.get(memory_mb, formatting.MISSING))] if p95 else []
        cells += [Cell(_outcome(outcomes.get(memory_mb)))] if outcomes else []
        rows.append(replace(row, cells=(*row.cells, *cells)))
    return replace(table, columns=(*table.columns, *columns), rows=tuple(rows))


def _p95_by_size(result: RunResult) -> dict[int, str]:
    """Return the p95 under load by memory size; with a "?" where it is not the API's alone."""
    found = {}
    for load in result.load:
        if load.latency_ms is not None:
            doubt = f"{formatting.SYMBOLS['inconclusive']} " if load.saturated or load.late else ""
            found[load.memory_mb] = f"{doubt}{formatting.milliseconds(load.latency_ms.p95)}"
    return found


def _outcome(outcome: Outcome | None) -> str:
    """Return whether the SLOs are met at a size."""
    return formatting.MISSING if outcome is None else formatting.SYMBOLS[outcome]


def _row(option: Option, tuning: TuningResult, money: Money | None) -> Row:
    cells = _cells(
        option.name,
        option.memory_mb,
        option.duration_ms,
        option.cost_usd,
        option.duration_ratio,
        option.cost_ratio,
        money,
    )
    is_current = option.memory_mb == tuning.current_power
    marks = [("current", is_current), ("recommended", option.memory_mb == tuning.power)]
    return Row(cells, tuple(mark for mark, holds in marks if holds), option.name)


def _cells(
    name: str,
    memory_mb: int,
    duration_ms: float,
    cost_usd: float,
    duration: Ratio | None,
    cost: Ratio | None,
    money: Money | None,
) -> tuple[Cell, ...]:
    return (
        Cell(name),
        Cell(str(memory_mb)),
        Cell(formatting.milliseconds(duration_ms)),
        change(duration),
        Cell(formatting.per_million(cost_usd)),
        change(cost),
        Cell(_month(memory_mb, money)),
    )


def _of_a_month(money: Money | None) -> str:
    """Return the head of the column of months."""
    if money is None:
        return "A month"
    return f"A month of {words.invocations(words.traffic_of(money)[0])}"


def _month(memory_mb: int, money: Money | None) -> str:
    """Return what a month at a size costs, requests included."""
    size = money.size(memory_mb) if money else None
    if money is None or size is None:
        return formatting.MISSING
    count, _ = words.traffic_of(money)
    return formatting.usd(words.bill(money, size).middle * count)


def change(ratio: Ratio | None) -> Cell:
    """Return a change with its interval; "≈": it may be none."""
    if ratio is None:
        return Cell(formatting.MISSING)
    middle, low, high = map(formatting.change, (ratio.ratio, ratio.low, ratio.high))
    return Cell(f"{'' if ratio.is_apart else '≈ '}{middle} %", interval=f"{low} to {high} %")


SECTION = Section(
    key="options",
    title="What to choose from",
    place=10,
    rank=3,
    content=_content,
    terminal_place=10,
)
