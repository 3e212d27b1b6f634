"""Cost and duration by memory size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from lambda_dyno.charts import inline
from lambda_dyno.charts.drawing import Size, Spec
from lambda_dyno.charts.power import dots, interval, power_spec
from lambda_dyno.core import formatting
from lambda_dyno.core.results import PowerDetail, RunResult, TuningResult
from lambda_dyno.gates import recommendation
from lambda_dyno.report import markdown
from lambda_dyno.report.section import Chart, Content, Samples, Section
from lambda_dyno.report.tables import Cell, Column, Row, Table

_LEAST_FOR_P95 = 20  # below, the largest of them is all that there is above it
_LINES = "Lines join the trimmed means. "
_INTERVALS = (
    "Thin vertical lines are 95 % intervals of the mean, left out where a cold start makes them "
    "wider than the value itself. "
)
_KNOWN = "Thin vertical lines are 95 % intervals, of warm invocations. "
_BAND = "The band is what the model of all sizes knows, with 95 % at each. "
_DOTS = "Faint dots are single invocations. "
_BELOW = (
    "Below a duration and a cost: 95 % intervals, of warm invocations; below cold starts: how long "
    "one took. "
)


def _content(result: RunResult) -> Content | None:
    tuning = result.tuning
    if tuning is None:
        return None
    intervals = any(map(interval, tuning.details))
    below = _BELOW if any(detail.duration_interval_ms for detail in tuning.details) else ""
    vertical = _KNOWN if below else _INTERVALS if intervals else ""
    notes = (_LINES, vertical, _BAND if tuning.curve else "")
    return Content(
        chart_note="".join((*notes, _DOTS if dots(tuning) else "")),
        table=memory_table(tuning),
        page_note=f"Bold: the lowest of the column. {below}".rstrip(),
    )


def _terminal(result: RunResult) -> Content | None:
    """Return the caveats as well: a terminal has no head that shows them."""
    if result.tuning is None:
        return None
    return Content(
        table=memory_table(result.tuning),
        facts=tuple(f"Note: {caveat}" for caveat in recommendation.caveats(result)),
    )


def _spec(result: RunResult, _: Samples, size: Size) -> Spec | None:
    return power_spec(result.tuning, size)


def _text(result: RunResult) -> str:
    return drawn(result.tuning, diagrams=True) if result.tuning else ""


def drawn(tuning: TuningResult, *, diagrams: bool) -> str:
    """Return the curve as Markdown that needs no file; empty with fewer than two measured sizes.

    Args:
        tuning: The tuning.
        diagrams: Whether Mermaid is drawn where it is shown; else it is bars of characters.
    """
    if diagrams:
        return inline.curve(tuning)
    bars = inline.bars(tuning)
    return bars and markdown.fence(bars)


def _duration(name: str) -> Callable[[PowerDetail], float | None]:
    """Return a reader of one of the duration statistics."""
    least = _LEAST_FOR_P95 if name == "p95" else 1
    return lambda d: (
        None if d.duration_ms is None or d.count < least else float(getattr(d.duration_ms, name))
    )


def _duration_ms(name: str) -> Callable[[PowerDetail], str]:
    read = _duration(name)
    return lambda d: formatting.milliseconds(read(d))


def _billed_ms(detail: PowerDetail) -> float | None:
    """Return the mean that the cost follows from; results of older versions have the plain one."""
    trimmed = detail.billed_ms_trimmed_mean
    return detail.billed_ms_mean if trimmed is None else trimmed


_COLUMNS: tuple[tuple[Column, Callable[[PowerDetail], str]], ...] = (
    (Column("Memory", "MB"), lambda d: str(d.power)),
    (Column("Duration", "ms"), _duration_ms("trimmed_mean")),
    (Column("p50", "ms"), _duration_ms("p50")),
    (Column("p95", "ms"), _duration_ms("p95")),
    (Column("Billed", "ms"), lambda d: formatting.milliseconds(_billed_ms(d))),
    (Column("Cost"), lambda d: formatting.per_million(d.cost_usd)),
    (Column("Cold starts"), lambda d: formatting.integer(d.cold_starts)),
    (Column("Errors"), lambda d: formatting.integer(d.errors)),
    (Column("Measured", detail=True), lambda d: formatting.integer(d.count)),
    (Column("Used", "MB", detail=True), lambda d: formatting.integer(d.max_memory_used_mb)),
)


def _span(ends: tuple[float, float] | None, write: Callable[[float], str]) -> str:
    return "" if ends is None else f"{write(ends[0])} to {write(ends[1])}"


def _interval(column: str, detail: PowerDetail) -> str:
    if column == "Duration":
        return _span(detail.duration_interval_ms, formatting.milliseconds)
    if column == "Cold starts" and detail.cold_ms is not None:
        return f"{formatting.milliseconds(detail.cold_ms)} ms"
    return _span(detail.cost_interval_usd, formatting.per_million) if column == "Cost" else ""


def memory_table(tuning: TuningResult) -> Table:
    """Return the table of measured memory sizes."""
    best = {
        "Duration": _least(tuning.details, _duration("trimmed_mean")),
        "Cost": _least(tuning.details, lambda d: d.cost_usd),
    }
    return Table(
        f"Memory sizes, strategy {tuning.strategy}",
        tuple(
            replace(column, unit=f"{tuning.currency}/million") if column.title == "Cost" else column
            for column, _ in _COLUMNS
        ),
        tuple(_row(detail, tuning, best) for detail in tuning.details),
        tuple(f"{d.power} MB was excluded: {d.excluded}" for d in tuning.details if d.excluded),
        name="memory-sizes",
    )


def _row(detail: PowerDetail, tuning: TuningResult, best: dict[str, int | None]) -> Row:
    cells = tuple(
        Cell(
            write(detail),
            best=best.get(column.title) == detail.power,
            interval=_interval(column.title, detail),
        )
        for column, write in _COLUMNS
    )
    marks = {
        "current": detail.power == tuning.current_power,
        "recommended": detail.power == tuning.power,
        "excluded": bool(detail.excluded),
    }
    return Row(cells, tuple(mark for mark, holds in marks.items() if holds), str(detail.power))


def _least(
    details: Sequence[PowerDetail], measure: Callable[[PowerDetail], float | None]
) -> int | None:
    """Return the power value with the least measure; None unless there is a choice."""
    measured = [(value, d.power) for d in details if (value := measure(d)) is not None]
    return min(measured)[1] if len(measured) > 1 else None


SECTION = Section(
    key="memory",
    title="Cost and duration by memory size",
    place=30,
    rank=4,
    content=_content,
    chart=Chart("power", "Cost and duration by memory size", _spec, readable=True, text=_text),
    terminal_place=30,
    terminal=_terminal,
)
