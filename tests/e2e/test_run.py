"""The main job on the embedded AWS: whole, interrupted, broken, and side by side."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import jsonschema
import psutil
import pytest

from lambda_dyno.emulator.server import LocalServer
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.run import build, ending, prepare
from lambda_dyno.run.steps import smoke, up
from lambda_dyno.runs import run_folder
from tests.support.waiting import RUN_HANGS_S

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2 * RUN_HANGS_S)]

PROJECT = Path(__file__).parents[2]
_STARTED: list[subprocess.Popen[str]] = []
QUICK = ["--num", "5", "--duration-s", "6", "--virtual-users", "1", "--pacing-ms", "500"]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project of its own with the real sources; no process of it is left at the end."""
    ignore = shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__")
    for part in ("envs", "modules", "lambda", "postman"):
        shutil.copytree(PROJECT / part, tmp_path / part, ignore=ignore)
    (tmp_path / "node_modules").symlink_to(PROJECT / "node_modules")
    (PROJECT / ".cache").mkdir(exist_ok=True)  # what is measured once per machine is in it
    (tmp_path / ".cache").symlink_to(PROJECT / ".cache")
    yield tmp_path
    end_all()
    assert processes_of(tmp_path) == []


def processes_of(project: Path) -> list[str]:
    """Return the command lines of processes that belong to a project."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        if process.info["pid"] == os.getpid():
            continue
        text = " ".join(process.info["cmdline"] or [])
        if str(project) in text or str(process.info["cwd"] or "").startswith(str(project)):
            found.append(text)
    return found


def start(project: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start `dyno` in a project, with no AWS in its environment but what is given."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    with (project / "stderr").open("a") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "lambda_dyno", *arguments],
            cwd=project,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**inherited, "PYTHONPATH": str(PROJECT / "harness"), **environment},
        )
    _STARTED.append(process)
    return process


def end_all() -> None:
    """End what a test that failed has left running: it is no other test's trouble."""
    while _STARTED:
        process = _STARTED.pop()
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=RUN_HANGS_S)


def finish(process: subprocess.Popen[str], timeout_s: float = RUN_HANGS_S) -> str:
    """Wait for a process and return what it printed."""
    try:
        return process.communicate(timeout=timeout_s)[0]
    except subprocess.TimeoutExpired:
        process.terminate()  # it is no other test's trouble
        process.communicate()
        raise


def wait_for_step(project: Path, step: str, deadline_s: float = RUN_HANGS_S) -> Path:
    """Return the folder of the run that has come to a step."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if f"… {step}" in (project / "stderr").read_text():
            return next((project / "runs").glob("[0-9]*"))
        time.sleep(0.1)
    raise AssertionError((project / "stderr").read_text())


def wait_for_text(project: Path, text: str, deadline_s: float = RUN_HANGS_S) -> None:
    """Wait until a run has told something."""
    deadline = time.monotonic() + deadline_s
    while text not in (project / "stderr").read_text():
        assert time.monotonic() < deadline, (project / "stderr").read_text()
        time.sleep(0.1)


def test_the_whole_line_measures_judges_and_leaves_nothing(project: Path) -> None:
    """The result follows its schema, the curve falls as on AWS, and teardown is proven."""
    done = start(project, "run", "--power", "128,1024", "--strategy", "speed", *QUICK, "--json")
    output = finish(done)

    result = json.loads(output)
    assert done.returncode in (0, 1), (project / "stderr").read_text()
    schema = json.loads(
        (PROJECT / "harness" / "lambda_dyno" / "schemas" / "result.schema.json").read_text()
    )
    jsonschema.validate(result, schema)
    assert result["error"] == ""
    assert result["leftovers"] == []
    assert list(result["timings"]) == [
        "build",
        "up",
        "smoke",
        "workload",
        "tune",
        "load",
        "gate",
        "report",
        "down",
    ]

    at = {detail["power"]: detail for detail in result["tuning"]["details"]}
    assert at[128]["duration_ms"]["trimmed_mean"] > 2 * at[1024]["duration_ms"]["trimmed_mean"]
    # five are rounded up to a pass of the ten requests that are loaded
    assert all(detail["count"] == 10 and detail["errors"] == 0 for detail in at.values())
    names = [request["name"] for request in at[128]["requests"]]
    assert (len(names), names[0], names[-1]) == (10, "create", "delete item")
    assert sorted(at) == [128, 1024]
    assert result["tuning"]["power"] == 1024
    assert [(load["label"], load["memory_mb"]) for load in result["load"]] == [
        ("current", 128),
        ("recommended", 1024),
    ]
    for load in result["load"]:
        assert load["requests"] > 0
        assert load["errors"] == 0
        assert load["answers"]["counted"] >= load["requests"]
        assert load["prediction"]["p50_ms"] > load["prediction"]["api_ms"]
    # the size that it found is judged, the one that it had is shown
    checks = {check["name"]: check for check in result["verdict"]["checks"]}
    assert checks["distance_from_best"]["measured"] == 0
    assert checks["distance_from_best"]["now"] > 0
    assert "at 1,024 MB" in checks["cost_per_million_usd"]["reason"]

    (kept,) = json.loads(finish(start(project, "history", "--json")))
    assert (kept["run_id"], kept["mode"], kept["is_embedded"]) == (result["run_id"], "run", True)
    assert (kept["function_name"], kept["env"], kept["recommended_mb"]) == (
        "crud-api",
        "local",
        1024,
    )
    assert kept["duration_ms"] == at[128]["duration_ms"]["trimmed_mean"]
    assert kept["p95_ms"] == result["load"][0]["latency_ms"]["p95"]

    folder = project / "runs" / result["run_id"]
    for name in ("result.json", "report.html", "report.md", "junit.xml"):
        assert (folder / name).stat().st_size > 0
    assert run_folder.RunFolder(folder).read_lease().state == "down"
    assert not (folder / "local" / "tmp").exists()


@pytest.mark.slow
def test_two_at_once_and_ctrl_c_in_the_middle_of_one(project: Path) -> None:
    """It keeps what it measured and takes its environment down, unnoticed by the other."""
    interrupted = start(project, "run", "--power", "128,256", *QUICK)
    folder = wait_for_step(project, "tune")
    other = start(project, "run", "--power", "128,256", *QUICK, "--json")
    wait_for_text(project, "✓ tune")
    interrupted.send_signal(signal.SIGINT)
    finish(interrupted)
    result = json.loads(finish(other))

    assert interrupted.returncode == 130
    assert run_folder.RunFolder(folder).read_lease().state == "down"
    before = json.loads((folder / "result.json").read_text())
    assert (before["error"], before["leftovers"]) == ("interrupted", [])
    assert before["tuning"]["details"]
    assert (folder / "report.html").exists()

    assert other.returncode in (0, 1), (project / "stderr").read_text()
    assert result["error"] == ""
    assert result["leftovers"] == []


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_finished_step(project: Path) -> None:
    """Its embedded AWS ended with it: up again, and what was tuned is not tuned again."""
    killed = start(project, "run", "--power", "128,256", *QUICK)
    folder = wait_for_step(project, "load")
    killed.kill()
    finish(killed)
    before = json.loads((folder / "result.json").read_text())
    assert before["tuning"]["details"]

    (project / "stderr").unlink()
    resumed = start(project, "run", "--resume", folder.name, "--json")
    result = json.loads(finish(resumed))
    told = (project / "stderr").read_text()
    assert resumed.returncode in (0, 1), told
    assert "finished before: tune" in told
    assert "… tune" not in told
    assert result["tuning"] == before["tuning"]
    assert result["settings"] == before["settings"]
    assert (result["error"], result["leftovers"]) == ("", [])
    assert result["verdict"] is not None
    assert all(load["requests"] > 0 for load in result["load"])

    again = start(project, "run", "--resume", folder.name)
    finish(again)
    assert again.returncode == 2
    assert "is finished, so there is nothing to go on with" in (project / "stderr").read_text()


@pytest.mark.slow  # of a small root: test_foreign_roots.py
def test_a_failing_apply_is_taken_down_and_told(project: Path) -> None:
    """Half of the environment is there when it breaks; nothing of it stays."""
    with (project / "envs" / "local" / "main.tf").open("a") as root:
        root.write(
            'resource "terraform_data" "breaks" {\n'
            "  lifecycle {\n"
            "    precondition {\n"
            '      condition     = module.environment.api_url == ""\n'
            '      error_message = "broken on purpose"\n'
            "    }\n"
            "  }\n"
            "}\n"
        )
    process = start(project, "run", *QUICK, "--json")
    result = json.loads(finish(process))
    assert process.returncode == 3
    assert "broken on purpose" in result["error"]
    assert result["leftovers"] == []
    assert result["tuning"] is None
    assert "broken on purpose" in (project / "stderr").read_text()


@pytest.mark.slow
def test_a_disk_that_refuses_in_the_middle_is_named_and_all_is_taken_down(project: Path) -> None:
    """What the system refuses is told with its path; nothing stays, and it is no missed SLO."""
    process = start(project, "run", *QUICK, "--json")
    deadline = time.monotonic() + RUN_HANGS_S
    while not (found := list((project / "runs").glob("*/terraform"))):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    in_the_way = found[0].parent / "load"
    in_the_way.touch()
    result = json.loads(finish(process))
    told = (project / "stderr").read_text()
    assert process.returncode == 3
    assert f"{in_the_way}: File exists" in told
    assert "Traceback" not in told
    assert result["leftovers"] == []
    assert result["tuning"] is not None, "what was measured is kept"


@pytest.mark.slow
def test_an_account_is_used_through_the_s3_backend_and_left_as_it_was(
    project: Path, embedded_aws: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENV=dev at an endpoint: bucket, lock, signed requests, an empty plan, no trace."""
    account = "123412341234"
    for name, value in embedded_aws.environment(account).items():
        monkeypatch.setenv(name, value)
    refused = start(project, "up", "--env", "dev", **embedded_aws.environment(account))
    finish(refused)
    assert refused.returncode == 2
    bucket = f"dyno-state-{account}-{embedded_aws.region}"
    assert f"aws s3api create-bucket --bucket {bucket}" in (project / "stderr").read_text()

    s3 = boto3.Session().client("s3")
    s3.create_bucket(Bucket=bucket)
    before = inventory()
    run = prepare.prepare(project, "dev", TerminalUi())
    try:
        up.step(run, build.step(run))
        assert run.environment.plan() == []
        assert smoke.step(run).passed
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 2  # the state and the lease
        assert run.result.outputs["api_authorization"] == "AWS_IAM"
    finally:
        ending.down(run)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert inventory() == before


def inventory() -> dict[str, list[Any]]:
    """Return the names of everything that an environment may consist of."""
    aws = boto3.Session()  # not the module's own, which remembers another test's account
    return {
        "functions": aws.client("lambda").list_functions()["Functions"],
        "roles": [role["RoleName"] for role in aws.client("iam").list_roles()["Roles"]],
        "tables": aws.client("dynamodb").list_tables()["TableNames"],
        "apis": aws.client("apigateway").get_rest_apis()["items"],
        "machines": aws.client("stepfunctions").list_state_machines()["stateMachines"],
        "rules": aws.client("events").list_rules()["Rules"],
        "logs": aws.client("logs").describe_log_groups()["logGroups"],
        "buckets": [b["Name"] for b in aws.client("s3").list_buckets()["Buckets"]],
    }
