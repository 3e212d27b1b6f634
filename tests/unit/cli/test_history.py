"""`dyno history`, as a program that people and others call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.history_simulation import synthetic


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with 48 runs: three of each function, environment and branch, and more."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "envs" / "dev").mkdir(parents=True)
    (folder / "envs" / "dev" / "dyno.toml").write_text("")
    synthetic.write(folder / "runs" / "history", 48)
    return folder


def dyno(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "80", **more}
    environment.pop("DYNO_HISTORY", None) if "DYNO_HISTORY" not in more else None
    return subprocess.run(
        [sys.executable, "-m", "lambda_dyno", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def listed(project: Path) -> list[dict[str, Any]]:
    """All runs, as programs get them."""
    runs: list[dict[str, Any]] = json.loads(dyno(project, "history", "--json").stdout)
    return runs


def test_the_list_for_people_and_for_programs(project: Path, listed: list[dict[str, Any]]) -> None:
    """Both have the newest run first; a list in a pipe is plain text."""
    newest = json.loads(dyno(project, "history", "--json", "--last", "3").stdout)
    assert newest == listed[:3]
    shown = dyno(project, "history", "--last", "3")
    assert shown.returncode == 0, shown.stderr
    assert "\x1b" not in shown.stdout
    assert len(listed) == 48
    began = [run["started_at"] for run in listed]
    assert began == sorted(began, reverse=True)
    assert [run["run_id"] in shown.stdout for run in listed[:4]] == [True, True, True, False]
    assert shown.stderr == ""


@pytest.mark.slow
def test_runs_are_chosen(project: Path) -> None:
    """By function, environment, branch and AWS."""
    chosen = ("--function", "search-api", "--env", "prod", "--branch", "main", "--on", "aws")
    listed = json.loads(dyno(project, "history", "--json", *chosen).stdout)
    assert {(run["function_name"], run["env"], run["branch"]) for run in listed} == {
        ("search-api", "prod", "main")
    }
    assert json.loads(dyno(project, "history", "--json", "--on", "embedded").stdout) == []


def test_the_page_is_written_and_its_path_printed(project: Path) -> None:
    """Beside the runs' history."""
    done = dyno(project, "history", "--html")
    path = Path(done.stdout.strip())
    assert path == project / "runs" / "history" / "trends.html"
    assert path.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (("--env", "test"), {}, "no run with --env test"),
        (("--store", "nowhere"), {}, "nowhere: no run"),
        ((), {"DYNO_HISTORY": "off"}, "DYNO_HISTORY=off: the history is turned off"),
        ((), {"DYNO_HISTORY": "~nobody-here/x"}, "DYNO_HISTORY=~nobody-here/x: there is no such"),
        (("--store", "envs/dev/dyno.toml"), {}, "envs/dev/dyno.toml: no run"),
        (("--last", "0"), {}, "--last"),
        (("--on", "mars"), {}, "--on"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(
    project: Path, arguments: tuple[str, ...], variables: dict[str, str], said: str
) -> None:
    """And is the user's mistake."""
    done = dyno(project, "history", *arguments, **variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_outside_of_a_project_a_store_is_named(project: Path, tmp_path: Path) -> None:
    """By the option, or by the environment."""
    store = str(project / "runs" / "history")
    assert "no envs/*/dyno.toml" in dyno(tmp_path, "history").stderr
    assert dyno(tmp_path, "history", "--store", store).returncode == 0
    assert dyno(tmp_path, "history", DYNO_HISTORY=store).returncode == 0


def test_two_runs_side_by_side(project: Path, listed: list[dict[str, Any]]) -> None:
    """For people and for programs; in git's words what lies between them, if it knows them."""
    runs = [run for run in listed if run["function_name"] == "thumbnails"]
    runs = [run for run in runs if run["env"] == runs[0]["env"]]
    newest, oldest = runs[0], runs[-1]
    shown = dyno(project, "compare", oldest["run_id"], newest["run_id"])
    assert shown.returncode == 0, shown.stderr
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert "Settings: the same" in shown.stdout
    found = json.loads(
        dyno(project, "compare", oldest["run_id"], newest["run_id"], "--json").stdout
    )
    assert found["after"] == [newest["run_id"]]
    assert found["figures"]["duration_ms"]["before"] == pytest.approx(oldest["duration_ms"])
    assert set(found["sizes"]) == {"128", "256", "512", "1024", "1769"}


@pytest.mark.parametrize(
    "name",
    ["../x", *(pytest.param(one, marks=pytest.mark.slow) for one in ("nobody", "--", "0000000"))],
)
def test_a_name_of_no_run_is_one_line(
    project: Path, listed: list[dict[str, Any]], name: str
) -> None:
    """With the newest runs, to choose from."""
    newest = listed[0]["run_id"]
    done = dyno(project, "compare", newest, *(["--", "-x"] if name == "--" else [name]))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"The newest: {newest}" in done.stderr
    assert done.stderr.count("\n") == 1
