"""`dyno apply --write`, `dyno rollback --write`: files of SAM, Serverless, CDK, Terraform."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.results import RunResult
from tests.support import github_server
from tests.support import report_samples as samples
from tests.support.github_server import REPOSITORY, TOKEN
from tests.support.review_project import Project, good_run

ARN = "arn:aws:lambda:us-east-2:123456789012:function:shop-Orders-1A2B3C4D5E6F"
TEMPLATE = """\
Resources:
  Orders:   # the first one
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      MemorySize: 128   # as it was
  Stock: {Type: AWS::Serverless::Function, Properties: {MemorySize: 128}}
"""


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A SAM service in git: no envs/, and no file of ours."""
    made = Project(tmp_path, monkeypatch, capsys)
    made.git("rm", "-rq", "envs", "modules")
    (made.folder / "template.yaml").write_text(TEMPLATE)
    made.commit("A SAM service")
    made.git("push", "-q", "origin", "main")
    return made


def run_of_function(**changes: Any) -> RunResult:
    """A tuning of a deployed function on AWS: 512 MB in place of 128."""
    tuning = replace(samples.TUNING, function_arn=ARN, current_power=128)
    settings = {"tuning": {"function_arn": ARN}}
    return replace(
        good_run(settings=settings, tuning=tuning),
        env="function shop-Orders-1A2B3C4D5E6F",
        **{"verdict": None, "load": (), "smoke": None, **changes},
    )


def test_one_number_changes_and_the_commit_has_the_evidence(project: Project) -> None:
    """And the next one finds nothing to do."""
    run_id = project.add_run(run_of_function())
    done = project.dyno("apply", run_id, "--write", "template.yaml", "--commit")
    assert done.status == 0, done.err
    text = (project.folder / "template.yaml").read_text()
    assert text == TEMPLATE.replace("128   # as it was", "512   # as it was")
    message = project.git("log", "-1", "--format=%B")
    assert message.startswith("Set memory of Orders to 512 MB\n")
    trailers = f"Dyno-Run: {run_id}\nDyno-Resource: Orders\nDyno-Size: 512\nDyno-Former: 128"
    assert message.strip().endswith(trailers)
    again = project.dyno("apply", run_id, "--write", "template.yaml")
    assert (again.status, "says so of Orders" in again.err) == (2, True)
    calm = project.dyno("apply", run_id, "--write", "template.yaml", "--if-needed", "--json")
    assert calm.json["mode"] == "none"


def test_a_dry_run_shows_the_diff_and_writes_nothing(project: Project) -> None:
    """For people, and for programs."""
    run_id = project.add_run(run_of_function())
    done = project.dyno("apply", run_id, "--write", "template.yaml", "--dry-run")
    assert done.status == 0, done.err
    assert "-      MemorySize: 128   # as it was\n+      MemorySize: 512   # as it was" in done.out
    shown = project.dyno("apply", run_id, "--write", "template.yaml", "--dry-run", "--json").json
    assert (shown["mode"], shown["memory_mb"], shown["former_memory_mb"]) == ("dry-run", 512, 128)
    assert (project.folder / "template.yaml").read_text() == TEMPLATE
    assert project.git("status", "--porcelain") == ""


def test_from_a_folder_below_with_another_name(project: Project) -> None:
    """The path is the working folder's; the resource is named."""
    below = project.folder / "service"
    below.mkdir()
    (below / "serverless.yml").write_text(
        "service: x\nprovider: {name: aws}\nfunctions:\n  a: {handler: h.h, memorySize: 128}\n"
    )
    project.commit("A service")
    run_id = project.add_run(run_of_function())
    os.chdir(below)
    done = project.dyno("apply", run_id, "--write", "serverless.yml", "--resource", "a", "--json")
    assert done.status == 0, done.err
    assert done.json["path"] == "service/serverless.yml"
    assert "memorySize: 512}" in (below / "serverless.yml").read_text()


def test_back_and_no_further(project: Project) -> None:
    """The former size is in git's history; what somebody changed since stays."""
    path = project.folder / "template.yaml"
    run_id = project.add_run(run_of_function())
    assert project.dyno("apply", run_id, "--write", "template.yaml", "--commit").status == 0
    diff = project.dyno("rollback", "--write", "template.yaml", "--dry-run")
    assert "+      MemorySize: 128   # as it was" in diff.out
    done = project.dyno("rollback", "--write", "template.yaml", "--commit")
    assert done.status == 0, done.err
    assert path.read_text() == TEMPLATE
    again = project.dyno("rollback", "--write", "template.yaml")
    assert (again.status, "there is nothing to roll back" in again.err) == (2, True)
    assert project.dyno("apply", run_id, "--write", "template.yaml", "--commit").status == 0
    path.write_text(path.read_text().replace("512", "1024"))
    project.commit("By hand")
    changed = project.dyno("rollback", "--write", "template.yaml", "--resource", "Orders")
    assert (changed.status, "somebody has changed it since" in changed.err) == (2, True)


def test_a_pull_request_changes_the_file_on_the_remote_alone(project: Project) -> None:
    """Its text says how to undo it; the working tree stays as it is."""
    run_id = project.add_run(run_of_function())
    with github_server.running() as server:
        done = project.dyno(
            *("apply", run_id, "--write", "template.yaml", "--open-pr", "--json"),
            GITHUB_API_URL=server.url,
            GITHUB_REPOSITORY=REPOSITORY,
            GITHUB_TOKEN=TOKEN,
        )
        assert done.status == 0, done.err
        (pull,) = server.pulls
    assert "`dyno rollback --write template.yaml`" in json.dumps(pull)
    assert project.git("status", "--porcelain") == ""
    assert "512" in project.on_remote("show", "dyno/memory-Orders:template.yaml")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--write", "nothing.yaml"), "--write nothing.yaml: not a file that is there"),
        (("--write", "."), "--write .: not a file that is there"),
        (("--write", "link.yaml"), "--write link.yaml: a link"),
        (("--write", "../outside.yaml"), "--write ../outside.yaml: not in the project"),
        (("--write", ".git/config"), "a file of git's own"),
        (("--write", "x\0y"), "no file can have such a name"),
        (("--resource", "Orders"), "it names a function in the file of --write"),
        (("--write", "template.yaml", "--resource", "a b"), "a logical id, a function's key"),
        (
            ("--write", "template.yaml", "--resource", "Nobody"),
            "no function of that name; there is",
        ),
        (("--write", "template.yaml", "--env", "dev"), "not for dev"),
        (("--write", "template.yaml", "--commit", "--auto"), "give one of them"),
    ],
)
def test_what_is_wrong_is_one_line(project: Project, arguments: tuple[str, ...], why: str) -> None:
    """Exit status 2, and nothing is written."""
    (project.folder / "link.yaml").symlink_to("template.yaml")
    (project.folder.parent / "outside.yaml").write_text(TEMPLATE)
    run_id = project.add_run(run_of_function())
    done = project.dyno("apply", run_id, *arguments)
    assert (done.status, why in done.err) == (2, True), done.err
    assert (project.folder / "template.yaml").read_text() == TEMPLATE
    assert (project.folder.parent / "outside.yaml").read_text() == TEMPLATE


def test_a_run_of_the_embedded_aws_is_no_evidence(project: Project) -> None:
    """By force it is written, and the commit says so."""
    run_id = project.add_run(run_of_function(endpoint="http://127.0.0.1:4566"))
    done = project.dyno("apply", run_id, "--write", "template.yaml")
    assert done.status == 2
    assert "measured the embedded AWS, which is no evidence for function shop-Orders" in done.err
    forced = project.dyno("apply", run_id, "--write", "template.yaml", "--force", "--commit")
    assert forced.status == 0, forced.err
    assert "Forced, although" in project.git("log", "-1", "--format=%B")


def test_another_size_in_the_file_than_was_measured_is_refused(project: Project) -> None:
    """The run says nothing of what would be deployed next."""
    (project.folder / "template.yaml").write_text(TEMPLATE.replace("128   #", "256   #"))
    project.commit("Another size")
    run_id = project.add_run(run_of_function())
    done = project.dyno("apply", run_id, "--write", "template.yaml")
    assert done.status == 2
    assert "at 128 MB, and template.yaml says 256 MB of Orders" in done.err


def test_a_file_with_changes_of_somebody_s_is_left_alone(project: Project) -> None:
    """As with every other file of `dyno apply`."""
    (project.folder / "template.yaml").write_text(TEMPLATE + "# more\n")
    run_id = project.add_run(run_of_function())
    done = project.dyno("apply", run_id, "--write", "template.yaml")
    assert (done.status, "has changes that are not committed" in done.err) == (2, True)


def test_the_mode_and_the_line_ends_of_a_file_stay(project: Project) -> None:
    """What an editor of Windows wrote is written back as it was."""
    path = project.folder / "template.yaml"
    path.write_bytes(TEMPLATE.replace("\n", "\r\n").encode())
    path.chmod(0o755)
    project.git("config", "core.autocrlf", "false")
    project.commit("Of Windows")
    run_id = project.add_run(run_of_function())
    assert project.dyno("apply", run_id, "--write", "template.yaml").status == 0
    expected = TEMPLATE.replace("128   #", "512   #").replace("\n", "\r\n").encode()
    assert path.read_bytes() == expected
    assert path.stat().st_mode & 0o777 == 0o755
