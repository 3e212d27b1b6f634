"""SQL over the history: the named queries, and how one text is asked of a folder of this machine.

`modules/evidence_queries/queries` has one file for each query. Athena runs its text over a bucket,
DuckDB here over the rows of a store, in tables of the same names. Rows are read and checked as all
others are (`store`), and only then put where the query runs: a connection that reaches no file, so
that no text, whoever's it is, can read or write anything but these rows in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_dyno.core import assets
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.reading import read_text
from lambda_dyno.history import engine
from lambda_dyno.history.schema import RUNS, TABLES, Row, SqlType, Table
from lambda_dyno.history.store import Store

# In Athena the partition key: where a row lies. Here it is what the row's run says.
STORE_ENV = "store_env"
_SUFFIX = ".sql"
_MOST_BYTES = 100_000  # of a file with a query


@dataclass(frozen=True, slots=True)
class Query:
    """A query.

    Attributes:
        name: By which it is asked for.
        answers: What it answers, in a sentence.
        text: SQL.
    """

    name: str
    answers: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query answers.

    Attributes:
        columns: Their names.
        rows: Values in that order.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def folder() -> Path:
    """Return the folder of the named queries."""
    return assets.root() / "modules" / "evidence_queries" / "queries"


def named() -> dict[str, Query]:
    """Return the named queries, by name, in alphabetical order."""
    return {path.stem: _query(path.stem, path) for path in sorted(folder().glob(f"*{_SUFFIX}"))}


def find(name: str) -> Query:
    """Return a named query.

    Raises:
        UserError: There is none of this name.
    """
    every = named()
    if name not in every:
        raise UserError(f"{brief(name)}: no query of this name; there are {', '.join(every)}")
    return every[name]


def of_file(path: Path) -> Query:
    """Return the query of a file.

    Raises:
        UserError: It cannot be read, or is too long.
    """
    return Query(path.stem, "", read_text(path, most_bytes=_MOST_BYTES))


def _query(name: str, path: Path) -> Query:
    text = path.read_text(encoding="utf-8")
    return Query(name, text.partition("\n")[0].removeprefix("-- "), text)


def ask(store: Store, query: Query) -> Answer:
    """Ask a query of the records of a store.

    Raises:
        UserError: DuckDB is not installed, there is no run, or the query is none, or fails.
    """
    wanted = tables_of(query)
    runs = store.runs()
    if not runs:
        raise UserError(f"{store.path}: no run. Each run adds one: make tune, dyno tune")
    environments = {row["record_id"]: row["env"] for row in runs}
    tables = {}
    for name in wanted:
        table = _TABLES[name]
        found = _rows(store, table, query, runs, list(environments))
        tables[name] = [
            {**row, STORE_ENV: environments[row["record_id"]]}
            for row in found
            if row["record_id"] in environments
        ]
    return answer(query, tables)


def _rows(
    store: Store, table: Table, query: Query, runs: Sequence[Row], record_ids: Sequence[str]
) -> Iterable[Row]:
    """Return the rows of a table; those of `runs` are read again only for what the pack lacks."""
    if table is RUNS and "settings_json" not in query.text:
        return runs
    return store.rows(table, record_ids)


_TABLES = {table.name: table for table in TABLES}


def tables_of(query: Query) -> list[str]:
    """Return which tables of ours a query reads.

    Raises:
        UserError: It is not one SELECT.
    """
    duckdb = engine.load()
    with engine.sealed() as connection:
        try:
            statements = connection.extract_statements(query.text)
            if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                raise UserError(f"{brief(query.name)}: must be one SELECT, and nothing else")
            return sorted(_TABLES.keys() & connection.get_table_names(query.text))
        except duckdb.Error as error:
            raise _refusal(query, error) from error


def answer(query: Query, tables: Mapping[str, Sequence[Row]]) -> Answer:
    """Ask a query of rows.

    Args:
        query: The query, one SELECT.
        tables: Rows of our tables by name, with `store_env`; those that lack are not there.

    Raises:
        UserError: It fails.
    """
    duckdb = engine.load()
    with engine.sealed() as connection:
        for name, rows in tables.items():
            engine.fill(connection, name, columns_of(_TABLES[name]), rows)
        try:
            found = connection.execute(query.text)
            columns = tuple(str(column[0]) for column in found.description or ())
            return Answer(columns, tuple(tuple(row) for row in found.fetchall()))
        except duckdb.Error as error:
            raise _refusal(query, error) from error


def columns_of(table: Table) -> dict[str, SqlType]:
    """Return the columns of a table as queries see it, types by name."""
    return {**{column.name: column.type for column in table.columns}, STORE_ENV: "VARCHAR"}


def _refusal(query: Query, error: Exception) -> UserError:
    said = " ".join(str(error).partition("\n")[0].split())
    return UserError(f"{brief(query.name)}: {brief(said, most=300)}")
