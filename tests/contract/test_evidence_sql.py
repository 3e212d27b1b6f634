"""The named queries in both dialects: one text that Athena and DuckDB understand alike.

No Athena is here, so what it understands is judged by sqlglot's grammar of it, and by a list of
functions that docs/evidence-queries.md names, each with the same meaning in both engines.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import botocore.session
import pytest
import sqlglot
from botocore.validate import ParamValidator
from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.tokens import Tokenizer, TokenType

from lambda_dyno.history import queries
from lambda_dyno.history.schema import TABLES
from tools import evidence_docs

pytestmark = pytest.mark.contract

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "evidence-queries.md").read_text(encoding="utf-8")
COMMON = set(re.findall(r"^\| `([a-z_0-9]+)\(", PAGE, re.M))
QUERIES = list(queries.named().values())
SCHEMA = {table.name: dict(queries.columns_of(table)) for table in TABLES}
# Words before a parenthesis that are no functions.
_WORDS = {
    "and",
    "as",
    "by",
    "cast",
    "filter",
    "from",
    "in",
    "not",
    "on",
    "or",
    "over",
    "values",
    "where",
}
_DIALECTS = ("athena", "duckdb")
# a time in one and a day in the other, so that it must become a day
_WEEK = re.compile(r"CAST\(CAST\((DATE_TRUNC\([^()]*\)) AS TIMESTAMP\) AS DATE\)")

every_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)


def functions(text: str) -> set[str]:
    """Return the names that a text calls, as it spells them."""
    tokens = Tokenizer().tokenize(text)
    called = {a.text.lower() for a, b in pairwise(tokens) if b.token_type is TokenType.L_PAREN}
    return {name for name in called if re.fullmatch(r"[a-z_]\w*", name)} - _WORDS


def told(text: str) -> list[str]:
    """Return what is wrong with a query, in words."""
    trees = {dialect: sqlglot.parse(text, read=dialect) for dialect in _DIALECTS}
    if any(len(found) != 1 or not isinstance(found[0], exp.Select) for found in trees.values()):
        return ["not one SELECT"]
    wrong = [f"{name}() is not in the list" for name in sorted(functions(text) - COMMON)]
    typed = {
        dialect: annotate_types(
            qualify(found[0], schema=SCHEMA, dialect=dialect), schema=SCHEMA, dialect=dialect
        )
        for dialect, found in trees.items()
    }
    for written in _DIALECTS:
        meant = {
            _WEEK.sub(r"CAST(\1 AS DATE)", tree.sql(dialect=written)) for tree in typed.values()
        }
        if len(meant) > 1:
            wrong.append(f"the dialects differ, in {written}: {' / '.join(sorted(meant))}")
    wrong += [
        f"{each.sql()} divides whole numbers, which Athena rounds"
        for each in typed["athena"].find_all(exp.Div)
        if not any(side.is_type(exp.DataType.Type.DOUBLE) for side in (each.left, each.right))
    ]
    return wrong


@every_query
def test_a_query_means_the_same_in_both_dialects(query: queries.Query) -> None:
    """By both grammars, with functions of the list, on columns that there are."""
    assert told(query.text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT approx_percentile(p95_ms, 0.5) FROM runs", "approx_percentile() is not in"),
        ("SELECT date_diff('day', started_at, recorded_at) FROM runs", "date_diff() is not in"),
        ("SELECT list(p95_ms) FROM runs", "list() is not in the list"),
        ("SELECT memory_mb / recommended_mb FROM runs", "divides whole numbers"),
        ("SELECT date_trunc('week', started_at) AS week FROM runs", "the dialects differ"),
        ("SELECT 1; SELECT 2", "not one SELECT"),
        ("DELETE FROM runs", "not one SELECT"),
        ("SELECT run_s / 60 FROM runs", None),
        ("SELECT CAST(count(*) AS DOUBLE) / count(*) FROM runs", None),
    ],
)
def test_what_differs_is_found(text: str, said: str | None) -> None:
    """Else the test above would prove nothing."""
    found = told(text)
    assert said in " ".join(found) if said else found == []


@pytest.mark.parametrize(
    "text", ["SELECT nothing FROM runs", "SELECT r.run_id FROM runs", "SELECT nosuch.x FROM runs"]
)
def test_a_column_that_is_not_there_is_found(text: str) -> None:
    """By the schema of the history."""
    with pytest.raises(sqlglot.errors.OptimizeError):
        told(text)


@every_query
def test_a_query_begins_with_what_it_answers_and_with_the_records_that_count(
    query: queries.Query,
) -> None:
    """The same in all of them."""
    first, _, rest = query.text.partition("\n")
    assert re.fullmatch(r"-- [A-Zp].{20,120}\.", first)
    of_another = QUERIES[0].text.partition("\n")[2]
    end = of_another.index("place = 1\n)")
    assert rest.startswith(of_another[:end])
    assert query.text.isascii() and query.text.endswith("\n")


def test_every_function_of_the_list_is_used_by_a_query() -> None:
    """What nobody needs, nobody has compared."""
    assert set().union(*(functions(query.text) for query in QUERIES)) == COMMON


def test_glues_columns_and_snowflakes_tables_are_those_of_the_schema() -> None:
    """`make docs` writes both."""
    columns = PROJECT / "modules" / "evidence_queries" / "columns.json"
    assert columns.read_text(encoding="utf-8") == evidence_docs.columns_json()
    made = json.loads(columns.read_text(encoding="utf-8"))
    assert set(made) == {table.name for table in TABLES}
    for table in made.values():
        assert all(len(column["comment"]) <= 255 for column in table["columns"])
        assert len(table["description"]) <= 2048
        assert queries.STORE_ENV not in {column["name"] for column in table["columns"]}
    assert evidence_docs.snowflake() in PAGE


def blocks(language: str) -> list[str]:
    """Return the code blocks of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


def test_snowflakes_statements_are_some_in_its_own_grammar() -> None:
    """Each of them; nothing of it was run there."""
    statements = [each for text in blocks("sql") for each in sqlglot.parse(text, read="snowflake")]
    made = [each for each in statements if isinstance(each, exp.Create)]
    assert len(made) == len(statements) == 2 + len(TABLES)


@every_query
def test_a_query_has_a_snowflake_text(query: queries.Query) -> None:
    """Which sqlglot reads again."""
    (text,) = sqlglot.transpile(query.text, read="athena", write="snowflake")
    assert "FILTER" not in text.upper()
    assert len(sqlglot.parse(text, read="snowflake")) == 1


def test_quicksights_requests_are_some() -> None:
    """By the service's own model: names, types and what is required."""
    model = botocore.session.get_session().get_service_model("quicksight")
    found = {}
    for text in blocks("json"):
        request = json.loads(text)
        name = "CreateDataSource" if "DataSourceId" in request else "CreateDataSet"
        shape = model.operation_model(name).input_shape
        report = ParamValidator().validate(request, shape)
        assert not report.has_errors(), report.generate_report()
        found[name] = request
    assert set(found) == {"CreateDataSource", "CreateDataSet"}
