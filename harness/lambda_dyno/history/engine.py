"""DuckDB, as the history uses it: in memory, within one folder, with nothing left to configure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambda_dyno.core.errors import UserError
from lambda_dyno.history.schema import LARGEST, LONGEST, Column, Row, SqlType, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

INSTALL = "pip install 'lambda-dyno[history]'"
_SETTINGS = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET temp_directory = ''",
    "SET memory_limit = '1GB'",
    "SET TimeZone = 'UTC'",
)
# How Parquet says a type: physical type, converted type, and how the logical one begins.
_OF_PARQUET = {
    ("BYTE_ARRAY", "UTF8"): "VARCHAR",
    ("BYTE_ARRAY", "String"): "VARCHAR",
    ("DOUBLE", ""): "DOUBLE",
    ("INT64", ""): "BIGINT",
    ("INT64", "INT_64"): "BIGINT",
    ("INT64", "TIMESTAMP_MICROS"): "TIMESTAMP",
    ("BOOLEAN", ""): "BOOLEAN",
}


def load() -> Any:
    """Return DuckDB.

    Raises:
        UserError: It is not installed.
    """
    try:
        import duckdb
    except ImportError as error:
        raise UserError(f"history needs DuckDB, which is not installed: {INSTALL}") from error
    return duckdb


@contextmanager
def within(folder: Path) -> Iterator[DuckDBPyConnection]:
    """Return a connection that reads and writes below one folder, and nothing else anywhere.

    Raises:
        UserError: DuckDB is not installed.
    """
    with _locked(f"SET allowed_directories = [{_quoted(folder)}]") as connection:
        yield connection


@contextmanager
def sealed() -> Iterator[DuckDBPyConnection]:
    """Return a connection that reaches no file, and no variable of ours, for SQL of anybody's.

    Raises:
        UserError: DuckDB is not installed.
    """
    with _locked("SET python_enable_replacements = false") as connection:
        yield connection


@contextmanager
def _locked(setting: str) -> Iterator[DuckDBPyConnection]:
    with load().connect() as connection:
        for each in (*_SETTINGS, setting):
            connection.execute(each)
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def fill(
    connection: DuckDBPyConnection,
    name: str,
    columns: Mapping[str, SqlType],
    rows: Sequence[Row],
) -> None:
    """Make a table in memory.

    Args:
        connection: Has none of this name.
        name: Of ours, as those of the columns.
        columns: Types by name; what a row lacks is NULL.
        rows: Any number.
    """
    declared = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    connection.execute(f"CREATE TABLE {name} ({declared})")
    if rows:
        values = ", ".join(f"CAST(unnest(?) AS {kind})" for kind in columns.values())
        connection.execute(
            f"INSERT INTO {name} SELECT {values}",
            [[row.get(column) for row in rows] for column in columns],
        )


def write(
    connection: DuckDBPyConnection,
    table: Table,
    rows: Sequence[Row],
    path: Path,
    *,
    durable: bool = True,
) -> None:
    """Write rows into a Parquet file.

    Args:
        connection: That may write there.
        table: Which; a column that a row lacks is NULL.
        rows: At least one.
        path: The file; replaced if it is there.
        durable: Whether it is on the disk then.
    """
    values = ", ".join(f"CAST(unnest(?) AS {c.type}) AS {c.name}" for c in table.columns)
    columns = [[row.get(column.name) for row in rows] for column in table.columns]
    connection.execute(
        f"COPY (SELECT {values}) TO {_quoted(path)}"
        " (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)",
        columns,
    )
    if durable:
        with path.open("rb") as file:
            os.fsync(file.fileno())


def count(connection: DuckDBPyConnection, path: Path) -> int:
    """Return how many rows a file has; 0 if it cannot be read."""
    try:
        found = connection.execute(
            "SELECT num_rows FROM parquet_file_metadata(?)", [[str(path)]]
        ).fetchall()
    except load().Error:
        return 0
    return int(found[0][0])


def read(
    connection: DuckDBPyConnection, table: Table, paths: Sequence[Path]
) -> list[tuple[str, dict[str, Any]]]:
    """Return the rows of files that are what the table declares, each with its file's name.

    Rows with a value that no row of ours has are left out.

    Args:
        connection: That may read there.
        table: Which.
        paths: Files, any number.

    Raises:
        ValueError: A file is not what the table declares.
        duckdb.Error: A file cannot be read.
    """
    if not paths:
        return []
    names = [str(path) for path in paths]
    found = _columns_of(connection, table, names)
    chosen = ", ".join(_chosen(c, found) for c in table.columns)
    sound = " AND ".join(_sound(c) for c in table.columns if c.name in found)
    rows = connection.execute(
        f"SELECT filename, {chosen} "  # noqa: S608 - our columns
        f"FROM read_parquet(?, union_by_name = true, filename = true) WHERE {sound}",
        [names],
    ).fetchall()
    keys = [column.name for column in table.columns]
    stems = {name: Path(name).stem for name in {row[0] for row in rows}}
    return [(stems[row[0]], dict(zip(keys, row[1:], strict=True))) for row in rows]


def _columns_of(connection: DuckDBPyConnection, table: Table, names: list[str]) -> set[str]:
    """Return the table's columns that the files have; further ones are of a later release.

    Raises:
        ValueError: A file has another type, lacks a key, or has more rows than any of ours.
    """
    most = connection.execute(
        "SELECT max(num_rows) FROM parquet_file_metadata(?)", [names]
    ).fetchall()[0][0]
    if most > table.most_rows:
        raise ValueError(f"{most:,} rows where {table.most_rows:,} are the most")
    types = {column.name: column.type for column in table.columns}
    found: dict[str, int] = {}
    for name, physical, converted, logical, count in connection.execute(
        "SELECT name, coalesce(type, ''), coalesce(converted_type, ''), "
        "coalesce(logical_type, ''), count(*) FROM parquet_schema(?) GROUP BY ALL",
        [names],
    ).fetchall():
        if name not in types:
            continue
        kind = _OF_PARQUET.get((physical, converted or logical.partition("Type")[0]))
        if kind != types[name]:
            said = converted or logical or physical or "made of others"
            raise ValueError(f"column {name} is {said}, not {types[name]}")
        found[name] = found.get(name, 0) + count
    lacking = [c.name for c in table.columns if c.is_key and found.get(c.name, 0) < len(names)]
    if lacking:
        raise ValueError(f"no column {lacking[0]}")
    return set(found)


def _chosen(column: Column, found: set[str]) -> str:
    """Return a column as it is read, as SQL: a text is never NULL."""
    if column.name not in found:
        return f"{'NULL' if column.type != 'VARCHAR' else _quoted('')} AS {column.name}"
    if column.type != "VARCHAR":
        return column.name
    return f"coalesce({column.name}, '') AS {column.name}"


def _sound(column: Column) -> str:
    """Return what holds of a column's values in every file of ours, as SQL."""
    name = column.name
    match column.type:
        case "DOUBLE":
            return f"({name} IS NULL OR (isfinite({name}) AND abs({name}) <= {LARGEST}))"
        case "BIGINT":
            return f"({name} IS NULL OR {name} BETWEEN -{LARGEST:.0f} AND {LARGEST:.0f})"
        case "VARCHAR":
            fits = f"length({name}) <= {LONGEST}"
            if column.pattern:
                fits += f" AND regexp_full_match({name}, {_quoted(column.pattern)})"
            return f"({name} IS NULL OR ({fits}))"
        case "TIMESTAMP":
            return f"{name} BETWEEN TIMESTAMP '2000-01-01' AND TIMESTAMP '2200-01-01'"
        case "BOOLEAN":
            return f"{name} IS NOT NULL"


def _quoted(text: str | Path) -> str:
    return "'" + str(text).replace("'", "''") + "'"
