"""What a query answers, as text, JSON and CSV. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from lambda_dyno.core import formatting
from lambda_dyno.core.errors import brief
from lambda_dyno.history.queries import Answer

_MOST_OF_A_CELL = 60
# Excel and others take such a text for a formula, and run it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_json(answer: Answer) -> list[dict[str, Any]]:
    """Return the rows for programs: times as ISO 8601 in UTC."""
    return [
        {name: _plain(value) for name, value in zip(answer.columns, row, strict=True)}
        for row in answer.rows
    ]


def as_csv(answer: Answer) -> str:
    """Return the rows as CSV with a header; a text that a spreadsheet would run gets a ' before."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(answer.columns)
    for row in answer.rows:
        writer.writerow([_harmless(_plain(value)) for value in row])
    return out.getvalue()


def lines(answer: Answer, width: int) -> Iterator[str]:
    """Yield the rows for people: a table where there is room, else a block for each row.

    Args:
        answer: What was answered.
        width: Of the terminal, in columns.
    """
    if not answer.rows:
        yield "No rows."
        return
    cells = [[_shown(value) for value in row] for row in answer.rows]
    sizes = [
        max(len(name), *(len(row[at]) for row in cells)) for at, name in enumerate(answer.columns)
    ]
    if sum(sizes) + 2 * (len(sizes) - 1) <= width:
        numeric = [
            all(isinstance(row[at], int | float) for row in answer.rows) for at in range(len(sizes))
        ]
        for line in (answer.columns, *cells):
            padded = (
                text.rjust(size) if right else text.ljust(size)
                for text, size, right in zip(line, sizes, numeric, strict=True)
            )
            yield "  ".join(padded).rstrip()
        return
    longest = max(map(len, answer.columns))
    for number, row in enumerate(cells):
        if number:
            yield ""
        for name, text in zip(answer.columns, row, strict=True):
            yield from formatting.wrapped(f"{name:<{longest}}  {text}", width, "")


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _shown(value: Any) -> str:
    match value:
        case None:
            return formatting.MISSING
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case float():
            return f"{value:.6g}"
        case _:
            return brief(str(value), most=_MOST_OF_A_CELL)
