"""What is made of `history.schema` for other engines: Glue's columns, and Snowflake's tables."""

from __future__ import annotations

import json

from lambda_dyno.history.queries import STORE_ENV
from lambda_dyno.history.schema import TABLES, SqlType, Table

BEGIN = "<!-- snowflake: begin (make docs) -->"
END = "<!-- snowflake: end -->"

_OF_GLUE: dict[SqlType, str] = {
    "VARCHAR": "string",
    "DOUBLE": "double",
    "BIGINT": "bigint",
    "BOOLEAN": "boolean",
    "TIMESTAMP": "timestamp",
}
_OF_SNOWFLAKE: dict[SqlType, str] = {
    "VARCHAR": "VARCHAR",
    "DOUBLE": "DOUBLE",
    "BIGINT": "BIGINT",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMP_NTZ",
}
# ENV/main/rows/v1/TABLE/FILE: the environment is the sixth from the end
_ENV_OF_KEY = "SPLIT_PART(METADATA$FILENAME, '/', -6)"


def columns_json() -> str:
    """Return the tables for modules/evidence_queries, as its columns.json has them."""
    made = {
        table.name: {
            "description": table.meaning,
            "columns": [
                {"name": c.name, "type": _OF_GLUE[c.type], "comment": c.meaning}
                for c in table.columns
            ],
        }
        for table in TABLES
    }
    return json.dumps(made, indent=2) + "\n"


def snowflake() -> str:
    """Return the external tables as Markdown."""
    return "```sql\n" + "\n\n".join(map(_external_table, TABLES)) + "\n```"


def _external_table(table: Table) -> str:
    columns = [f"  {STORE_ENV} VARCHAR AS ({_ENV_OF_KEY})"]
    for column in table.columns:
        kind = _OF_SNOWFLAKE[column.type]
        columns.append(f"  {column.name} {kind} AS (VALUE:{column.name}::{kind})")
    return "\n".join(
        (
            f"CREATE EXTERNAL TABLE {table.name} (",
            ",\n".join(columns),
            ")",
            f"LOCATION = @dyno_evidence/{table.name}/",
            "FILE_FORMAT = (TYPE = PARQUET)",
            "AUTO_REFRESH = FALSE;",
        )
    )
