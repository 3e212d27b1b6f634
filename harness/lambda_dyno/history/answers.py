"""What a query answers, as text, JSON and CSV. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from lambda_dyno.core import formatting
from lambda_dyno.core.errors import brief
from lambda_dyno.history.queries import Answer

_MOST_OF_A_CELL = 60
_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
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

    What is the same in all rows is said once, before them.

    Args:
        answer: What was answered.
        width: Of the terminal, in columns.
    """
    if not answer.rows:
        yield "No rows."
        return
    cells = [[_shown(value) for value in row] for row in answer.rows]
    columns = [_Column(name, [row[at] for row in cells]) for at, name in enumerate(answer.columns)]
    if len(cells) > 1:
        same = [column for column in columns if len({*column.cells}) == 1]
        columns = [column for column in columns if column not in same] or columns
        if same:
            text = ", ".join(f"{column.name} {column.cells[0]}" for column in same)
            yield from formatting.wrapped(f"All: {text}", width)
    if sum(column.width + 2 for column in columns) - 2 <= width:
        yield "  ".join(column.name.ljust(column.width) for column in columns).rstrip()
        for row in range(len(cells)):
            yield "  ".join(column.cells[row].ljust(column.width) for column in columns).rstrip()
        return
    longest = max(len(column.name) for column in columns)
    for row in range(len(cells)):
        yield ""
        for column in columns:
            text = f"{column.name:<{longest}}  {column.cells[row]}"
            yield from formatting.wrapped(text, width)


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    cells: list[str]

    @property
    def width(self) -> int:
        return max(len(self.name), *map(len, self.cells))


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
        case str() if _COMMIT.fullmatch(value):
            return value[:9]
        case _:
            return brief(str(value), most=_MOST_OF_A_CELL)
