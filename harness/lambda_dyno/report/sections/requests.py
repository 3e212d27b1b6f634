"""What each request of the collection took under load, and how the load went over time."""

from __future__ import annotations

from lambda_dyno.charts.drawing import Size, Spec
from lambda_dyno.charts.load_time import load_time_spec
from lambda_dyno.core import formatting
from lambda_dyno.core.results import LoadResult, RequestLoad, RunResult
from lambda_dyno.report.section import Chart, Content, Samples, Section
from lambda_dyno.report.tables import Column, Table, row_of

_ROWS_MAX = 30  # the others are in result.json


def _content(result: RunResult) -> Content | None:
    table = requests_table(result.load)
    if table is None and not any(load.timeline for load in result.load):
        return None
    return Content(table=table)


def _terminal(result: RunResult) -> Content | None:
    table = requests_table(result.load)
    return Content(table=table) if table else None


def _spec(result: RunResult, _: Samples, size: Size) -> Spec | None:
    return load_time_spec(result.load, size)


def requests_table(loads: tuple[LoadResult, ...]) -> Table | None:
    """Return what each request took at each size; None unless there are several requests."""
    shown = [load for load in loads if load.by_request]
    names = list(dict.fromkeys(one.name for load in shown for one in load.by_request))
    if len(names) < 2:
        return None
    slowest = sorted(names, key=lambda name: -_p95_ms(shown[-1], name))
    kept = set(slowest[:_ROWS_MAX])
    by_size = [{one.name: one for one in load.by_request} for load in shown]
    columns = [Column("Request", numeric=False), Column("Requests")]
    for load in shown:
        columns += [Column(f"p50 at {load.memory_mb} MB", "ms", detail=True)]
        columns += [Column(f"p95 at {load.memory_mb} MB", "ms")]
    columns += [Column("Max", "ms"), Column("Errors")]
    rows = tuple(
        row_of(name, *_cells([found.get(name) for found in by_size]), key=name)
        for name in names
        if name in kept
    )
    more = len(names) - len(rows)
    notes = (f"{more} requests that are faster are left out.",) if more > 0 else ()
    return Table("Requests under load", tuple(columns), rows, notes)


def _p95_ms(load: LoadResult, name: str) -> float:
    return next((one.p95_ms or 0.0 for one in load.by_request if one.name == name), 0.0)


def _cells(found: list[RequestLoad | None]) -> list[str]:
    known = [one for one in found if one is not None]
    cells = [formatting.integer(sum(one.requests for one in known))]
    for one in found:
        figures = (None, None) if one is None else (one.p50_ms, one.p95_ms)
        cells += map(formatting.milliseconds, figures)
    longest = max((one.max_ms for one in known if one.max_ms is not None), default=None)
    errors = sum(one.errors for one in known)
    return [*cells, formatting.milliseconds(longest), formatting.integer(errors)]


SECTION = Section(
    key="requests",
    title="Under load, request by request",
    place=42,
    rank=7,
    content=_content,
    chart=Chart("load-time", "Rate, latency and errors over time", _spec),
    terminal_place=42,
    terminal=_terminal,
    folded=True,
)
