"""What each request of the workload takes: its share in duration and cost, and which decides."""

from __future__ import annotations

from collections.abc import Sequence

from lambda_dyno.core import formatting
from lambda_dyno.core.results import PowerDetail, RequestDetail, RunResult, TuningResult
from lambda_dyno.report.section import Content, Section
from lambda_dyno.report.tables import Column, Table, row_of

_ROWS_MAX = 15  # the others are in result.json


def _content(result: RunResult) -> Content | None:
    tuning = result.tuning
    table = None if tuning is None else workload_table(tuning)
    if tuning is None or table is None:
        return None
    return Content(
        table=table,
        sentence=sentence(tuning),
        page_note=(
            "Measured by the requests of one iteration of the load test, in its order and "
            "proportions, after one that warms up; values that it makes anew are made anew."
        ),
    )


def sentence(tuning: TuningResult) -> str:
    """Return which request decides: the one with the largest share of the cost."""
    detail = _at(tuning, tuning.power)
    if detail is None or len(detail.requests) < 2:
        return ""
    shares = _shares([one.count * one.cost_usd for one in detail.requests])
    largest, request = max(zip(shares, detail.requests, strict=True), key=lambda pair: pair[0])
    even = 1 / len(detail.requests)
    if largest < 1.5 * even:
        return (
            f"No request decides alone: the one that costs most, {request.name}, has "
            f"{formatting.percent(largest)} of the cost at {detail.power} MB."
        )
    return (
        f"{request.name} decides: {formatting.percent(largest)} of the cost at {detail.power} MB."
    )


def workload_table(tuning: TuningResult) -> Table | None:
    """Return a table of the workload's requests; None where there is one alone, or a payload."""
    now, best = _at(tuning, tuning.current_power), _at(tuning, tuning.power)
    shown = [detail for detail in (now, best) if detail is not None and detail.requests]
    if not shown:
        return None
    if shown[0] is shown[-1]:
        shown = shown[:1]
    if len(shown[-1].requests) < 2:
        return None
    last = {request.name: request for request in shown[-1].requests}
    names = list(last)
    dearest = sorted(names, key=lambda name: -last[name].count * last[name].cost_usd)
    left_out = dearest[_ROWS_MAX:]
    durations = [{one.name: one for one in detail.requests} for detail in shown]
    counts = _shares([last[name].count for name in names])
    time = _shares([last[name].count * last[name].trimmed_mean for name in names])
    cost = _shares([last[name].count * last[name].cost_usd for name in names])
    rows = tuple(
        row_of(
            name,
            formatting.percent(counts[index]),
            *(_milliseconds(by_name.get(name)) for by_name in durations),
            formatting.percent(time[index]),
            formatting.percent(cost[index]),
        )
        for index, name in enumerate(names)
        if name not in left_out
    )
    notes = (f"{len(left_out)} requests that cost less are left out.",) if left_out else ()
    columns = (
        Column("Request", numeric=False),
        Column("Calls"),
        *(Column(f"{detail.power} MB", "ms") for detail in shown),
        Column("Of duration"),
        Column("Of cost"),
    )
    return Table(f"Workload, shares at {shown[-1].power} MB", columns, rows, notes)


def _at(tuning: TuningResult, power: int) -> PowerDetail | None:
    detail = tuning.detail(power)
    return detail if detail is not None and detail.requests else None


def _milliseconds(request: RequestDetail | None) -> str:
    return formatting.milliseconds(None if request is None else request.trimmed_mean)


def _shares(values: Sequence[float]) -> list[float]:
    total = sum(values)
    return [value / total if total else 0.0 for value in values]


SECTION = Section(
    key="workload",
    title="What is asked",
    place=50,
    rank=6,
    content=_content,
    terminal_place=35,
    folded=True,
)
