"""The tables of a run, as text cells: one place for terminal, HTML and Markdown alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lambda_dyno.core import formatting


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
    interval: str = ""  # its 95 % interval, where there is room


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
    name: str = ""  # what the page's script finds it by
    wraps: bool = False  # whether its cells hold texts, which a page may break
    intervals: bool = False  # whether a terminal has room for those of its cells
    is_titled: bool = False  # whether its section's title says what its caption does

    @property
    def marked(self) -> bool:
        """Whether any row has a mark."""
        return any(row.marks for row in self.rows)

    def brief(self) -> Table:
        """Return the table without its detail columns."""
        keep = [index for index, column in enumerate(self.columns) if not column.detail]
        return self.columns_at(keep)

    def columns_at(self, keep: Sequence[int]) -> Table:
        """Return the table with these of its columns."""
        rows = (replace(row, cells=tuple(row.cells[i] for i in keep)) for row in self.rows)
        columns = tuple(self.columns[i] for i in keep)
        return replace(self, columns=columns, rows=tuple(rows))


def row_of(*texts: str, key: str = "") -> Row:
    """Return a row of plain cells."""
    return Row(tuple(map(Cell, texts)), key=key)


def timings_table(timings: dict[str, float]) -> Table | None:
    """Return the time of each step and their sum, or None without steps.

    A row's key is its step's share of the longest one, in per cent.
    """
    if not timings:
        return None
    longest = max(timings.values()) or 1.0
    rows = [
        row_of(step, formatting.seconds(time_s), key=f"{100 * time_s / longest:.1f}")
        for step, time_s in timings.items()
    ]
    rows.append(row_of("all steps", formatting.seconds(sum(timings.values()))))
    return Table("Time per step", (Column("Step", numeric=False), Column("Time")), tuple(rows))


def pairs_table(caption: str, content: dict[str, Any]) -> Table | None:
    """Return nested settings or outputs as dotted keys and values, or None if empty."""
    rows = tuple(row_of(key, value) for key, value in _flattened(content))
    columns = (Column("Key", numeric=False), Column("Value", numeric=False))
    return Table(caption, columns, rows, wraps=True) if rows else None


def _flattened(content: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Yield the leaves of nested mappings as dotted keys and text."""
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from _flattened(value, f"{prefix}{key}.")
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
