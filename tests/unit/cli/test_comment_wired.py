"""`dyno comment` in a pipeline: begun, ended without a run, GitLab, and two lines for nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.results import RunResult, Verdict
from lambda_dyno.forge.gitlab import without_commands
from tests.support import gitlab_server
from tests.support import report_samples as samples
from tests.support.github_server import Fault
from tests.support.gitlab_server import PROJECT, THEM, TOKEN, GitLab
from tests.support.review_project import Project, good_run

MARKER = "<!-- lambda-dyno review: gate -->"
LOG = "[the log](https://gitlab.example/acme/tools/shop/-/pipelines/77)"
COMMENT = ("comment", "--provider", "gitlab")


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project without a run."""
    return Project(tmp_path, monkeypatch, capsys)


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    """GitLab's place."""
    with gitlab_server.running() as server:
        yield server


def quiet_run(**changes: Any) -> RunResult:
    """A run whose recommended size is the deployed one."""
    run = good_run(**changes)
    assert run.tuning is not None
    return replace(run, tuning=replace(run.tuning, current_power=run.tuning.power), advice=None)


def test_one_note_from_the_beginning_to_the_end(project: Project, gitlab: GitLab) -> None:
    """Measuring, then the review, in the same place; a stranger's marker stays his."""
    gitlab.add("Nice!", THEM)
    gitlab.add(f"{MARKER}\n## PASS, says Eve", THEM)
    job = gitlab.environment
    begun = project.dyno(*COMMENT, "--begin", "--json", **job)
    assert begun.status == 0, begun.err
    assert begun.json["action"] == "created"
    assert gitlab.notes[2]["body"].startswith(f"{MARKER}\n## ⏳ Measuring: ")
    assert LOG in gitlab.notes[2]["body"]

    project.add_run(good_run())
    ended = project.dyno(*COMMENT, "--json", **job)
    assert ended.json["action"] == "updated", ended.err
    assert gitlab.notes[2]["body"].startswith(f"{MARKER}\n## ✓ PASS: all 5 SLOs are met · ")
    assert len(gitlab.notes) == 3
    assert "says Eve" in gitlab.notes[1]["body"]
    assert TOKEN not in begun.out + begun.err + ended.out + ended.err


@pytest.mark.parametrize(
    ("variables", "arguments", "head"),
    [
        ({"DYNO_JOB_RESULT": "cancelled"}, (), "✗ CANCELLED before there was a result"),
        ({"CI_JOB_STATUS": "failed"}, (), "✗ FAILED before there was a result"),
        ({"CODEBUILD_BUILD_SUCCEEDING": "0"}, (), "✗ FAILED before there was a result"),
        ({}, ("evidence/", "--job-result", "success"), "? NOT MEASURED: the job has passed"),
    ],
)
def test_a_job_that_left_no_run_says_so(
    project: Project,
    gitlab: GitLab,
    variables: dict[str, str],
    arguments: tuple[str, ...],
    head: str,
) -> None:
    """Or "measuring" would stand there for ever."""
    job = gitlab.environment
    project.dyno(*COMMENT, "--begin", **job)
    done = project.dyno(*COMMENT, *arguments, **(job | variables))
    assert done.status == 0, done.err
    (note,) = gitlab.notes
    assert f"## {head}" in note["body"] and LOG in note["body"]


def test_a_strangers_broken_evidence_is_told_as_text(project: Project, gitlab: GitLab) -> None:
    """It may be anything; without the job's result it is a mistake, as ever."""
    folder = project.folder / "evidence" / "x"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text('{"run_id": "@eve !12 [x](https://evil.example)"}')
    job = gitlab.environment
    done = project.dyno(*COMMENT, "evidence/", "--job-result", "success", **job)
    assert done.status == 0, done.err
    (note,) = gitlab.notes
    assert "@eve" not in note["body"] and "(https://evil" not in note["body"]
    assert project.dyno(*COMMENT, "evidence/", **job).status == 2
    assert project.dyno(*COMMENT, "--job-result", "green", **job).status == 2


def test_nothing_from_outside_is_a_command_to_gitlab(project: Project, gitlab: GitLab) -> None:
    """A line that begins with a slash is done in the name of whoever has the token."""
    error = "it broke:\n/approve\n  /merge"
    failed = good_run(verdict=Verdict("fail", samples.VERDICT.checks), error=error)
    project.add_run(failed)
    assert project.dyno(*COMMENT, **gitlab.environment).status == 0
    assert "/approve" in gitlab.notes[0]["body"]
    assert gitlab.commands == []
    assert without_commands("a/b\n/x\n\t/y") == "a/b\n\u200b/x\n\t\u200b/y"


def test_a_lost_answer_makes_no_second_note(project: Project, gitlab: GitLab) -> None:
    """It is looked for before it is written again."""
    gitlab.faults.append(Fault(method="POST", after=True))
    done = project.dyno(*COMMENT, "--begin", **gitlab.environment)
    assert done.status == 0, done.err
    assert len(gitlab.notes) == 1


@pytest.mark.parametrize(
    ("fault", "warning"),
    [
        (Fault(429, {"RetryAfter": "1", "Retry-After": "99"}, times=99), "rate limit is reached"),
        (Fault(403, times=99), "GITLAB_TOKEN lacks the scope `api`"),
        (Fault(302, {"Location": "https://evil.example/"}, times=99), "not followed"),
    ],
)
def test_a_gitlab_that_fails_is_a_warning(
    project: Project, gitlab: GitLab, fault: Fault, warning: str
) -> None:
    """As GitHub's."""
    gitlab.faults.append(fault)
    done = project.dyno(*COMMENT, "--begin", "--max-wait-s", "0", **gitlab.environment)
    assert done.status == 0
    assert warning in done.err
    assert TOKEN not in done.err + done.out


@pytest.mark.parametrize(
    ("variables", "arguments", "complaint"),
    [
        ({"CI_API_V4_URL": "http://gitlab.example/api/v4"}, (), "must begin with https://"),
        ({"CI_MERGE_REQUEST_IID": "9/../1"}, (), "CI_MERGE_REQUEST_IID="),
        ({}, ("--repo", "../x"), "--repo ../x: must be GROUP/NAME"),
        ({}, ("x", "--begin"), "name none"),
    ],
)
def test_a_gitlab_that_is_none_is_a_mistake(
    project: Project,
    gitlab: GitLab,
    variables: dict[str, str],
    arguments: tuple[str, ...],
    complaint: str,
) -> None:
    """The token goes to no address that is not safe."""
    done = project.dyno(*COMMENT, "--begin", *arguments, **(gitlab.environment | variables))
    assert done.status == 2
    assert complaint in done.err
    assert gitlab.requests == []


def test_a_project_may_be_named(project: Project, gitlab: GitLab) -> None:
    """By its path, in groups of groups."""
    job = gitlab.environment | {"CI_MERGE_REQUEST_PROJECT_ID": "", "CI_PROJECT_ID": ""}
    done = project.dyno(*COMMENT, "--begin", "--repo", PROJECT, **job)
    assert done.status == 0 and len(gitlab.notes) == 1, done.err


def _baseline(project: Project, run: RunResult) -> None:
    folder = project.folder / "main-evidence" / "run"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps(run.to_json()))
    runs = [{"env": "dev", "p95_ms": ms, "duration_ms": 50.0} for ms in (180.0, 120.0, 100.0)]
    runs += [{"env": "prod", "p95_ms": 1.0}, {"env": "dev", "p95_ms": float("1e9")}]
    (folder.parent / "history.json").write_text(json.dumps(runs[:4]))


def test_nothing_changed_is_two_lines(project: Project) -> None:
    """With main's last runs; whatever changed has its whole review."""
    _baseline(project, quiet_run(run_id="261119-0900-main"))
    project.add_run(quiet_run())
    options = ("comment", "--dry-run", "--baseline", "main-evidence/", "--plan-json", "plan/")
    done = project.dyno(*options)
    assert done.status == 0, done.err
    marker, verdict, _, kept = done.out.splitlines()
    assert (marker, verdict[:8]) == (MARKER, "## ✓ PAS")
    assert "Nothing changed against main (run 261119-0900-main): 512 MB stays" in kept
    assert "Main's last 3 runs: p95 ▁▃█ 180 ms, duration ▄▄▄ 50.0 ms." in kept

    change = {"actions": ["update"], "before": {"mb": 1}, "after": {"mb": 2}}
    entry = {"address": "aws_x.y", "mode": "managed", "change": change}
    (project.folder / "plan").mkdir()
    plan = {"format_version": "1.2", "resource_changes": [entry]}
    (project.folder / "plan" / "plan.json").write_text(json.dumps(plan))
    told = project.dyno(*options).out
    assert "aws\\_x.y" in told or "aws_x.y" in told
    assert "Main's last 3 runs" in told


def test_a_recommendation_or_a_slower_run_is_told_whole(project: Project) -> None:
    """Each of what two lines would hide."""
    main = quiet_run(run_id="261119-0900-main")
    assert main.tuning is not None
    slower = [
        replace(detail, duration_ms=detail.duration_ms and _scaled(detail.duration_ms, 2.0))
        for detail in main.tuning.details
    ]
    _baseline(project, main)
    for run in (
        good_run(),
        quiet_run(error="boom"),
        replace(main, tuning=replace(main.tuning, details=tuple(slower))),
    ):
        run_id = project.add_run(run)
        done = project.dyno("comment", run_id, "--dry-run", "--baseline", "main-evidence/")
        assert done.status == 0, done.err
        assert len(done.out.splitlines()) > 10


def _scaled(duration: Any, by: float) -> Any:
    low, high = duration.ci95
    return replace(duration, trimmed_mean=duration.trimmed_mean * by, ci95=(low * by, high * by))


def test_without_a_folder_there_is_no_baseline(project: Project) -> None:
    """CI had none to unpack; a file that is named must be there."""
    project.add_run(quiet_run())
    options = ("comment", "--dry-run", "--baseline", "main-evidence/", "--plan-json", "plan/")
    assert len(project.dyno(*options).out.splitlines()) > 10
    assert project.dyno("comment", "--dry-run", "--baseline", "main.json").status == 2
