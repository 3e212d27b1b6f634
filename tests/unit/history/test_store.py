"""The store: what is written is read again, and what anybody else put there changes nothing."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.core.results import RunResult
from lambda_dyno.history import engine, store
from lambda_dyno.history.rows import Recording, rows_of
from lambda_dyno.history.schema import RUNS, TABLES, TUNINGS, run_of
from lambda_dyno.history.store import Store
from tests.support import report_samples as samples

NOW = datetime(2026, 12, 1, 10, 0, tzinfo=UTC).replace(tzinfo=None)
RUN = samples.run(regression=samples.regression())


def add(into: Store, number: int = 0, run: RunResult = RUN, mode: str = "run") -> str:
    """Add a record and return its id."""
    record_id = f"{run.run_id}_{mode}_{number:08x}"
    recording = Recording(record_id, mode, NOW, "0.1.0", "main", "123456789012", "us-east-2")
    into.add(record_id, rows_of(run, recording))
    return record_id


@pytest.fixture
def said() -> list[str]:
    """What was said to whoever reads."""
    return []


@pytest.fixture
def kept(tmp_path: Path, said: list[str]) -> Store:
    """An empty store."""
    return Store(tmp_path / "history", said.append)


def file_of(kept: Store, record_id: str, table: str = "runs") -> Path:
    return kept.path / "v1" / table / f"{record_id}.parquet"


def test_what_is_written_is_read_again(kept: Store, said: list[str]) -> None:
    """Each value of each table, NULLs among them."""
    record_id = add(kept)
    recording = Recording(record_id, "run", NOW, "0.1.0", "main", "123456789012", "us-east-2")
    for table in TABLES:
        written = rows_of(RUN, recording)[table.name]
        assert kept.rows(table, [record_id]) == [
            {column.name: row.get(column.name) for column in table.columns} for row in written
        ]
    (row,) = kept.runs()
    assert (row["run_id"], row["function_name"], row["p95_limit_ms"]) == (RUN.run_id, "crud", 250.0)
    assert said == []


def test_an_empty_store_has_no_runs(kept: Store) -> None:
    """And reading makes no folder."""
    assert kept.runs() == []
    assert not kept.path.exists()


def test_a_new_store_is_closed_to_others_and_a_shared_one_stays_shared(kept: Store) -> None:
    """As the folders of runs are; whoever names a folder has made it as it should be."""
    add(kept)
    assert kept.path.stat().st_mode & 0o077 == 0
    kept.path.chmod(0o755)
    add(kept, 1)
    assert kept.path.stat().st_mode & 0o077 == 0o055


def test_a_record_without_its_row_in_runs_does_not_count(kept: Store) -> None:
    """It is what a writer leaves that was killed."""
    file_of(kept, add(kept)).unlink()
    assert kept.runs() == []


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _garbage(path: Path) -> None:
    path.write_bytes(b"PAR1" + os.urandom(3000) + b"PAR1")


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _huge(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(store.MOST_BYTES + 1)


@pytest.mark.parametrize("spoil", [_torn, _empty, _garbage, _link, _pipe, _folder, _huge])
def test_a_spoilt_file_loses_its_record_and_no_other(
    kept: Store, said: list[str], spoil: Callable[[Path], None]
) -> None:
    """What can be opened at all is told in one line."""
    names = [add(kept, number) for number in range(5)]
    spoil(file_of(kept, names[2]))
    assert {row["record_id"] for row in kept.runs()} == {*names} - {names[2]}
    if spoil in (_torn, _empty, _garbage):
        assert len(said) == 1
        assert f"runs/{names[2]}.parquet is left out" in said[0]
        assert "\n" not in said[0]
    kept.rows(RUNS, names)  # and nothing waits, or fails


def forge(path: Path, select: str) -> None:
    """Write a file as somebody else may: the file's own row, with other values."""
    draft = path.with_suffix(".forged")
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select.format(f'{path}')}) TO '{draft}' (FORMAT parquet)")
    draft.replace(path)


FORGED = {
    "another type": "SELECT * REPLACE ('fast' AS duration_ms) FROM '{}'",
    "a list": "SELECT * REPLACE ([duration_ms] AS duration_ms) FROM '{}'",
    "a struct": "SELECT * REPLACE ({{'a': duration_ms}} AS duration_ms) FROM '{}'",
    "too large a number": "SELECT * REPLACE (1e308 AS duration_ms) FROM '{}'",
    "no number": "SELECT * REPLACE ('nan'::DOUBLE AS cost_usd) FROM '{}'",
    "without end": "SELECT * REPLACE ('-infinity'::DOUBLE AS cost_usd) FROM '{}'",
    "a foreign run": "SELECT * REPLACE ('another-run' AS run_id) FROM '{}'",
    "a path for a run": "SELECT * REPLACE ('../../etc' AS run_id) FROM '{}'",
    "a foreign record": "SELECT * REPLACE (run_id || '_run_99999999' AS record_id) FROM '{}'",
    "no run": "SELECT * EXCLUDE (run_id) FROM '{}'",
    "nobody's run": "SELECT * REPLACE (NULL::VARCHAR AS run_id) FROM '{}'",
    "an option for a commit": "SELECT * REPLACE ('--output=x' AS git_sha) FROM '{}'",
    "another outcome": "SELECT * REPLACE ('great' AS outcome) FROM '{}'",
    "no time": "SELECT * REPLACE (NULL::TIMESTAMP AS started_at) FROM '{}'",
    "the end of time": "SELECT * REPLACE ('infinity'::TIMESTAMP AS started_at) FROM '{}'",
    "neither true nor false": "SELECT * REPLACE (NULL::BOOLEAN AS is_embedded) FROM '{}'",
    "an endless text": "SELECT * REPLACE (repeat('x', 300000) AS error) FROM '{}'",
    "two rows": "SELECT * FROM '{0}' UNION ALL SELECT * FROM '{0}'",
    "many rows": "SELECT t.* FROM '{0}' t, range(100000)",
    "no rows": "SELECT * FROM '{}' LIMIT 0",
}


@pytest.mark.parametrize(
    "select",
    [
        # each third of the forms, without forged paths and options, which all are tried
        pytest.param(
            select,
            id=name,
            marks=[] if index % 3 == 0 or " for a " in name else [pytest.mark.slow],
        )
        for index, (name, select) in enumerate(FORGED.items())
    ],
)
def test_a_forged_row_loses_its_record_and_no_other(
    kept: Store, said: list[str], select: str
) -> None:
    """And one line says which."""
    names = [add(kept, number) for number in range(3)]
    before = kept.runs()
    forge(file_of(kept, names[1]), select)
    assert kept.runs() == [row for row in before if row["record_id"] != names[1]]
    assert len(said) == 1
    assert names[1] in said[0]


def test_sql_in_a_name_is_a_name(kept: Store) -> None:
    """And quotes in the store's own path are a path."""
    text = "x'); COPY (SELECT 1) TO '/tmp/x'; --"
    quoted = Store(kept.path.with_name('it\'s; a "store"'), print)
    add(quoted, run=replace(RUN, env=text))
    (row,) = quoted.runs()
    assert row["env"] == text


def test_a_column_of_a_later_release_is_left_out_and_one_that_lacks_is_null(
    kept: Store, said: list[str]
) -> None:
    """Columns may be added within a version."""
    names = [add(kept, number) for number in range(2)]
    forge(file_of(kept, names[0]), "SELECT * EXCLUDE (p95_ms, branch), 1 AS joules FROM '{}'")
    first, second = kept.runs()
    assert (first["p95_ms"], first["branch"]) == (None, "")
    assert second["p95_ms"] == pytest.approx(178.2, abs=0.1)
    assert first.keys() == second.keys()
    assert said == []


@pytest.mark.parametrize(("name", "word"), [("v2", "newer"), ("v0", "older"), ("v17", "newer")])
def test_another_version_is_said_in_one_line(
    kept: Store, said: list[str], name: str, word: str
) -> None:
    """What this release can read is read."""
    add(kept)
    (kept.path / name / "runs").mkdir(parents=True)
    assert len(kept.runs()) == 1
    (line,) = said
    assert f"{name}/ is left out" in line and word in line


def _write_some(folder: Path, worker: int) -> None:
    for number in range(10):
        add(Store(folder, print), 100 * worker + number)


def test_two_writers_at_once(kept: Store, said: list[str]) -> None:
    """Each record is there once, whole."""
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_some, args=(kept.path, n)) for n in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    rows = kept.runs()
    assert len({row["record_id"] for row in rows}) == len(rows) == 20
    assert len(kept.rows(TUNINGS, [row["record_id"] for row in rows])) == 20 * len(samples.MEASURED)
    assert said == []
    assert not list(kept.path.rglob(".*"))


@pytest.fixture
def packs_from_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pack as soon as there are three records."""
    monkeypatch.setattr(store, "_PACKED_FROM", 3)


@pytest.mark.usefixtures("packs_from_three")
def test_packed_records_are_read_as_the_others(kept: Store, said: list[str]) -> None:
    """And what is deleted, is gone from there, too."""
    names = [add(kept, number) for number in range(5)]
    packed = kept.path / "v1" / "packed.parquet"
    assert packed.exists()
    assert {row["record_id"] for row in kept.runs()} == {*names}
    file_of(kept, names[0]).unlink()
    assert {row["record_id"] for row in kept.runs()} == {*names[1:]}
    assert said == []


@pytest.mark.usefixtures("packs_from_three")
@pytest.mark.parametrize(
    "spoil",
    [
        *(_garbage, _link),
        *(pytest.param(one, marks=pytest.mark.slow) for one in (_torn, _empty, _pipe, _folder)),
    ],
)
def test_a_spoilt_pack_costs_nothing(
    kept: Store, said: list[str], spoil: Callable[[Path], None]
) -> None:
    """It is made of the records, which are still there."""
    names = [add(kept, number) for number in range(4)]
    spoil(kept.path / "v1" / "packed.parquet")
    assert {row["record_id"] for row in kept.runs()} == {*names}
    assert said == []


@pytest.mark.usefixtures("packs_from_three")
def test_a_forged_pack_brings_no_run_that_has_no_file(kept: Store) -> None:
    """Nor one twice."""
    names = [add(kept, number) for number in range(3)]
    forge(
        kept.path / "v1" / "packed.parquet",
        "SELECT * REPLACE (replace(record_id, '_run_', '_gate_') AS record_id) FROM '{0}' "
        "UNION ALL SELECT * FROM '{0}' UNION ALL SELECT * FROM '{0}'",
    )
    assert sorted(row["record_id"] for row in kept.runs()) == sorted(names)


STATEMENTS = (
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('{outside}')",
    "COPY (SELECT 1) TO '{outside}.copy'",
    "ATTACH '{outside}.db'",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "SET threads = 1",
    "INSTALL httpfs",
    "LOAD httpfs",
)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_nothing_outside_the_folder_can_be_reached(tmp_path: Path, statement: str) -> None:
    """Whatever statement gets into DuckDB, and nothing can be configured."""
    (tmp_path / "outside").write_text("secret")
    with engine.within(tmp_path / "store") as connection, pytest.raises(duckdb.Error):
        connection.execute(statement.format(outside=tmp_path / "outside"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside"]


def test_without_duckdb_one_line_says_what_to_do(
    kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra."""
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    with pytest.raises(UserError, match=r"^history needs DuckDB, .*: pip install 'lambda-dyno\[hi"):
        add(kept)


@pytest.mark.parametrize(
    ("record_id", "run_id"),
    [
        ("261201-0215-k3f9_run_0123abcd", "261201-0215-k3f9"),
        ("a_run_b_gate_0123abcd", "a_run_b"),
        ("261201-0215-k3f9_run_0123ABCD", ""),
        ("../x_run_0123abcd", ""),
        ("261201-0215-k3f9_drop_0123abcd", ""),
        ("261201-0215-k3f9", ""),
        ("", ""),
    ],
)
def test_a_records_id_names_its_run(record_id: str, run_id: str) -> None:
    """And nothing else is one."""
    assert run_of(record_id) == run_id
