"""`dyno signal`, as main's workflow calls it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lambda_dyno.history.schema import Row
from lambda_dyno.history.store import Store
from tests.support import github_server
from tests.support.github_server import REPOSITORY, TOKEN, Fault, GitHub
from tests.support.review_project import Done, Project
from tests.unit.history.test_signals import runs


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project without runs."""
    monkeypatch.delenv("DYNO_HISTORY", raising=False)
    return Project(tmp_path, monkeypatch, capsys)


@pytest.fixture
def server() -> Iterator[GitHub]:
    """GitHub's place; at the end it has nothing to complain of."""
    with github_server.running() as running:
        yield running
        assert running.complaints == []


def write(place: Path, shas: Sequence[str]) -> Path:
    """Write a history of main whose duration changes with the second of three commits."""
    records: list[tuple[str, dict[str, list[Row]]]] = []
    for number, row in enumerate(runs((20, 20.0), (10, 26.0))):
        record_id = f"r{number}_run_{number:08x}"
        sha = shas[(number >= 20) + (number >= 25)]
        records.append((record_id, {"runs": [{**row, "record_id": record_id, "git_sha": sha}]}))
    Store(place, print, durable=False).add_all(records)
    return place


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a history, of commits that nobody has."""
    return write(tmp_path_factory.mktemp("history"), ["a" * 40, "b" * 40, "c" * 40])


def signal(project: Project, server: GitHub, place: Path, *arguments: str, **more: str) -> Done:
    """Run the command as main's workflow does."""
    job = {"GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": TOKEN}
    return project.dyno("signal", "--store", str(place), *arguments, **{**job, **more})


def test_a_change_in_main_opens_one_issue(project: Project, server: GitHub, tmp_path: Path) -> None:
    """With the commits between; the next run does nothing."""
    shas = []
    for title in ("Add a page", "Cache @everyone's **answers**", "Add another"):
        (project.folder / "app.py").write_text(title)
        project.commit(title)
        shas.append(project.git("rev-parse", "HEAD").strip())
    stepped = write(tmp_path / "history", shas)
    done = signal(project, server, stepped, "--json")
    assert (done.status, done.err) == (0, "")
    (row,) = done.json
    assert (row["action"], row["number"]) == ("opened", 100)
    (issue,) = server.issues
    assert "1 commit between the two runs" in issue["body"]
    assert "Cache @\u200beveryone's \\*\\*answers\\*\\*" in issue["body"]
    again = signal(project, server, stepped)
    assert again.out.startswith("none: Duration of crud-api in dev: +")
    assert len(server.issues) == 1
    elsewhere = signal(project, server, stepped, "--on", "embedded")
    assert (elsewhere.status, len(server.issues)) == (0, 1)
    assert "no run with --branch main --on embedded: nothing is opened" in elsewhere.err
    assert server.issues[0]["state"] == "open"


def test_a_dry_run_asks_no_forge(project: Project, server: GitHub, stepped: Path) -> None:
    """It prints what there is to tell."""
    done = signal(project, server, stepped, "--dry-run", GITHUB_TOKEN="")
    assert done.status == 0
    assert "Duration of crud-api in dev: +" in done.out and "r20" in done.out
    (row,) = json.loads(signal(project, server, stepped, "--dry-run", "--json").out)
    assert row["body"].startswith("<!-- lambda-dyno signal: ")
    assert server.requests == []
    other = signal(project, server, stepped, "--dry-run", "--function", "other")
    assert other.out == "no change for the worse: no issue\n"


@pytest.mark.parametrize(
    ("fault", "more", "said"),
    [
        (Fault(403, message="Resource not accessible"), {}, "lacks `issues: write`"),
        (Fault(), {"GITHUB_TOKEN": ""}, "GITHUB_TOKEN is not set"),
    ],
)
def test_a_forge_that_refuses_is_a_warning(
    project: Project, server: GitHub, stepped: Path, fault: Fault, more: dict[str, str], said: str
) -> None:
    """Unless more is asked for."""
    for arguments, status in (((), 0), (("--strict",), 3)):
        server.faults = [fault]
        fault.times = 1
        done = signal(project, server, stepped, "--max-wait-s", "0", *arguments, **more)
        assert done.status == status
        assert said in done.err
        assert TOKEN not in done.out + done.err
    assert server.issues == []


def test_without_a_repository_it_is_a_mistake(
    project: Project, server: GitHub, stepped: Path
) -> None:
    """And one that is none is refused."""
    none = signal(project, server, stepped, GITHUB_REPOSITORY="")
    assert (none.status, "give --repo OWNER/NAME" in none.err) == (2, True)
    wrong = signal(project, server, stepped, "--repo", "../x")
    assert (wrong.status, "must be OWNER/NAME" in wrong.err) == (2, True)
