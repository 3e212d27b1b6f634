"""The command line: mistakes end with status 2 and one clear line, before anything is made."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from tests.support.bad_inputs import dyno

PROJECT = Path(__file__).parents[3]
MODEL = ("--cpu-ms", "17.2", "--memory-mb", "128")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the real environments."""
    ignore = shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__")
    for part in ("envs", "modules", "lambda", "postman"):
        shutil.copytree(PROJECT / part, tmp_path / part, ignore=ignore)
    (tmp_path / "node_modules").symlink_to(PROJECT / "node_modules")
    return tmp_path


def test_the_version_needs_no_command(tmp_path: Path) -> None:
    """And no project."""
    done = dyno(tmp_path, "--version")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("lambda-dyno 0.")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(["run", "--env", "staging"], "Known: dev, local, prod, test", id="env"),
        pytest.param(["run", "--power", "100"], "128 to 10240 MB", id="power-small"),
        pytest.param(["run", "--power", "20000"], "128 to 10240 MB", id="power-large"),
        pytest.param(["run", "--power", "a,b"], "--power a,b", id="power-words"),
        pytest.param(["run", "--num", "4"], "[tuning] num: 4", id="num"),
        pytest.param(["run", "--strategy", "fast"], "strategy", id="strategy"),
        pytest.param(["run", "--virtual-users", "-1"], "virtual_users: -1", id="users"),
        pytest.param(["run", "--env", "dev", "--region", "eu-west-1"], "no AWS cred", id="keys"),
        pytest.param(["up", "--env", "x"], "no such environment", id="up"),
        pytest.param(["tune", "--run", "x"], "RUN=x: no such run", id="run"),
        pytest.param(["down"], "no run with a standing environment", id="nothing-stands"),
        pytest.param(["sweep", "--older-than", "-1"], "0 to 100000", id="sweep"),
        pytest.param(["local", "env"], "dyno local start", id="local-env"),
        pytest.param(["local", "start", "--region", "mars"], "us-east-1", id="local-region"),
        pytest.param(["local", "start", "--concurrency", "0"], "1 to 1000", id="local-limit"),
        pytest.param(["local", "model", *MODEL, "--memory-mb", "100"], "128 to 10240", id="size"),
        pytest.param(["local", "model", *MODEL, "--cpu-ms", "-1"], "CPU time -1", id="cpu"),
        pytest.param(["local", "model", *MODEL, "--nope"], "No such option", id="unknown"),
    ],
)
def test_a_mistake_ends_with_status_2_and_makes_nothing(
    project: Path, arguments: list[str], complaint: str
) -> None:
    """What is wrong and what is allowed is on standard error; standard output stays empty."""
    done = dyno(project, *arguments)
    assert done.status == 2, done.err
    assert complaint in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert not (project / "runs").exists()


def test_model_answers_anywhere(tmp_path: Path) -> None:
    """A list with memory size, mean and deviation; no project and no server is needed."""
    done = dyno(tmp_path, "local", "model", "--cpu-ms", "17.2", "--memory-mb", "128,1024", "--json")
    assert done.status == 0, done.err
    small, large = json.loads(done.out)
    assert [small["memory_mb"], large["memory_mb"]] == [128, 1024]
    assert small["duration_ms"].keys() == {"mean", "std"}
    assert small["duration_ms"]["mean"] == pytest.approx(224, rel=0.05), "AWS's own: 223.4 ms"


def test_a_mistyped_key_names_file_key_and_what_is_allowed(project: Path) -> None:
    """Before anything is made."""
    (project / "envs" / "local" / "dyno.toml").write_text("[load]\nvirtual_user = 1\n")
    done = dyno(project, "run")
    assert done.status == 2
    assert "envs/local/dyno.toml: [load] virtual_user: unknown key; allowed: " in done.err


@pytest.mark.parametrize("command", [("run",), ("up",), ("deploy", "--env", "dev")])
def test_a_collection_that_cannot_run_is_refused(project: Path, command: tuple[str, ...]) -> None:
    """Before anything is deployed for it."""
    (project / "postman" / "load.postman_collection.json").write_text('{"item": []}')
    done = dyno(project, *command)
    assert (done.status, done.out) == (2, "")
    (line,) = done.err.strip().splitlines()
    assert line.endswith("postman/load.postman_collection.json: the collection has no request")
    assert not (project / "runs").exists()


def test_a_port_in_use_is_refused(project: Path) -> None:
    """It says so and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = dyno(project, "run", "--port", str(port))
    assert done.status == 2
    assert f"port {port}" in done.err
    assert "in use" in done.err
    assert not (project / "runs").exists()


def test_a_node_that_is_too_old_is_refused(project: Path, tmp_path: Path) -> None:
    """Newman needs 20."""
    node = tmp_path / "bin" / "node"
    node.parent.mkdir()
    node.write_text("#!/bin/sh\necho v18.20.4\n")
    node.chmod(0o755)
    done = dyno(project, "run", PATH=f"{node.parent}:{os.environ['PATH']}")
    assert done.status == 2
    assert "18.20.4" in done.err
    assert "20" in done.err


def test_no_terraform_and_no_network_is_refused(project: Path, tmp_path: Path) -> None:
    """It says where to get Terraform."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("node", "git", "sh"):
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    proxy = "http://127.0.0.1:9"
    done = dyno(project, "run", PATH=str(tools), HTTPS_PROXY=proxy, https_proxy=proxy)
    assert done.status == 2
    assert "no Terraform" in done.err
    assert "https://developer.hashicorp.com/terraform/install" in done.err
    assert not (project / "runs").exists()


def test_help_teaches_the_exit_status(project: Path) -> None:
    """A script's author finds it there."""
    done = dyno(project, "run", "--help")
    assert done.status == 0
    for status in (
        "0 everything passed",
        "1 an SLO is missed",
        "2 your mistake",
        "3 a step failed",
    ):
        assert status in " ".join(done.out.split())
