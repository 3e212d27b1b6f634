"""Workflows call make targets and dyno commands, and hold what our security rules say."""

from __future__ import annotations

import json
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from lambda_dyno.cli.app import app
from lambda_dyno.deploy.bootstrap import Bootstrapped, Bucket, Repository
from lambda_dyno.deploy.repository import (
    MAIN_ENVIRONMENT,
    SWEEP_ENVIRONMENT,
    TUNE_ENVIRONMENT,
)
from lambda_dyno.forge.webhooks import CHANNELS

pytestmark = pytest.mark.contract

PROJECT = Path(__file__).parents[2]
WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
FILES = [*WORKFLOWS, PROJECT / "action.yml"]
BUILDSPEC = PROJECT / "buildspec.yml"
GATE = PROJECT / ".github" / "workflows" / "gate.yml"

WEBHOOKS = {channel.variable for channel in CHANNELS}
MAKE = re.compile(r'make(?: -C "\$GITHUB_ACTION_PATH")? ([a-z-]+)((?: [A-Z]+=\S+)*)')
DYNO = re.compile(r'(?:\.venv/bin/dyno|"\$GITHUB_ACTION_PATH/\.venv/bin/dyno") ([a-z]+)( .*)?')


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """Yield all steps of a workflow or an action."""
    content = yaml.safe_load(path.read_text())
    for job in (content.get("jobs") or {"action": content["runs"]}).values():
        yield from job["steps"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_run_line_is_a_make_target_or_a_dyno_command(path: Path) -> None:
    """Logic in YAML is logic without tests."""
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    commands = {
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback
    } | {group.name for group in app.registered_groups}
    for step in steps(path):
        if "run" not in step:
            continue
        line = step["run"]
        if made := MAKE.fullmatch(line):
            assert made[1] in targets, line
        else:
            called = DYNO.fullmatch(line)
            assert called, f"{path.name}: {line!r} is neither a make target nor a dyno command"
            assert called[1] in commands, line


def commands(path: Path) -> Iterator[str]:
    """Yield the command lines of a workflow, an action or CodeBuild's file."""
    if path.name == "buildspec.yml":
        for phase in yaml.safe_load(path.read_text())["phases"].values():
            yield from phase.get("commands", ())
    else:
        yield from (step["run"] for step in steps(path) if "run" in step)


@pytest.mark.parametrize("path", [*FILES, BUILDSPEC], ids=lambda path: path.name)
def test_flags_and_variables_of_commands_exist(path: Path) -> None:
    """What is misspelt would be found out in somebody's pull request."""
    makefile = (PROJECT / "Makefile").read_text()
    for line in commands(path):
        words = shlex.split(line)
        program = words.pop(0)
        if program == "make":
            given = [word.partition("=")[0] for word in words if "=" in word]
            for name in given:
                assert re.search(rf"^{name} \?=", makefile, re.MULTILINE), line
            continue
        assert program.endswith(".venv/bin/dyno"), line
        # a variable in the place of flags may hold any; here it holds none
        flags = [word for word in words[1:] if not re.fullmatch(r"\$[A-Z_]+_ARGUMENTS", word)]
        command = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
        command.make_context(words[0], flags)  # raises for what it does not know


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_variables_are_those_that_bootstrap_tells(path: Path) -> None:
    """No secret but GitHub's own and webhooks'; every environment declares every TF_VAR_."""
    arns: dict[str, str] = defaultdict(str)
    told = Bootstrapped(
        "prod", "1", "eu-west-1", Bucket("b", True, True), (), Repository("a/b"), arns, arns
    )
    names = {variable.name for variable in told.variables}
    text = path.read_text()
    assert set(re.findall(r"\bvars\.(\w+)", text)) <= names
    assert set(re.findall(r"\bsecrets\.(\w+)", text)) <= {"GITHUB_TOKEN", *WEBHOOKS}
    for name in re.findall(r"\bTF_VAR_(\w+)", text):
        for root in ("dev", "test", "prod"):
            variables = (PROJECT / "envs" / root / "variables.tf").read_text()
            assert f'variable "{name}"' in variables, f"{path.name}: {name}, envs/{root}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_with_their_version(path: Path) -> None:
    """A tag can be moved to other code."""
    for line in path.read_text().splitlines():
        if "uses:" in line:
            assert re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_have_no_permission_but_what_a_job_says_it_needs(path: Path) -> None:
    """None by default; each one with its reason beside it; nothing is left in .git/config."""
    text = path.read_text()
    content = yaml.safe_load(text)
    assert content["permissions"] == {}
    assert content["concurrency"]["group"]
    for job in content["jobs"].values():
        assert job["timeout-minutes"]
        assert "permissions" in job
    for line in re.findall(
        r"^ {6}(?:contents|id-token|issues|pull-requests): .*$", text, re.MULTILINE
    ):
        assert re.search(r": (read|write) # \w", line), line
    for step in steps(path):
        if str(step.get("uses", "")).startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_codebuild_bounds_its_roles_and_sweeps() -> None:
    """The gate role's policy refuses a role without its boundary; a killed run leaves things."""
    content = yaml.safe_load(BUILDSPEC.read_text())
    assert "TF_VAR_permissions_boundary_arn" in content["env"]["variables"]
    assert content["phases"]["post_build"]["commands"][:2] == [
        ".venv/bin/dyno evidence push || true",
        "make sweep || true",
    ]
    comments = "".join(re.findall(r"^#.*$", BUILDSPEC.read_text(), re.MULTILINE))
    for action in (
        *("CreateReportGroup", "CreateReport", "UpdateReport", "BatchPutTestCases"),
        *("GetPullRequest", "PostCommentForPullRequest", "UpdateComment"),
    ):
        assert re.search(rf"code(build|commit):{action}\b", comments), action


def jobs(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the jobs of a workflow with their names."""
    yield from yaml.safe_load(path.read_text())["jobs"].items()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_job_that_runs_a_pull_requests_code_can_write_to_the_repository(path: Path) -> None:
    """A token with pull-requests: write approves; what has one runs the default branch's code."""
    content = yaml.safe_load(path.read_text())
    if "pull_request" not in content[True]:  # "on" is a boolean to YAML 1.1
        return
    for name, job in jobs(path):
        writes = {key for key, value in job["permissions"].items() if value == "write"}
        if writes <= {"id-token"}:
            assert "secrets." not in json.dumps(job), name
            continue
        assert writes == {"pull-requests"}, name
        (checkout,) = [s for s in job["steps"] if s.get("uses", "").startswith("actions/checkout@")]
        assert checkout["with"]["ref"] == "${{ github.event.repository.default_branch }}", name
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/download-artifact@"):
                # a folder of its own: it overwrites nothing that runs
                artefact = step["with"]["name"]
                assert step["with"] == {"name": artefact, "path": artefact}
                assert artefact in ("evidence", "main-evidence", "plan")
                assert step["continue-on-error"] is True  # a cancelled job has left none
            # a cache's files go anywhere, and a pull request's jobs can write one
            assert not step.get("uses", "").startswith("actions/cache"), name
            # nothing of the pull request or the artefact becomes a part of a command
            assert "${{" not in step.get("run", ""), name
        assert "account" in job.get("needs", ()) or "--begin" in str(job["steps"]), name


@pytest.mark.parametrize("path", [GATE, PROJECT / "action.yml", BUILDSPEC])
def test_a_comment_is_there_from_the_beginning_and_says_how_it_ended(path: Path) -> None:
    """With main's run and the plan, and in all cases, or "measuring" would stay."""
    begun, ended = [line for line in commands(path) if " comment " in line]
    assert "--begin" in begun
    assert "--baseline" in ended and "--plan-json" in ended
    if path.name == "gate.yml":
        job = yaml.safe_load(path.read_text())["jobs"]["comment"]
        assert job["if"].startswith("${{ always() && ")
        assert set(job["needs"]) == {"announce", "plan", "account"}
    if path != BUILDSPEC:
        (last,) = [step for step in steps(path) if step.get("run") == ended]
        assert last["env"]["DYNO_JOB_RESULT"] in (
            "${{ needs.account.result }}",
            "${{ job.status }}",
        )


def test_the_example_for_gitlab_calls_what_exists_and_keeps_the_token_from_the_code() -> None:
    """As gate.yml does."""
    content = yaml.safe_load((PROJECT / "docs" / "examples" / "gitlab-ci.yml").read_text())
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    comments = 0
    for name, job in content.items():
        if name in ("stages", "default"):
            continue
        for line in [*job.get("before_script", ()), *job.get("script", ())]:
            words = shlex.split(line)
            if words[0] == "make":
                assert words[1] in targets, line
            elif words[0].endswith("/dyno"):
                command = typer.main.get_command(app).commands[words[1]]  # type: ignore[attr-defined]
                command.make_context(words[1], words[2:])
                comments += 1
                assert job["extends"] == ".trusted", name
        for line in job.get("after_script", ()):
            # one that fails ends the script, and what comes after it would not be done
            is_ours = line == ".venv/bin/dyno evidence push || true"
            assert is_ours or line.split()[1] in targets, line
    assert comments == 2
    trusted = content[".trusted"]
    assert trusted["environment"]["name"] == "dyno-comment"
    assert trusted["before_script"][1] == "git checkout --force FETCH_HEAD"


def test_scheduled_jobs_with_a_role_have_environments_of_their_own() -> None:
    """With the branch's subject, what takes over a sweep could plan and tune."""
    expected = {
        "sweep": SWEEP_ENVIRONMENT,
        "tune": TUNE_ENVIRONMENT,
        "measure": MAIN_ENVIRONMENT,
    }
    for path in WORKFLOWS:
        for name, job in jobs(path):
            if "schedule" in yaml.safe_load(path.read_text())[True] and "id-token" in str(job):
                assert job["environment"] == expected.pop(name), path.name
    assert expected == {}


def test_what_others_left_in_the_account_fails_no_pull_request() -> None:
    """The nightly sweep says it."""
    for path in (PROJECT / ".github" / "workflows" / "gate.yml", PROJECT / "action.yml"):
        (sweep,) = [step for step in steps(path) if "sweep" in step.get("run", "")]
        assert sweep["continue-on-error"] is True
        assert sweep["if"] == "always()"


def test_a_run_that_owns_resources_is_never_cancelled() -> None:
    """It would leave them to the sweeper."""
    for path in WORKFLOWS:
        content = yaml.safe_load(path.read_text())
        if "configure-aws-credentials" in path.read_text():
            assert content["concurrency"]["cancel-in-progress"] is False, path.name


def test_a_fork_gets_no_credentials() -> None:
    """The job that may assume a role runs for branches of this repository only."""
    gate = yaml.safe_load((PROJECT / ".github" / "workflows" / "gate.yml").read_text())
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    assert own in gate["jobs"]["account"]["if"]
    assert "id-token" not in gate["jobs"]["embedded"]["permissions"]
    assert all("pull_request_target" not in path.read_text() for path in WORKFLOWS)
