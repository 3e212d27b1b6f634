"""The pytest plugin for real: a gate in a repository of its own, and workers that go wrong."""

from __future__ import annotations

import re
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.support import user_project, wheel
from tests.support.waiting import HANGS_S, RUN_HANGS_S

pytestmark = pytest.mark.e2e

MORE_GATES = """
@pytest.mark.slo(cost_per_million_usd=0.0001)
@pytest.mark.tuning(power_values=[128, 512], num=10, payload={"n": 200_000})
def test_too_dear(tuning_result, slo):
    slo.check(tuning_result)


def test_without_an_api(load_result):
    raise SystemError


def test_that_is_wrong(dyno_environment):
    assert dyno_environment.outputs["memory_mb"] == 512
    raise ZeroDivisionError
"""


OF_ITS_OWN = """
import harness


def test_the_projects_own_harness_is_its_own():
    assert harness.MINE
"""


@pytest.mark.slow
def test_the_ten_line_gate_works_in_a_repository_of_its_own(tmp_path: Path) -> None:
    """As the README has it: deployed, tuned, judged, and gone; what is missed is a sentence.

    In an environment with the oldest libraries that the package allows, another boto3 than the
    embedded AWS's among them, and beside a `harness` of the repository's own.
    """
    package = wheel.build(tmp_path / "wheel")
    python = wheel.install_oldest(package, tmp_path / "environment")
    assert len(user_project.readme_blocks()["tests/test_gate.py"].strip().splitlines()) <= 10
    project = user_project.write(tmp_path / "mine")
    (project / "harness").mkdir()
    (project / "harness" / "__init__.py").write_text("MINE = True\n")
    (project / "conftest.py").touch()  # puts the repository where Python looks
    (project / "tests" / "test_harness.py").write_text(OF_ITS_OWN)
    with (project / "tests" / "test_gate.py").open("a") as gates:
        gates.write(MORE_GATES)
    process = user_project.start(
        project,
        *("--env", "local", "-rfs", "--junitxml=j.xml"),
        python=str(python),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    output, _ = process.communicate(timeout=RUN_HANGS_S)

    assert process.returncode == pytest.ExitCode.TESTS_FAILED, output
    assert "2 failed, 2 passed, 1 skipped" in output
    missed = "a million invocations at 512 MB cost "
    assert f"FAILED tests/test_gate.py::test_too_dear - {missed}" in output
    assert output.count("0.0001 USD, 10 invocations measured") == 3
    assert "SloMissedError" not in output
    assert "slo.check(tuning_result)" not in output  # no line of the test's code
    assert "envs/local has no output api_url" in output
    assert "raise ZeroDivisionError" in output  # a mistake of the test still has its traceback
    assert "Memory sizes, strategy balanced" in output
    assert output.count("Nothing left behind.") == 1
    for step in ("build", "up", "tune", "down"):  # told while it goes on
        assert f"✓ {step} " in output

    assert all(lease["state"] == "down" for lease in user_project.leases(project))
    assert len(user_project.leases(project)) == 2  # the environment and the tuner beside it
    assert user_project.processes_of(project) == []
    assert boto3_of(python) != boto3_of(
        *(tmp_path / "cache").glob("lambda-dyno/emulator/*/bin/python")
    )
    case = ET.parse(project / "j.xml").find(".//testcase[@name='test_too_dear']")
    assert case is not None
    properties = {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
    assert properties["cost_per_million_usd.outcome"] == "fail"
    assert properties["cost_per_million_usd.limit"] == "0.0001"
    assert (project / "runs" / properties["dyno.run_id"] / "report.html").stat().st_size > 0


def boto3_of(python: Path) -> str:
    """Return the release of boto3 that an environment has."""
    program = "import importlib.metadata as m; print(m.version('boto3'))"
    return subprocess.check_output([python, "-c", program], text=True)


OWN_WORKFLOW = """
resource "aws_iam_role" "workflow" {
  name = "${var.name_prefix}-workflow"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "states.amazonaws.com" }
    }]
  })
}

resource "aws_sfn_state_machine" "orders" {
  name     = "${var.name_prefix}-orders"
  role_arn = aws_iam_role.workflow.arn
  definition = jsonencode({
    StartAt = "Ship"
    States  = { Ship = { Type = "Succeed" } }
  })
}

output "state_machine_arn" { value = aws_sfn_state_machine.orders.arn }
"""
OF_OWN_WORKFLOW = """
import pytest


@pytest.mark.tuning(power_values=[128, 512], num=5, payload={"n": 1000})
def test_workflow(tuning_result, dyno_environment):
    states = dyno_environment.session.client("stepfunctions")
    arn = dyno_environment.outputs["state_machine_arn"]
    assert states.list_executions(stateMachineArn=arn)["executions"] == []
"""


@pytest.mark.slow
def test_a_workflow_of_the_users_own_is_not_started(tmp_path: Path) -> None:
    """An output state_machine_arn that is no power tuner: said, and one is deployed beside it."""
    project = user_project.write(tmp_path / "mine")
    (project / "envs" / "local" / "workflow.tf").write_text(OWN_WORKFLOW)
    (project / "tests" / "test_gate.py").write_text(OF_OWN_WORKFLOW)
    process = user_project.start(project, "--env", "local", "-rf")
    output, _ = process.communicate(timeout=HANGS_S)
    assert process.returncode == pytest.ExitCode.OK, output
    said = output.replace("\n", " ")
    assert "state machine of the output state_machine_arn is not started: it is no power" in said
    assert len(user_project.leases(project)) == 2  # the environment and the tuner beside it


WORKERS = """
import os
import time
from pathlib import Path

import pytest


@pytest.mark.parametrize("way", ["crash", "sleep"])
def test_alone(dyno_environment, way):
    lambdas = dyno_environment.session.client("lambda").list_functions()["Functions"]
    assert [f["FunctionName"] for f in lambdas] == [dyno_environment.outputs["function_name"]]
    Path(f"{way}.ready").touch()
    while way == "crash" and not Path("sleep.ready").exists():
        time.sleep(0.1)
    if way == "crash":
        os._exit(1)
    time.sleep(600)
"""


@pytest.mark.slow
def test_workers_are_isolated_and_nothing_of_them_is_left_however_they_end(tmp_path: Path) -> None:
    """Two accounts of one server; one worker crashes, then Ctrl-C: both environments go."""
    project = user_project.write(tmp_path / "mine")
    (project / "tests" / "test_gate.py").write_text(WORKERS)
    process = user_project.start(project, "--env", "local", "-n", "2", "--max-worker-restart=0")
    try:
        wait_for(project / "sleep.ready", process)
        wait_for(project / "crash.ready", process)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)  # to the process that started the workers alone
        output, _ = process.communicate(timeout=HANGS_S)
    finally:
        process.kill()

    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    found = user_project.leases(project)
    assert [lease["state"] for lease in found] == ["down", "down"], output
    assert len({lease["account_id"] for lease in found}) == 2
    assert len({lease["endpoint"] for lease in found}) == 1
    assert {lease["worker"] for lease in found} == {"gw0", "gw1"}
    # whichever of the two was ready first got the test that crashes
    assert re.search("dyno: taking down what gw[01] left", output)
    assert {"gw0 ✓ up", "gw1 ✓ up"} <= {line[:8] for line in output.splitlines()}
    assert "no tests ran" in output or "1 failed" in output
    assert list((project / "runs").glob(".gate-*")) == []
    assert user_project.processes_of(project) == []


DONE_AND_ALONE = """
import time
from pathlib import Path

import pytest
from lambda_dyno.plugin.fixtures import SESSION


@pytest.mark.parametrize("way", ["done", "alone"])
def test_one(dyno_environment, request, way):
    if way == "done":
        Path("done.ready").touch()
        return
    while not Path("done.ready").exists():
        time.sleep(0.1)
    with request.config.stash[SESSION].run.mode.guard.exclusive():
        Path("alone.ready").touch()
        time.sleep(600)
"""


@pytest.mark.slow
def test_a_worker_that_waits_for_its_teardown_is_not_interrupted(tmp_path: Path) -> None:
    """One is done and may not disturb the other, which measures: SIGTERM, and both go down."""
    project = user_project.write(tmp_path / "mine")
    (project / "tests" / "test_gate.py").write_text(DONE_AND_ALONE)
    process = user_project.start(project, "--env", "local", "-n", "2", "--max-worker-restart=0")
    try:
        wait_for(project / "alone.ready", process)
        process.terminate()
        output, _ = process.communicate(timeout=HANGS_S)
    finally:
        process.kill()

    assert [lease["state"] for lease in user_project.leases(project)] == ["down", "down"], output
    assert "taking down what" not in output  # each worker did it itself
    assert list((project / "runs").glob(".gate-*")) == []
    assert user_project.processes_of(project) == []


def wait_for(path: Path, process: subprocess.Popen[str], deadline_s: float = HANGS_S) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + deadline_s
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"no {path.name}"
        time.sleep(0.1)
