"""`dyno comment`: where the comment goes, and that no forge ever fails a gate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.cli import deploy
from lambda_dyno.core.results import Verdict
from lambda_dyno.forge import ci_environment
from lambda_dyno.forge.comments import ForgeError
from lambda_dyno.forge.rest_api import ForgeApi
from tests.support import codecommit_server, github_server
from tests.support import report_samples as samples
from tests.support.codecommit_server import CodeCommit
from tests.support.github_server import PULL, REPOSITORY, TOKEN, Fault, GitHub
from tests.support.review_project import Project, good_run

MARKER = "<!-- lambda-dyno review: gate -->"


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project with one run."""
    made = Project(tmp_path, monkeypatch, capsys)
    made.add_run(good_run())
    return made


@pytest.fixture
def github() -> Iterator[GitHub]:
    """GitHub's place; at the end it has nothing to complain of."""
    with github_server.running() as server:
        yield server
        assert server.complaints == []


@pytest.fixture
def codecommit() -> Iterator[CodeCommit]:
    """CodeCommit's place."""
    with codecommit_server.running() as server:
        yield server


@pytest.fixture
def job(tmp_path: Path, github: GitHub) -> dict[str, str]:
    """The environment of a job that a pull request started."""
    event = {"pull_request": {"number": PULL, **_sides(REPOSITORY)}}
    (tmp_path / "event.json").write_text(json.dumps(event))
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": github.url,
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_RUN_ID": "42",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_TOKEN": TOKEN,
    }


def _sides(head: str) -> dict[str, Any]:
    return {
        "head": {"repo": {"full_name": head}},
        "base": {"repo": {"full_name": REPOSITORY}},
    }


def test_a_job_needs_no_option(
    project: Project, github: GitHub, job: dict[str, str], tmp_path: Path
) -> None:
    """Repository, pull request, token and link come from the job; the summary is the same text."""
    done = project.dyno("comment", "--json", **job)
    assert done.status == 0, done.err
    assert done.json["action"] == "created"
    assert done.json["summary"] is True
    (comment,) = github.comments
    body = comment["body"]
    assert body.startswith(f"{MARKER}\n## ✓ PASS: all 5 SLOs are met · ")
    assert "[the whole report](https://github.com/acme/shop/actions/runs/42)" in body
    assert (tmp_path / "summary.md").read_text().strip() == body.partition("\n")[2].strip()

    again = project.dyno("comment", **job)
    assert again.out.startswith("updated the comment: https://github.com/acme/shop/pull/7#")
    assert len(github.comments) == 1


def test_everything_comes_together(
    project: Project, github: GitHub, job: dict[str, str], tmp_path: Path
) -> None:
    """A baseline, a plan, and a comment of its own for another gate."""
    main, plan = tmp_path / "main.json", tmp_path / "plan.json"
    main.write_text(json.dumps(good_run(run_id="261119-0900-main").to_json()))
    change = {"actions": ["delete"], "before": {}, "after": None, "after_unknown": {}}
    entry = {"address": "aws_dynamodb_table.items", "mode": "managed", "change": change}
    plan.write_text(json.dumps({"format_version": "1.2", "resource_changes": [entry]}))
    options = ["--baseline", str(main), "--plan-json", str(plan), "--artefact-url", "https://s3/x"]
    done = project.dyno("comment", *options, "--key", "prod", **job)
    assert done.status == 0, done.err
    body = github.comments[0]["body"]
    assert body.startswith("<!-- lambda-dyno review: prod -->")
    assert "| **destroy** | **aws_dynamodb_table.items** |" in body
    assert "Compared with run 261119-0900-main of main." in body
    assert "(https://s3/x)" in body
    project.dyno("comment", **job)
    assert len(github.comments) == 2


def test_a_review_that_is_too_long_is_cut_to_what_github_takes(
    project: Project, github: GitHub, job: dict[str, str], tmp_path: Path
) -> None:
    """The job's summary, which may be longer, has it all."""
    plan = tmp_path / "plan.json"
    change = {"actions": ["create"], "before": None, "after": {}, "after_unknown": {}}
    entries = [
        {"address": f"aws_s3_object.page[{i}]", "mode": "managed", "change": change}
        for i in range(3000)
    ]
    plan.write_text(json.dumps({"format_version": "1.2", "resource_changes": entries}))
    done = project.dyno("comment", "--plan-json", str(plan), "--json", **job)
    assert done.status == 0, done.err
    assert done.json["action"] == "created"
    assert done.json["left_out"] == ["Terraform's other changes"]
    assert "page\\[2999\\]" not in github.comments[0]["body"]
    assert "page\\[2999\\]" in (tmp_path / "summary.md").read_text()


def test_a_full_summary_is_not_overfilled(
    project: Project, job: dict[str, str], tmp_path: Path
) -> None:
    """GitHub drops one of more than a mebibyte, whoever wrote the rest of it."""
    summary = tmp_path / "summary.md"
    summary.write_text("x" * (1_048_576 - 3_000))
    assert project.dyno("comment", **job).status == 0
    assert 1_048_576 - 2_000 < summary.stat().st_size <= 1_048_576
    size = summary.stat().st_size
    done = project.dyno("comment", "--json", **job)
    assert (done.status, done.json["summary"]) == (0, summary.stat().st_size > size)
    assert summary.stat().st_size <= 1_048_576


@pytest.mark.parametrize(
    ("fault", "warning"),
    [
        pytest.param(Fault(503, times=99), "it answers 503", id="5xx"),
        pytest.param(Fault(429, {"Retry-After": "99"}, times=99), "rate limit", id="rate-limit"),
        pytest.param(Fault(times=99), "the connection is lost", id="lost"),
        pytest.param(
            Fault(403, message="Resource not accessible by integration", method="POST", times=99),
            "GITHUB_TOKEN lacks `pull-requests: write` (403)",
            id="permission",
        ),
    ],
)
def test_a_forge_that_fails_is_a_warning(
    project: Project, github: GitHub, job: dict[str, str], fault: Fault, warning: str
) -> None:
    """The gate's status stays what it was; --strict asks for more."""
    github.faults.append(fault)
    done = project.dyno("comment", "--max-wait-s", "0", "--json", **job)
    assert done.status == 0
    assert warning in done.json["warning"]
    assert done.json["summary"] is True
    assert "::warning title=Lambda Dyno::no comment: " in done.err
    assert TOKEN not in done.err + done.out
    assert project.dyno("comment", "--max-wait-s", "0", "--strict", **job).status == 3


def test_an_answer_of_another_shape_is_a_warning(
    project: Project, github: GitHub, job: dict[str, str]
) -> None:
    """As of a proxy, or of a forge that is not quite GitHub."""
    github.comments.append("no comment")  # type: ignore[arg-type]
    done = project.dyno("comment", "--json", **job)
    assert done.status == 0
    assert done.json["warning"].startswith("github answers what nobody expects")


def test_a_failing_gate_is_commented_all_the_same(
    project: Project, github: GitHub, job: dict[str, str]
) -> None:
    """The comment tells; it is the gate's own status that fails the build."""
    failed = good_run(verdict=Verdict("fail", samples.VERDICT.checks), error="boom")
    assert project.dyno("comment", "--run", project.add_run(failed), **job).status == 0
    assert "## ✗ FAILED: boom · " in github.comments[0]["body"]


def test_a_forks_job_says_why_there_is_no_comment(
    project: Project, github: GitHub, job: dict[str, str]
) -> None:
    """Its token only reads, whatever the workflow's permissions are."""
    Path(job["GITHUB_EVENT_PATH"]).write_text(
        json.dumps({"pull_request": {"number": PULL, **_sides("eve/shop")}})
    )
    message = "Resource not accessible by integration"
    github.faults.append(Fault(403, message=message, method="POST"))
    done = project.dyno("comment", **job)
    assert done.status == 0
    assert "pull requests from forks get a token that only reads" in done.err
    assert "the job summary has the same text" in done.err


def test_a_written_plan_holds_no_text_and_is_ours_alone(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is what deploy.yml uploads, where a public repository shows it to everybody."""
    change = {"actions": ["update"], "before": {"key": "hunter2", "mb": 128}}
    change |= {"after": {"key": "hunter3", "mb": 512}, "after_sensitive": {"key": True}}
    entries = [{"address": "aws_x.y", "mode": "managed", "change": change}]
    variables = {"key": {"value": "hunter3"}}
    plan = {"format_version": "1.2", "resource_changes": entries, "variables": variables}
    path = tmp_path / "out" / "plan.json"

    deploy._tell_plan(plan, path, as_json=False)

    assert "hunter" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    told = capsys.readouterr().out
    assert told.startswith("update   aws_x.y  key, mb 128 → 512")
    again = project.dyno("comment", "--dry-run", "--plan-json", str(path))
    assert "key, mb 128 → 512" in again.out, again.err


def test_a_job_without_a_pull_request_has_its_summary(
    project: Project, github: GitHub, job: dict[str, str]
) -> None:
    """A push or a schedule has nothing to comment on."""
    Path(job["GITHUB_EVENT_PATH"]).write_text('{"ref": "refs/heads/main"}')
    done = project.dyno("comment", **job)
    assert done.status == 0
    assert "only its summary was written" in done.err
    assert github.requests == []


@pytest.mark.parametrize(
    ("event", "ref"),
    [
        ({"issue": {"number": PULL, "pull_request": {}}}, ""),
        ({"workflow_run": {"pull_requests": [{"number": PULL}]}}, ""),
        ({}, f"refs/pull/{PULL}/merge"),
    ],
)
def test_the_pull_request_is_found_in_every_event(
    project: Project, github: GitHub, job: dict[str, str], event: dict[str, Any], ref: str
) -> None:
    """A comment on it, a workflow after its workflow, and the checkout's ref."""
    Path(job["GITHUB_EVENT_PATH"]).write_text(json.dumps(event))
    assert project.dyno("comment", **(job | {"GITHUB_REF": ref})).status == 0
    assert len(github.comments) == 1


def test_a_missing_token_is_said(project: Project, github: GitHub, job: dict[str, str]) -> None:
    """With how to hand it over."""
    done = project.dyno("comment", **(job | {"GITHUB_TOKEN": ""}))
    assert done.status == 0
    assert "GITHUB_TOKEN is not set" in done.err
    assert github.requests == []


@pytest.mark.parametrize("token", ["gho_secret\n", "gho_secret\u20ac", "gho secret", "gho_\x00x"])
def test_a_token_that_is_none_is_said_without_it(
    project: Project, github: GitHub, job: dict[str, str], token: str
) -> None:
    """A header cannot carry it, and whoever says so must not print it."""
    with pytest.raises(ForgeError, match="the token for GitHub has a character") as refused:
        ForgeApi(github.url, token)
    assert "secret" not in str(refused.value)
    if "\0" not in token:
        done = project.dyno("comment", **(job | {"GITHUB_TOKEN": token}))
        assert done.status == 0
        assert "no comment: the token for GitHub has a character" in done.err
        assert "secret" not in done.out + done.err
    assert github.requests == []


@pytest.mark.parametrize("name", ["../x", "x/..", "x/.", "./x", "a/b/c", "-a/b", "a b/c", "a/b\n"])
def test_a_repository_is_no_path(
    project: Project, github: GitHub, job: dict[str, str], name: str
) -> None:
    """Whoever names it; it becomes part of an address that the token goes to."""
    done = project.dyno("comment", **(job | {"GITHUB_REPOSITORY": name}))
    assert done.status == 2
    assert "GITHUB_REPOSITORY=" in done.err and "must be OWNER/NAME" in done.err
    assert "must be OWNER/NAME" in project.dyno("comment", f"--repo={name}", **job).err
    assert github.requests == []


def test_a_repository_of_any_name_is_one() -> None:
    """GitHub's own are called .github."""
    for name in ("acme/.github", "a-b/c_d.e", "acme/-x", "acme/..x", "acme_emu/x"):
        assert ci_environment.github_job({"GITHUB_REPOSITORY": name}).repository == name


def test_a_dry_run_prints_and_writes_nothing(
    project: Project, github: GitHub, job: dict[str, str]
) -> None:
    """No request, no summary."""
    done = project.dyno("comment", "--dry-run", **job)
    assert done.status == 0
    assert done.out.startswith(MARKER)
    assert github.requests == []
    assert not Path(job["GITHUB_STEP_SUMMARY"]).exists()
    assert project.dyno("comment", "--dry-run", "--json", **job).json["body"] == done.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(["--run", "x"], "RUN=x: no such run", id="run"),
        pytest.param(["a.json"], "a.json: cannot be read", id="file"),
        pytest.param(["envs/dev/dyno.toml"], "not JSON", id="not-json"),
        pytest.param(["a", "--run", "b"], "give one of them", id="both"),
        pytest.param(["--repo", "shop"], "--repo shop: must be OWNER/NAME", id="repo"),
        pytest.param(["--pull", "0"], "--pull 0", id="pull"),
        pytest.param(["--key", "a b"], "--key 'a b'", id="key"),
        pytest.param(["--plan-json", "none.json"], "none.json: cannot be read", id="plan"),
        pytest.param(["--baseline", "none.json"], "none.json: cannot be read", id="baseline"),
        pytest.param([], "there is no pull request to comment on", id="nowhere"),
        pytest.param(["--pull", "7"], "no repository: give --repo", id="no-repo"),
        pytest.param(["--provider", "gitea"], "gitea", id="provider"),
    ],
)
def test_a_mistake_ends_with_status_2(
    project: Project, arguments: list[str], complaint: str
) -> None:
    """And one line that says what is allowed."""
    done = project.dyno("comment", *arguments)
    assert done.status == 2
    assert complaint in done.err
    assert "Traceback" not in done.err


def test_a_pull_request_of_codecommit_is_a_number(project: Project) -> None:
    """Whoever starts the build says which: it is asked for as it is."""
    done = project.dyno("comment", "--provider", "codecommit", PULL_REQUEST_ID="12/../13")
    assert done.status == 2
    assert "PULL_REQUEST_ID=12/../13: must be the number of a pull request" in done.err


def test_codecommit_goes_the_same_way(project: Project, codecommit: CodeCommit) -> None:
    """CodeBuild hands the pull request over as PULL_REQUEST_ID."""
    environment = {
        "AWS_ENDPOINT_URL_CODECOMMIT": codecommit.url,
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        # pragma: allowlist nextline secret: no one's
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "PULL_REQUEST_ID": codecommit_server.PULL,
    }
    options = ["comment", "--provider", "codecommit", "--repo", "shop"]
    first = project.dyno(*options, "--json", **environment)
    assert first.status == 0, first.err
    assert first.json["action"] == "created"
    environment["CODEBUILD_BUILD_ARN"] = "arn:aws:codebuild:eu-west-1:123456789012:build/gate:1a-2b"
    assert project.dyno(*options, "--json", **environment).json["action"] == "updated"
    (comment,) = codecommit.comments
    assert comment["content"].startswith("[//]: # (lambda-dyno review: gate)\n## ✓")
    page = "eu-west-1.console.aws.amazon.com/codesuite/codebuild/123456789012/projects/gate/build"
    assert f"[the whole report](https://{page}/gate%3A1a-2b)" in comment["content"]
    codecommit.faults.append((400, "AccessDeniedException"))
    denied = project.dyno(*options, **environment)
    assert denied.status == 0
    assert "credentials lack codecommit:GetCommentsForPullRequest" in denied.err


def test_a_build_without_a_pull_request_is_no_mistake(project: Project) -> None:
    """buildspec.yml is the same for branches."""
    done = project.dyno("comment", "--provider", "codecommit", CODEBUILD_BUILD_ID="gate:1a-2b")
    assert done.status == 0
    assert "no comment was written" in done.err
