"""What was measured at each power value as a table for other programs: power_values.csv."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from lambda_dyno.core.results import DurationStats, PowerDetail, TuningResult

NAME = "power_values.csv"
_DURATIONS = tuple(field.name for field in fields(DurationStats) if field.name != "ci95")


def to_csv(tuning: TuningResult) -> str:
    """Return a line for each power value, ascending; a figure that is not known is empty.

    The column `cost_usd` is an invocation's price; in regions of China it is `cost_cny`. Low and
    high are the ends of 95 % intervals, of warm invocations.
    """
    text = io.StringIO()
    rows = [dict(_columns(tuning, detail)) for detail in tuning.details]
    written = csv.DictWriter(text, rows[0] if rows else ["power_mb"], lineterminator="\n")
    written.writeheader()
    written.writerows(rows)
    return text.getvalue()


def _columns(tuning: TuningResult, detail: PowerDetail) -> Iterator[tuple[str, Any]]:
    durations = detail.duration_ms
    yield "power_mb", detail.power
    yield "count", detail.count
    for name in _DURATIONS:
        yield f"{name}_ms", "" if durations is None else getattr(durations, name)
    yield "ci95_low_ms", "" if durations is None else durations.ci95[0]
    yield "ci95_high_ms", "" if durations is None else durations.ci95[1]
    low, high = detail.duration_interval_ms or ("", "")
    yield "duration_low_ms", low
    yield "duration_high_ms", high
    yield "billed_mean_ms", _or_empty(detail.billed_ms_mean)
    cost = f"cost_{tuning.currency.lower()}"
    least, most = detail.cost_interval_usd or ("", "")
    yield cost, _or_empty(detail.cost_usd)
    yield f"{cost}_low", least
    yield f"{cost}_high", most
    yield "cold_starts", detail.cold_starts
    yield "errors", detail.errors
    yield "retries", detail.retries
    yield "max_memory_used_mb", _or_empty(detail.max_memory_used_mb)
    yield "current", int(detail.power == tuning.current_power)
    yield "recommended", int(detail.power == tuning.power)
    # no spreadsheet is to take it for a formula
    yield "excluded", re.sub(r"^(?=[=+@\t\r-])", "'", detail.excluded)


def _or_empty(value: float | None) -> float | str:
    return "" if value is None else value
