"""A candidate against its baseline on the embedded AWS: slowed, sped up, and interrupted."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.e2e import test_run as whole_line
from tests.support import user_project
from tests.support.git_commands import commit_all, git
from tests.support.waiting import RUN_HANGS_S

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(3 * RUN_HANGS_S)]

SCHEMA = whole_line.PROJECT / "harness" / "lambda_dyno" / "schemas" / "result.schema.json"
SETTINGS = """
[regression]
checks = ["p50", "cost"]
alpha = 0.05
pairs = 7
looks = 1
turn_s = 2.5
invocations = 6
"""
# Far more than 30 % of what a request takes: a quick test needs a plain difference.
SLOWER = """

import time as _time

_handler = handler


def handler(event, context):
    end = _time.thread_time() + 0.006
    while _time.thread_time() < end:
        pass
    return _handler(event, context)
"""
QUICK = [
    *("--power", "512", "--num", "5", "--virtual-users", "4", "--pacing-ms", "1000"),
    *("--duration-s", "6", "--ramp-up-s", "1"),
]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A repository of its own with the real sources as its main branch."""
    ignore = shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__")
    for part in ("envs", "modules", "lambda", "postman"):
        shutil.copytree(whole_line.PROJECT / part, tmp_path / part, ignore=ignore)
    settings = tmp_path / "envs" / "local" / "dyno.toml"
    before, _, _ = settings.read_text().partition("[regression]")
    settings.write_text(before + SETTINGS)
    commit_all(tmp_path)
    for name in ("node_modules", ".cache"):
        (tmp_path / name).symlink_to(whole_line.PROJECT / name)
    yield tmp_path
    whole_line.end_all()
    assert whole_line.processes_of(tmp_path) == []


def slow_down(project: Path) -> None:
    handler = project / "lambda" / "crud_api" / "crud_api" / "handler.py"
    handler.write_text(handler.read_text() + SLOWER)


def compare(project: Path, baseline: str) -> tuple[dict[str, Any], int]:
    """Return the result of a run against a baseline, and its exit status."""
    process = whole_line.start(project, "run", "--baseline", baseline, *QUICK, "--json")
    output = whole_line.finish(process)
    assert output, (project / "stderr").read_text()
    result: dict[str, Any] = json.loads(output)
    jsonschema.validate(result, json.loads(SCHEMA.read_text()))
    assert result["error"] == "", result["error"]
    return result, process.returncode


def test_a_slower_candidate_fails_and_a_faster_one_passes(project: Path) -> None:
    """Against main, and against the run of the slow version; nothing of either is left.

    A busy machine decides nothing, and says so.
    """
    slow_down(project)
    slower, status = compare(project, "main")
    found = slower["regression"]
    assert found["baseline"].startswith("main (")
    if not found["saturated"]:
        assert (found["outcome"], found["pairs"], status) == ("fail", 7, 1)
        by_name = {check["name"]: check for check in found["checks"]}
        assert by_name["p50"]["ratio_low"] > 1  # 6 ms of a direct invocation's 70 may stay open
        reasons = [check["reason"] for check in slower["verdict"]["checks"]]
        assert any("worse than the baseline, 5 % allowed" in reason for reason in reasons)
    assert found["outcome"] != "pass"

    git(project, "checkout", "--", "lambda")
    faster, _ = compare(project, slower["run_id"])
    found = faster["regression"]
    assert found["baseline"] == f"run {slower['run_id']}"
    assert found["outcome"] == ("inconclusive" if found["saturated"] else "pass")

    leases = [json.loads(path.read_text()) for path in project.glob("runs/*/lease.json")]
    assert [lease["state"] for lease in leases] == ["down"] * 4
    assert "Against the baseline" in (project / "runs" / faster["run_id"] / "report.md").read_text()


def test_ctrl_c_takes_both_environments_down(project: Path) -> None:
    """While they are measured: the candidate's and the baseline's."""
    process = whole_line.start(project, "run", "--baseline", "main", *QUICK)
    whole_line.wait_for_text(project, "… compare")
    process.send_signal(signal.SIGINT)
    whole_line.finish(process)
    assert process.returncode == 130
    leases = [json.loads(path.read_text()) for path in project.glob("runs/*/lease.json")]
    assert [lease["state"] for lease in leases] == ["down", "down"]
    assert len({lease["name_prefix"] for lease in leases}) == 2
    told = (project / "stderr").read_text()  # a slow step tells more than once how far it is
    assert len(re.findall(r"^✓ down .* nothing left behind", told, re.M)) == 2, told


GATE = """
import pytest


@pytest.mark.tuning(payload={"n": 200_000})
@pytest.mark.regression(checks=["p50", "cost"], alpha=0.05, pairs=6, looks=1, invocations=3)
def test_gate(regression_result, slo):
    slo.check(regression_result)
"""


def test_a_function_without_an_api_is_compared_by_its_cost(tmp_path: Path) -> None:
    """In somebody else's repository: twice the work fails with a sentence, and all is gone."""
    mine = user_project.write(tmp_path / "mine")
    (mine / "tests" / "test_gate.py").write_text(GATE)
    git(mine, "init", "--quiet", "--initial-branch", "main")
    git(mine, "add", ".")
    git(mine, "commit", "--quiet", "--message", "One")
    function = mine / "lambda" / "hello" / "app.py"
    function.write_text(function.read_text().replace('event["n"]', '2 * event["n"]'))

    process = user_project.start(mine, "--env", "local", "--baseline", "main", "-rf")
    output, _ = process.communicate(timeout=RUN_HANGS_S)
    assert process.returncode == pytest.ExitCode.TESTS_FAILED, output
    assert "FAILED tests/test_gate.py::test_gate - cost is " in output
    assert "% worse than the baseline, 5 % allowed" in output
    assert "latencies are not compared: envs/local has no output api_url" in output
    assert [lease["state"] for lease in user_project.leases(mine)] == ["down", "down"]
    assert user_project.processes_of(mine) == []
