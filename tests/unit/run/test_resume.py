"""Going on with a run: what is refused, what is kept, what is done again."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lambda_dyno.aws import accounts
from lambda_dyno.aws.target import of_account
from lambda_dyno.cli.app import app
from lambda_dyno.core.config import Env, Settings
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.results import LatencyStats, LoadResult, RunResult, Verdict
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.run import build, order, resume
from lambda_dyno.run.resume import Resumed
from lambda_dyno.run.run import Run
from lambda_dyno.run.steps import load
from lambda_dyno.runs import result_store, run_folder
from lambda_dyno.runs.mode import RunMode
from lambda_dyno.runs.run_folder import RunFolder
from lambda_dyno.terraform.packages import Package


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose environment needs nothing but itself."""
    root = tmp_path / "envs" / "local"
    root.mkdir(parents=True)
    (root / "main.tf").write_text('variable "name_prefix" { type = string }\n')
    (root / "dyno.toml").write_text("[environment]\nemulated = true\n")
    (tmp_path / "modules").mkdir()
    return tmp_path


def make_run(project: Path, error: str = "interrupted", **lease: Any) -> RunFolder:
    """Make the folder of a run that stopped."""
    settings = Settings.model_validate({"environment": {"emulated": True}})
    folder = run_folder.create(
        project / "runs",
        "local",
        "dyno",
        timedelta(hours=1),
        own_server=True,
        settings=settings.model_dump(),
    )
    folder.update_lease(**lease)
    verdict = None if error else Verdict("pass", ())
    run = run_result(folder, error=error, verdict=verdict)
    result_store.write(folder, run)
    return folder


def run_result(folder: RunFolder, **found: Any) -> RunResult:
    return RunResult(
        run_id=folder.run_id,
        env="local",
        git_sha="",
        started_at="2026-11-21T10:00:00+00:00",
        timings={},
        name_prefix="dyno-x",
        outputs={"api_url": "http://127.0.0.1:9"},
        settings={},
        **found,
    )


@pytest.mark.parametrize(
    ("lease", "error", "complaint"),
    [
        pytest.param({}, "", "is finished, so there is nothing to go on with", id="finished"),
        pytest.param({"env": "_tuner"}, "x", "tuned a function by its name", id="tuner"),
        pytest.param(
            {"server_home": "/x", "own_server": False},
            "x",
            "one of pytest's: run pytest again",
            id="pytest",
        ),
        pytest.param({"host": "other"}, "x", "of the machine other, and nobody here", id="host"),
        pytest.param({"adopted_at": "2026"}, "x", "swept here for another machine", id="adopted"),
    ],
)
def test_what_cannot_go_on_says_why(
    project: Path, lease: dict[str, Any], error: str, complaint: str
) -> None:
    """Before anything is changed: it stays whose it was."""
    folder = make_run(project, error, pid=1, **lease)
    with pytest.raises(UserError, match=complaint):
        resume.prepare(project, folder.run_id, TerminalUi())
    assert folder.read_lease().pid == 1


def test_a_run_that_is_not_there_cannot_go_on(project: Path) -> None:
    """The newest ones are named."""
    known = make_run(project).run_id
    with pytest.raises(UserError, match=f"no such run. The newest: {known}"):
        resume.prepare(project, "nope", TerminalUi())


def test_a_run_at_work_cannot_go_on_twice(project: Path) -> None:
    """It says who is at it."""
    folder = make_run(project)
    code = (
        "from pathlib import Path; from lambda_dyno.runs.run_folder import RunFolder\n"
        f"with RunFolder(Path({str(folder.path)!r})).locked(): print(1, flush=True); input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(UserError, match=f"in use by process {holder.pid}"):
            resume.prepare(project, folder.run_id, TerminalUi())
        holder.kill()


def test_flags_are_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run goes on with its own settings, or its parts would not belong together."""
    monkeypatch.chdir(project)
    result = CliRunner().invoke(app, ["run", "--resume", "x", "--env", "dev", "--num", "7"])
    assert isinstance(result.exception, UserError)
    assert "--env, --num: a run goes on" in str(result.exception)


def loads(*labels: str) -> tuple[LoadResult, ...]:
    latency = LatencyStats(1, 1, 1, 1, 1, 1)
    return tuple(
        LoadResult(label, 512, 1, 0.0, 1.0, 10, 0, {}, latency, 10.0, 0.1, 0.1) for label in labels
    )


@pytest.fixture
def resumed(project: Path, monkeypatch: pytest.MonkeyPatch) -> Resumed:
    """A run that was killed in its second load test; it noted what it was made of."""
    folder = make_run(project)
    folder.update_lease(own_server=False)
    settings = Settings.model_validate({"environment": {"emulated": True}})
    run = Run(
        RunMode(project),
        project,
        Env("local", project / "envs" / "local", settings),
        folder,
        of_account(accounts.Account("000000000000", "us-east-1", "", {})),
        TerminalUi(),
        run_result(folder, load=loads("current", "recommended")),
    )
    package = Package(Path("x.zip"), "sha", 1)
    monkeypatch.setattr(build, "step", lambda _: {"crud_api": package})
    folder.note_inputs(resume.fingerprints.of(run.env, project, project, {"crud_api": package}))
    for step in ("up", "smoke", "tune", "load current"):
        folder.mark(step)
    return Resumed(run, stands=False)


def skipped(resumed: Resumed, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Let a run go on, and return the steps that it skips."""
    seen: list[set[str]] = []

    def whole_line(_: object, *, skip: Any) -> int:
        seen.append(set(skip))
        return 0

    monkeypatch.setattr(order, "whole_line", whole_line)
    assert resumed.work() == 0
    return seen[0]


def test_on_a_standing_environment_it_goes_on_after_the_last_finished_step(
    resumed: Resumed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load test that was half done is done again."""
    resumed.stands = True
    assert skipped(resumed, monkeypatch) == {"up", "smoke", "tune", "load current"}
    assert [load.label for load in resumed.run.result.load] == ["current"]


def test_made_again_it_keeps_what_it_measured(
    resumed: Resumed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And proves anew that the API answers."""
    assert skipped(resumed, monkeypatch) == {"tune", "load current"}
    assert [load.label for load in resumed.run.result.load] == ["current"]
    assert resumed.run.result.outputs == {}


def test_made_again_of_something_else_it_measures_again(
    resumed: Resumed, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """What changed is named."""
    (project / "modules" / "main.tf").write_text("# other")
    assert skipped(resumed, monkeypatch) == set()
    assert resumed.run.result.load == ()
    assert "tune: measured again, since modules changed" in capsys.readouterr().err


def test_a_finished_load_test_is_taken_at_its_own_size_only(resumed: Resumed) -> None:
    """Another recommendation needs another test."""
    resumed.run.finished = frozenset({"load current"})
    resumed.run.result = replace(resumed.run.result, load=loads("current"))
    assert load._loaded(resumed.run, "current", 512) == loads("current")[0]
    assert load._loaded(resumed.run, "current", 1024) is None
    assert load._loaded(resumed.run, "recommended", 512) is None
