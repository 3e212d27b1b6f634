"""The tables of a review: memory sizes and latencies, each with its change against main."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from lambda_dyno.core import formatting
from lambda_dyno.core.results import LoadResult, PowerDetail, RunResult, Sample, TuningResult
from lambda_dyno.gates import slo
from lambda_dyno.report.sections import load as load_section
from lambda_dyno.report.sections import memory as memory_section
from lambda_dyno.report.tables import Cell, Column, Row, Table

Samples = Mapping[str, Sequence[Sample]]  # every request of a load test, by its label

_Span = tuple[float, float]  # low and high end of an interval

SHARES = ("p50", "p95", "p99")
_MEMORY_COLUMNS = ("Memory", "Duration", "p50", "p95", "Cost", "Cold starts", "Errors")
_NOISE = "≈: no difference that the noise lets tell, the 95 % intervals overlap."


def memory_table(tuning: TuningResult, baseline: TuningResult | None) -> Table:
    """Return the measured memory sizes; with a baseline, how duration and cost changed."""
    whole = memory_section.memory_table(tuning)
    table = whole.columns_at(
        [i for i, column in enumerate(whole.columns) if column.title in _MEMORY_COLUMNS]
    )
    if baseline is None:
        return table
    rows = tuple(
        replace(row, cells=row.cells + _memory_changes(detail, baseline.detail(detail.power)))
        for row, detail in zip(table.rows, tuning.details, strict=True)
    )
    columns = (*table.columns, Column("Duration vs main"), Column("Cost vs main"))
    return replace(table, columns=columns, rows=rows, notes=table.notes + _noise_note(rows))


def _memory_changes(now: PowerDetail, main: PowerDetail | None) -> tuple[Cell, Cell]:
    """Return the change of duration and of cost; both follow the duration's noise."""
    if main is None or now.duration_ms is None or main.duration_ms is None:
        return Cell(formatting.MISSING), Cell(formatting.MISSING)
    alike = _overlap(now.duration_ms.ci95, main.duration_ms.ci95)
    duration = change(now.duration_ms.trimmed_mean, main.duration_ms.trimmed_mean, alike)
    return Cell(duration), Cell(change(now.cost_usd, main.cost_usd, alike))


def latency_table(
    loads: Sequence[LoadResult], samples: Samples, baseline: RunResult | None, samples_main: Samples
) -> Table | None:
    """Return the load tests' percentiles, each with its 95 % interval where one is known.

    Args:
        loads: The load tests.
        samples: Every request of theirs, as far as it is at hand.
        baseline: The run on main to compare with.
        samples_main: Every request of its load tests.
    """
    if not loads:
        return None
    columns = [Column("Load", numeric=False), Column("Memory", "MB"), Column("Requests")]
    columns += [Column(name, "ms") for name in SHARES] + [Column("Errors")]
    if baseline is not None:
        columns.append(Column("p95 vs main"))
    rows = []
    known = False
    for load in loads:
        intervals = slo.latency_intervals(load, samples.get(load.label, ()), SHARES)
        known = known or any(intervals.values())
        cells = [
            Cell(load.label),
            Cell(str(load.memory_mb)),
            Cell(formatting.integer(load.requests)),
        ]
        cells += [_latency_cell(load, name, intervals[name]) for name in SHARES]
        cells.append(Cell(formatting.integer(load.errors)))
        if baseline is not None:
            main = _same_load(load, baseline.load)
            cells.append(Cell(_p95_change(load, intervals["p95"], main, samples_main)))
        rows.append(Row(tuple(cells), ("saturated",) if load.saturated else (), load.label))
    plain = load_section.load_table(tuple(loads))
    assert plain is not None
    note = ("In brackets: 95 % intervals.",) if known else ()
    return Table(plain.caption, tuple(columns), tuple(rows), plain.notes + note + _noise_note(rows))


def _latency_cell(load: LoadResult, name: str, interval: _Span | None) -> Cell:
    if load.latency_ms is None:
        return Cell(formatting.MISSING)
    text = formatting.milliseconds(float(getattr(load.latency_ms, name)))
    if interval is not None:
        low, high = map(_end, interval)
        text += f" ({low} to {high})"
    return Cell(text)


def _end(value: float) -> str:
    return "?" if math.isinf(value) else formatting.milliseconds(value)


def _same_load(load: LoadResult, others: Sequence[LoadResult]) -> LoadResult | None:
    """Return main's test of the same memory size, whatever it was called there."""
    same = [other for other in others if other.memory_mb == load.memory_mb]
    named = [other for other in same if other.label == load.label]
    return next(iter(named or same), None)


def _p95_change(
    load: LoadResult, interval: _Span | None, main: LoadResult | None, samples_main: Samples
) -> str:
    if main is None or main.latency_ms is None or load.latency_ms is None:
        return formatting.MISSING
    if load.saturated or main.saturated:
        return "saturated"
    other = slo.latency_intervals(main, samples_main.get(main.label, ()), SHARES)["p95"]
    alike = interval is not None and other is not None and _overlap(interval, other)
    return change(load.latency_ms.p95, main.latency_ms.p95, alike)


def change(now: float | None, main: float | None, alike: bool) -> str:
    """Return a change in per cent, with its sign; marked if it may be noise alone."""
    if now is None or main is None or not main:
        return formatting.MISSING
    ratio = now / main - 1
    size = formatting.percent(abs(ratio))
    sign = "" if size == "0 %" else "+" if ratio > 0 else "−"
    return f"≈ {sign}{size}" if alike else f"{sign}{size}"


def _overlap(one: _Span, other: _Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _noise_note(rows: Sequence[Row]) -> tuple[str, ...]:
    marked = any(cell.text.startswith("≈") for row in rows for cell in row.cells)
    return (_NOISE,) if marked else ()


def comparison_note(result: RunResult, baseline: RunResult) -> str:
    """Return what main's run was, and what sets it apart from this one."""
    pairs: dict[str, Callable[[RunResult], object]] = {
        "environment": lambda run: run.env,
        "region": lambda run: run.tuning and run.tuning.region,
        "processor": lambda run: run.tuning and run.tuning.architecture,
        "kind of AWS": lambda run: run.on_embedded_aws,
    }
    apart = [name for name, read in pairs.items() if read(result) != read(baseline)]
    text = f"Compared with run {baseline.run_id} of main"
    if not apart:
        return f"{text}."
    return f"{text}, which had another {' and another '.join(apart)}: read the changes with care."
