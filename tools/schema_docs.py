"""The tables of the history for people, made of `history.schema`."""

from __future__ import annotations

from lambda_dyno.history.schema import TABLES, Table

BEGIN = "<!-- schema: begin (make docs) -->"
END = "<!-- schema: end -->"


def tables() -> str:
    """Return each table with its columns as Markdown, `runs` first."""
    return "\n\n".join(map(_table, (TABLES[-1], *TABLES[:-1])))


def _table(table: Table) -> str:
    rows = [f"| `{c.name}` | {c.type} | {c.meaning} |" for c in table.columns]
    heads = ("| column | type | what |", "|---|---|---|")
    return "\n".join((f"### `{table.name}`", "", table.meaning, "", *heads, *rows))
