"""The tables of a run, as text cells: one place for terminal, HTML and Markdown alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lambda_dyno.core.results import (
    LoadResult,
    PowerDetail,
    RegressionCheck,
    RegressionResult,
    RunResult,
    TuningResult,
    Verdict,
)
from lambda_dyno.report import formatting
from lambda_dyno.report.phrases import SYMBOLS, verdict_lines


@dataclass(frozen=True, slots=True)
class Column:
    """Head of a column. A `detail` column is left out where there is little room."""

    title: str
    unit: str = ""
    numeric: bool = True
    detail: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure, written out; `best` if it is the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row. The first cell names it; `marks` are short words such as "current"."""

    cells: tuple[Cell, ...]
    marks: tuple[str, ...] = ()
    key: str = ""  # what other parts of the report know the row by


@dataclass(frozen=True, slots=True)
class Table:
    """A table: every row has a cell for every column. `notes` are sentences below it."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def marked(self) -> bool:
        """Whether any row has a mark."""
        return any(row.marks for row in self.rows)

    def brief(self) -> Table:
        """Return the table without its detail columns."""
        keep = [index for index, column in enumerate(self.columns) if not column.detail]
        rows = tuple(
            Row(tuple(row.cells[index] for index in keep), row.marks, row.key) for row in self.rows
        )
        return Table(self.caption, tuple(self.columns[i] for i in keep), rows, self.notes)


# --- memory ---------------------------------------------------------------------------------


def _duration(name: str) -> Callable[[PowerDetail], float | None]:
    """Return a reader of one of the duration statistics."""
    return lambda d: None if d.duration_ms is None else float(getattr(d.duration_ms, name))


def _duration_ms(name: str) -> Callable[[PowerDetail], str]:
    read = _duration(name)
    return lambda d: formatting.milliseconds(read(d))


def _billed_ms(detail: PowerDetail) -> float | None:
    """Return the mean that the cost follows from; results of older versions have the plain one."""
    trimmed = detail.billed_ms_trimmed_mean
    return detail.billed_ms_mean if trimmed is None else trimmed


_MEMORY_COLUMNS: tuple[tuple[Column, Callable[[PowerDetail], str]], ...] = (
    (Column("Memory", "MB"), lambda d: str(d.power)),
    (Column("Duration", "ms"), _duration_ms("trimmed_mean")),
    (Column("p50", "ms"), _duration_ms("p50")),
    (Column("p95", "ms"), _duration_ms("p95")),
    (Column("Billed", "ms"), lambda d: formatting.milliseconds(_billed_ms(d))),
    (Column("Cost", "USD/million"), lambda d: formatting.per_million(d.cost_usd)),
    (Column("Cold starts"), lambda d: formatting.integer(d.cold_starts)),
    (Column("Errors"), lambda d: formatting.integer(d.errors)),
    (Column("Measured", detail=True), lambda d: formatting.integer(d.count)),
    (Column("Used", "MB", detail=True), lambda d: formatting.integer(d.max_memory_used_mb)),
)
_DURATION, _COST = 1, 5  # the columns whose best figure is marked


def memory_table(tuning: TuningResult | None) -> Table | None:
    """Return the table of measured memory sizes, or None if nothing was tuned."""
    if tuning is None:
        return None
    best = {
        _DURATION: _least(tuning.details, _duration("trimmed_mean")),
        _COST: _least(tuning.details, lambda d: d.cost_usd),
    }
    rows = tuple(_memory_row(detail, tuning, best) for detail in tuning.details)
    notes = tuple(
        f"{detail.power} MB was excluded: {detail.excluded}"
        for detail in tuning.details
        if detail.excluded
    )
    caption = f"Memory sizes, strategy {tuning.strategy}"
    return Table(caption, tuple(column for column, _ in _MEMORY_COLUMNS), rows, notes)


def _memory_row(detail: PowerDetail, tuning: TuningResult, best: dict[int, int | None]) -> Row:
    cells = tuple(
        Cell(write(detail), best=best.get(index) == detail.power)
        for index, (_, write) in enumerate(_MEMORY_COLUMNS)
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


# --- load -----------------------------------------------------------------------------------


def _latency_ms(name: str) -> Callable[[LoadResult], str]:
    """Return a writer of one of the latency statistics."""
    return lambda r: formatting.milliseconds(
        None if r.latency_ms is None else float(getattr(r.latency_ms, name))
    )


_LOAD_COLUMNS: tuple[tuple[Column, Callable[[LoadResult], str]], ...] = (
    (Column("Load", numeric=False), lambda r: r.label),
    (Column("Memory", "MB"), lambda r: str(r.memory_mb)),
    (Column("Requests"), lambda r: formatting.integer(r.requests)),
    (Column("Average", "ms"), _latency_ms("mean")),
    (Column("p50", "ms"), _latency_ms("p50")),
    (Column("p90", "ms"), _latency_ms("p90")),
    (Column("p95", "ms"), _latency_ms("p95")),
    (Column("p99", "ms"), _latency_ms("p99")),
    (Column("Max", "ms"), _latency_ms("max")),
    (Column("Errors"), lambda r: formatting.integer(r.errors)),
    (Column("Rate", "req/s"), lambda r: formatting.rounded(r.requests_per_s)),
)


def load_table(loads: tuple[LoadResult, ...]) -> Table | None:
    """Return the table of load tests, or None if there was none."""
    if not loads:
        return None
    rows = tuple(
        Row(
            tuple(Cell(write(load)) for _, write in _LOAD_COLUMNS),
            ("saturated",) if load.saturated else (),
            load.label,
        )
        for load in loads
    )
    notes = [note for load in loads for note in _load_notes(load)]
    columns = tuple(column for column, _ in _LOAD_COLUMNS)
    return Table(f"Load, {_profile(loads)}", columns, rows, tuple(notes))


def _profile(loads: tuple[LoadResult, ...]) -> str:
    """Return what was asked for, or, of results that do not say, what was measured."""
    asked_for = {load.profile for load in loads}
    if asked_for != {""}:
        return asked_for.pop() if len(asked_for) == 1 else f"{len(asked_for)} kinds"
    users = sorted({load.virtual_users for load in loads})
    durations = sorted({round(load.duration_s) for load in loads})
    people = f"{_span(users)} virtual user{'s' if users != [1] else ''}"
    return (
        f"{people}, {_span(durations)} s each"
        if len(loads) > 1
        else (f"{people}, {_span(durations)} s")
    )


def _span(values: list[int]) -> str:
    if values[0] == values[-1]:
        return formatting.integer(values[0])
    return f"{formatting.integer(values[0])} to {formatting.integer(values[-1])}"


def _load_notes(load: LoadResult) -> Iterable[str]:
    if load.saturated:
        yield f"{load.label}: {load.saturated}"
    if load.errors:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in sorted(load.errors_by_kind.items()))
        ratio = formatting.percent(load.error_ratio)
        yield f"{load.label}: {ratio} of the requests failed" + (f" ({kinds})" if kinds else "")


# --- baseline -------------------------------------------------------------------------------


def regression_table(regression: RegressionResult | None) -> Table | None:
    """Return the figures of a candidate beside its baseline's, or None without one."""
    if regression is None:
        return None
    columns = (
        Column("Figure", numeric=False),
        Column("Baseline"),
        Column("Candidate"),
        Column("Ratio"),
        Column("From"),
        Column("To"),
        Column("Outcome", numeric=False),
    )
    rows = tuple(_regression_row(check) for check in regression.checks)
    return Table(f"Against the baseline {regression.baseline}", columns, rows)


def _regression_row(check: RegressionCheck) -> Row:
    figures = (check.baseline, check.candidate)
    ratios = (check.ratio, check.ratio_low, check.ratio_high)
    return Row(
        (
            Cell(f"{check.name} ({check.unit})"),
            *(Cell("–" if value is None else formatting.rounded(value)) for value in figures),
            *(Cell("–" if value is None else f"{value:.3f}") for value in ratios),
            Cell(f"{SYMBOLS[check.outcome]} {check.outcome}"),
        ),
        key=check.name,
    )


# --- verdict, smoke, timings, settings --------------------------------------------------------


def verdict_table(verdict: Verdict | None) -> Table | None:
    """Return the checks of the gate, or None if there are none."""
    lines = verdict_lines(verdict)
    if not lines:
        return None
    columns = (
        Column("SLO", numeric=False),
        Column("Outcome", numeric=False),
        Column("Measured"),
        Column("Limit"),
        Column("Reason", numeric=False),
    )
    rows = tuple(
        Row(
            (
                Cell(line.title),
                Cell(f"{line.symbol} {line.outcome}"),
                Cell(line.measured),
                Cell(line.limit),
                Cell(line.reason),
            ),
            key=line.outcome,
        )
        for line in lines
    )
    return Table("Checks of the gate", columns, rows)


def smoke_table(result: RunResult) -> Table | None:
    """Return the failed assertions of the smoke test, or None if all held."""
    if result.smoke is None or not result.smoke.failures:
        return None
    columns = tuple(Column(title, numeric=False) for title in ("Request", "Assertion", "Message"))
    rows = tuple(
        Row((Cell(failure.request), Cell(failure.assertion), Cell(failure.message)))
        for failure in result.smoke.failures
    )
    return Table("Failed smoke assertions", columns, rows)


def timings_table(timings: dict[str, float]) -> Table | None:
    """Return the time of each step and their sum, or None without steps."""
    if not timings:
        return None
    rows = [
        Row((Cell(step), Cell(formatting.seconds(s))), key=f"{s}") for step, s in timings.items()
    ]
    total = sum(timings.values())
    rows.append(Row((Cell("all steps"), Cell(formatting.seconds(total))), key=""))
    return Table("Time per step", (Column("Step", numeric=False), Column("Time")), tuple(rows))


def pairs_table(caption: str, content: dict[str, Any], first: str = "Key") -> Table | None:
    """Return nested settings or outputs as dotted keys and values, or None if empty."""
    rows = tuple(Row((Cell(key), Cell(value))) for key, value in flattened(content))
    if not rows:
        return None
    return Table(caption, (Column(first, numeric=False), Column("Value", numeric=False)), rows)


def flattened(content: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Yield the leaves of nested mappings as dotted keys and text."""
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _text(value)


def _text(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else "not set"
