"""Queries over a store: what they see, what they may not reach, and how answers are shown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.history import answers, engine, queries
from lambda_dyno.history.queries import Answer, Query
from lambda_dyno.history.schema import TABLES
from lambda_dyno.history.store import Store
from tools.history_simulation import synthetic

RUNS = 16


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the history of some runs."""
    folder = tmp_path_factory.mktemp("store")
    synthetic.write(folder, RUNS)
    return folder


@pytest.fixture
def said() -> list[str]:
    """What was said to whoever reads."""
    return []


@pytest.fixture
def store(place: Path, said: list[str]) -> Iterator[Store]:
    """The history; nothing in it cannot be read."""
    yield Store(place, said.append)
    assert said == []


def of(text: str) -> Query:
    """A query of somebody's own."""
    return Query("mine", "", text)


def test_the_named_queries_say_what_they_answer() -> None:
    """Each in a sentence, by a name that is a file's."""
    named = queries.named()
    assert list(named) == [
        *("best-size", "p95-by-commit", "regressions", "runs-a-week", "savings-not-taken"),
    ]
    for name, query in named.items():
        assert queries.find(name) == query
        assert query.answers.endswith(".") and not query.answers.startswith("-")


@pytest.mark.parametrize("name", ["", "../best-size", "best_size", "best-size.sql", "a\nb"])
def test_another_name_is_refused_with_those_that_there_are(name: str) -> None:
    """And never becomes a path."""
    with pytest.raises(UserError, match="no query of this name; there are best-size, p95") as no:
        queries.find(name)
    assert "\n" not in str(no.value)


@pytest.mark.parametrize("name", ["best-size", "p95-by-commit", "runs-a-week"])
def test_named_queries_answer(store: Store, name: str) -> None:
    """Of made-up runs."""
    found = queries.ask(store, queries.find(name))
    assert found.columns[:2] == ("store_env", "is_embedded")
    assert found.rows
    assert len(set(found.columns)) == len(found.columns)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_each_table_is_there_with_its_columns(store: Store, table: queries.Table) -> None:
    """And with where a row lies: here, what its run says."""
    found = queries.ask(store, of(f"SELECT * FROM {table.name}"))
    assert found.columns == (*(column.name for column in table.columns), "store_env")
    if table.name in ("runs", "tunings"):
        assert len(found.rows) == RUNS * (5 if table.name == "tunings" else 1)
        assert {row[-1] for row in found.rows} == {"dev", "prod"}


def test_a_row_counts_with_its_record_alone(place: Path, store: Store) -> None:
    """As everywhere: a record without its row in `runs` is what a killed writer leaves."""
    count = of("SELECT count(*) FROM tunings")
    whole = queries.ask(store, count).rows[0][0]
    (gone, *_) = sorted((place / "v1" / "runs").iterdir())
    kept = gone.read_bytes()
    gone.unlink()
    try:
        assert queries.ask(store, count).rows[0][0] == whole - 5
    finally:
        gone.write_bytes(kept)


ATTACKS = (
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM read_parquet('{store}/v1/runs/*.parquet')",
    "SELECT * FROM glob('{store}/**')",
    "SELECT getenv('HOME')",
    "SELECT * FROM query('COPY (SELECT 1) TO ''{written}''')",
    "SELECT * FROM tables",
    "SELECT * FROM found",
    "COPY (SELECT 1) TO '{written}'",
    "COPY runs TO '{store}/v1/runs/x.parquet'",
    "EXPORT DATABASE '{written}'",
    "ATTACH '{written}' AS other",
    "CREATE TABLE mine AS SELECT 1",
    "INSERT INTO runs SELECT * FROM runs",
    "SET enable_external_access = true",
    "CALL pragma_version()",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY (SELECT 1) TO '{written}'",
    "",
    "-- nothing",
    "SELECT",
    "this is no SQL",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_query_reaches_these_rows_and_nothing_else(
    place: Path, store: Store, tmp_path: Path, attack: str
) -> None:
    """No file, not even the store's own; nothing is written; one line says no."""
    secret, written = tmp_path / "secret", tmp_path / "written"
    secret.write_text("secret")
    before = sorted(place.rglob("*"))
    text = attack.format(secret=secret, written=written, store=place)
    with pytest.raises(UserError, match=r"^mine: ") as refused:
        queries.ask(store, of(text))
    assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    assert sorted(place.rglob("*")) == before


def test_nothing_can_be_configured_where_queries_run() -> None:
    """By whichever statement: the connection is locked, too."""
    rows = [(1,)]
    for statement in (
        "SELECT * FROM rows",
        "SET threads = 1",
        "SET allowed_directories = ['/']",
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY (SELECT 1) TO '/tmp/dyno-written'",
    ):
        with engine.sealed() as connection, pytest.raises(duckdb.Error):
            connection.execute(statement)
    assert rows == [(1,)]


def test_no_runs_are_said_so(tmp_path: Path) -> None:
    """A folder that is not there has none."""
    with pytest.raises(UserError, match=r"no run\. Each run adds one"):
        queries.ask(Store(tmp_path / "none", print), of("SELECT * FROM runs"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "mine.sql: not UTF-8"),
        (b"-" * 100_001, "mine.sql: longer than 100,000 bytes"),
        (None, "mine.sql: cannot be read: No such file"),
    ],
)
def test_a_file_that_is_no_query_is_refused(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    """Before anything is asked."""
    path = tmp_path / "mine.sql"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        queries.of_file(path)


ANSWER = Answer(
    ("name", "at", "day", "figure", "flag", "none"),
    (
        (
            "=1+1",
            datetime(2026, 12, 1, 10, tzinfo=UTC).replace(tzinfo=None),
            date(2026, 11, 30),
            *(1.25, True, None),
        ),
        ("a\x1b[31mb\nc", None, None, -2.0, False, None),
    ),
)


def test_programs_get_plain_values() -> None:
    """Times as ISO 8601."""
    first, second = answers.as_json(ANSWER)
    assert first == {
        "name": "=1+1",
        "at": "2026-12-01T10:00:00Z",
        "day": "2026-11-30",
        "figure": 1.25,
        "flag": True,
        "none": None,
    }
    assert second["name"] == "a\x1b[31mb\nc"


def test_a_spreadsheet_gets_no_formula_of_others() -> None:
    """A number below 0 stays a number."""
    head, first, second = csv.reader(io.StringIO(answers.as_csv(ANSWER)))
    assert head == list(ANSWER.columns)
    assert first[0] == "'=1+1"
    assert second == ["a\x1b[31mb\nc", "", "", "-2.0", "False", ""]


@pytest.mark.parametrize("width", [200, 40])
def test_people_get_a_table_or_a_block_for_each_row(width: int) -> None:
    """In which nothing colours a terminal, and what is the same is said once."""
    lines = list(answers.lines(ANSWER, width))
    assert all(line.isprintable() for line in lines)
    assert lines[0] == "All: none –"
    assert len(lines) == (4 if width == 200 else 13)
    sha = Answer(("git_sha", "n"), (("0123456789" * 4, 1),))
    assert list(answers.lines(sha, width)) == ["git_sha    n", "012345678  1"]
    assert list(answers.lines(Answer(("a",), ()), width)) == ["No rows."]
