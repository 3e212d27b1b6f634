"""`dyno query`, as people and programs call it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from lambda_dyno.history import queries
from tests.support.review_project import Project
from tools.history_simulation import synthetic


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history with some runs."""
    folder = tmp_path_factory.mktemp("history")
    synthetic.write(folder, 16)
    return folder


@pytest.fixture
def project(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project with that history."""
    monkeypatch.setenv("DYNO_HISTORY", str(kept))
    return Project(tmp_path, monkeypatch, capsys)


def test_the_list_has_each_query_with_what_it_answers(project: Project) -> None:
    """For people and for programs."""
    shown = project.dyno("query", "--list")
    assert [line.split()[0] for line in shown.out.splitlines()] == list(queries.named())
    listed = project.dyno("query", "--list", "--json").json
    assert [row["name"] for row in listed] == list(queries.named())
    assert all(row["answers"] in shown.out for row in listed)


def test_an_answer_for_people_programs_and_spreadsheets(project: Project) -> None:
    """The same rows."""
    asked = ("query", "runs-a-week")
    rows = project.dyno(*asked, "--json").json
    assert sum(row["runs"] for row in rows) == 16
    table = list(csv.DictReader(io.StringIO(project.dyno(*asked, "--csv").out)))
    assert [row["week"] for row in table] == [row["week"] for row in rows]
    shown = project.dyno(*asked)
    assert (shown.status, shown.err) == (0, "")
    assert all(row["week"] in shown.out for row in rows)


def test_a_query_of_ones_own_and_a_store_of_ones_own(project: Project, tmp_path: Path) -> None:
    """The file's SELECT over the folder that is named."""
    synthetic.write(tmp_path / "other", 3)
    (tmp_path / "mine.sql").write_text("SELECT count(*) AS runs FROM runs WHERE store_env = 'dev'")
    asked = ("query", "--file", str(tmp_path / "mine.sql"), "--store", str(tmp_path / "other"))
    assert project.dyno(*asked, "--json").json == [{"runs": 3}]
    assert project.dyno("query", "best-size", "--sql").out == queries.find("best-size").text


MISTAKES = (
    ((), "give a query's name, or --file Q.SQL, or --list"),
    (("best-size", "--list"), "give a query's name, or --file Q.SQL, or --list"),
    (("best-size", "--json", "--csv"), "--json and --csv: give one of them"),
    (("nope",), "nope: no query of this name; there are best-size"),
    (("best-size", "--store", "nowhere"), "nowhere: no run"),
    (("--file", "nowhere.sql"), "nowhere.sql: cannot be read"),
)


def test_a_mistake_is_one_line(project: Project) -> None:
    """And ends with 2."""
    for arguments, said in MISTAKES:
        done = project.dyno("query", *arguments)
        assert (done.status, done.out) == (2, ""), arguments
        assert said in done.err
