"""Workflows call make targets and dyno commands, and hold what our security rules say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli import app

pytestmark = pytest.mark.contract

PROJECT = Path(__file__).parents[2]
WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
FILES = [*WORKFLOWS, PROJECT / "action.yml"]

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
    }
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
    for line in re.findall(r"^ {6}(?:contents|id-token|pull-requests): .*$", text, re.MULTILINE):
        assert re.search(r": (read|write) # \w", line), line
    for step in steps(path):
        if str(step.get("uses", "")).startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


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
