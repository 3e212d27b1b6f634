"""The load tests: latencies by percentile, rates and errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lambda_dyno.charts import inline
from lambda_dyno.charts.drawing import Size, Spec
from lambda_dyno.charts.latency import latency_spec
from lambda_dyno.core import formatting
from lambda_dyno.core.config import SLO_KEYS
from lambda_dyno.core.results import LoadResult, RunResult, Verdict
from lambda_dyno.gates.load_phrases import latency_limit_ms, load_facts, load_sentence, ratios
from lambda_dyno.report.section import Chart, Content, Samples, Section
from lambda_dyno.report.tables import Cell, Column, Row, Table


def _content(result: RunResult) -> Content | None:
    if not result.load:
        return None
    return Content(
        sentence=load_sentence(result.load),
        table=load_table(result.load),
        facts=(*ratios(result.load), *load_facts(result.load, latency_limit_ms(result))),
    )


def _spec(result: RunResult, samples: Samples, size: Size) -> Spec | None:
    return latency_spec(result.load, samples, latency_limits(result.verdict), size)


def _text(result: RunResult) -> str:
    return inline.latencies(result.load)


# --- table ----------------------------------------------------------------------------------


def _latency_ms(name: str) -> Callable[[LoadResult], str]:
    """Return a writer of one of the latency statistics."""
    return lambda r: formatting.milliseconds(
        None if r.latency_ms is None else float(getattr(r.latency_ms, name))
    )


def _predicted_ms(load: LoadResult) -> str:
    return formatting.milliseconds(load.prediction.p50_ms if load.prediction else None)


_COLUMNS: tuple[tuple[Column, Callable[[LoadResult], str]], ...] = (
    (Column("Load", numeric=False), lambda r: r.label),
    (Column("Memory", "MB"), lambda r: str(r.memory_mb)),
    (Column("Requests"), lambda r: formatting.integer(r.requests)),
    (Column("Average", "ms"), _latency_ms("mean")),
    (Column("p50", "ms"), _latency_ms("p50")),
    (Column("Predicted p50", "ms", detail=True), lambda r: _predicted_ms(r)),
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
    predicted = any(load.prediction for load in loads)
    shown = [pair for pair in _COLUMNS if predicted or not pair[0].title.startswith("Predicted")]
    rows = tuple(
        Row(
            tuple(Cell(write(load)) for _, write in shown),
            ("saturated",) if load.saturated else (),
            load.label,
        )
        for load in loads
    )
    notes = [note for load in loads for note in _notes(load)]
    columns = tuple(column for column, _ in shown)
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


def _notes(load: LoadResult) -> Iterable[str]:
    if load.saturated:
        yield f"{load.label}: {load.saturated}"
    if load.errors:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in sorted(load.errors_by_kind.items()))
        ratio = formatting.percent(load.error_ratio)
        yield f"{load.label}: {ratio} of the requests failed" + (f" ({kinds})" if kinds else "")


def latency_limits(verdict: Verdict | None) -> dict[float, float]:
    """Return the limits in ms that latencies were held against, by quantile, such as 0.95."""
    return {
        quantile: check.limit
        for check in (verdict.checks if verdict else ())
        if check.name in SLO_KEYS and (quantile := SLO_KEYS[check.name].quantile)
    }


SECTION = Section(
    key="load",
    title="Under load",
    place=40,
    rank=5,
    content=_content,
    chart=Chart("latency", "Latency by percentile", _spec, text=_text),
    terminal_place=40,
)
