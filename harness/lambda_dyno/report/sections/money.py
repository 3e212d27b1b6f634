"""What the function costs a month, what the recommendation saves, and what the run cost."""

from __future__ import annotations

import json

from lambda_dyno.core import formatting
from lambda_dyno.core.results import Amount, Money, RunResult, TuningResult
from lambda_dyno.money import words
from lambda_dyno.report.section import Content, Section
from lambda_dyno.report.tables import Cell, Column, Row, Table


def _content(result: RunResult) -> Content | None:
    return _of(result, slider=True)


def _terminal(result: RunResult) -> Content | None:
    return _of(result, slider=False)


def _of(result: RunResult, *, slider: bool) -> Content | None:
    tuning, money = result.tuning, result.money
    if tuning is None or money is None or money.size(tuning.power) is None:
        return None
    cost = words.of_run(money, embedded=result.on_embedded_aws)
    return Content(
        table=money_table(money, tuning),
        facts=tuple(filter(None, (*words.basis(money), cost))),
        page_data=_for_the_slider(money, tuning) if slider else "",
    )


def money_table(money: Money, tuning: TuningResult) -> Table:
    """Return what a month costs now and at the recommended size, at one's own traffic or at three.

    Each amount has its interval.
    """
    sizes = list(dict.fromkeys((tuning.current_power, tuning.power)))
    shown = [size for mb in sizes if (size := money.size(mb)) is not None]
    known = None if money.traffic is None else money.traffic.invocations_per_month
    counts = words.USUAL_TRAFFIC if known is None else (known,)
    saved = shown[-1].saved_usd
    columns = [
        Column("Invocations a month"),
        *(Column(f"{size.memory_mb} MB", money.currency) for size in shown),
    ]
    if saved is not None:
        columns.append(Column("Saved", money.currency))
    if money.api_usd is not None:
        columns.append(Column(f"{money.api} API", money.currency))
    rows = []
    for count in counts:
        cells = [Cell(words.invocations(count))]
        cells += [_amount(words.bill(money, size).times(count)) for size in shown]
        if saved is not None:
            cells.append(_amount(saved.times(count)))
        if money.api_usd is not None:
            cells.append(Cell(formatting.usd(money.api_usd * count)))
        rows.append(Row(tuple(cells), key=f"{count:.0f}"))
    return Table("Money a month", tuple(columns), tuple(rows), name="money", is_titled=True)


def _amount(value: Amount) -> Cell:
    ends = (formatting.usd(end).replace("-", "−") for end in (value.middle, value.low, value.high))
    middle, low, high = ends
    return Cell(middle, interval="" if low == high else f"{low} to {high}")


def _for_the_slider(money: Money, tuning: TuningResult) -> str:
    """Return what the page's script reckons with, of one invocation."""
    sizes = [size for mb in (tuning.current_power, tuning.power) if (size := money.size(mb))]
    saved = sizes[-1].saved_usd
    count, _ = words.traffic_of(money)
    content = {
        "currency": money.currency,
        "count": count,
        "api": money.api_usd,
        "sizes": [[size.memory_mb, words.bill(money, size).middle] for size in sizes],
        "saved": None if saved is None else [saved.middle, saved.low, saved.high],
    }
    return json.dumps(content, separators=(",", ":"))


SECTION = Section(
    key="money",
    title="Money",
    place=15,
    rank=5,
    content=_content,
    terminal_place=15,
    terminal=_terminal,
)
