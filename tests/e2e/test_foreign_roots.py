"""Terraform roots of the shapes that people have: they work as they are, or get one clear line.

tests/data/roots has them, written after public ones (serverless-patterns, terraform-aws-modules,
HashiCorp's tutorials) with the AWS provider alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.user_project import PROJECT, processes_of
from tests.support.waiting import HANGS_S, RUN_HANGS_S

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2 * RUN_HANGS_S)]

ROOTS = PROJECT / "tests" / "data" / "roots"
WORKING = sorted(path.name for path in ROOTS.iterdir() if path.name != "refused")

REFUSED = {
    "another_region": 'Set region = "eu-central-1" under [environment] in envs/local/dyno.toml.',
    "fixed_names": "no variable name_prefix. Declare it (a string)",
    "import_of_a_queue": "envs/local: Cannot import non-existent remote object",
    "variable_without_a_value": (
        "envs/local: main.tf:9: No value for required variable: The root module input variable "
        '"vpc_id" is not set, and has no default value. Give it a default, or a value in '
        "envs/local/terraform.tfvars."
    ),
}
# By the plan, as roots without a provider are in unit/environments/test_apply.py, and far slower.
LATE = ("another_region", "import_of_a_queue", "variable_without_a_value")

FUNCTION = """\
def handler(event, context):
    return {"sum": sum(number * number for number in range(event.get("n", 1)))}
"""
HALF_WAY = """\
variable "name_prefix" { type = string }

resource "RESOURCE" "jobs" { ATTRIBUTE = "${var.name_prefix}-jobs" }

resource "terraform_data" "broken" {
  input = RESOURCE.jobs.id
  lifecycle {
    postcondition {
      condition     = self.output == "never"
      error_message = "told to fail"
    }
  }
}

output "function_arn" { value = "hello" }
"""
SETTINGS = """\
environment.emulated = true

[tuning]
power_values = [128, 512]
num = 5
payload = { n = 1000 }

[slo]
distance_from_best = 100.0
"""


def project(folder: Path, root: Path) -> Path:
    """Make a repository around a root: its settings and a function are all that is added."""
    shutil.copytree(root, folder)
    settings = folder / "envs" / "local" / "dyno.toml"
    own = settings.read_text() if settings.exists() else ""
    settings.write_text(own + SETTINGS)
    (folder / "lambda" / "hello").mkdir(parents=True)
    (folder / "lambda" / "hello" / "app.py").write_text(FUNCTION)
    (folder / "lambda" / "hello" / ".env").write_text("STAGE=dev")
    return folder


def dyno(
    folder: Path, *arguments: str, timeout_s: float = HANGS_S
) -> subprocess.CompletedProcess[str]:
    """Run a command there, with a profile and a workspace set that no root may ever use."""
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_CLI", "TF_W"))
    }
    return subprocess.run(
        [sys.executable, "-m", "lambda_dyno", *arguments],
        cwd=folder,
        env={
            **inherited,
            "PYTHONPATH": str(PROJECT / "harness"),
            "AWS_PROFILE": "nobody",
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return the line that a command ended with; there is one, and no traceback."""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return errors[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKING)
def test_a_root_of_a_shape_that_people_have_is_deployed_tuned_and_gone(
    tmp_path: Path, name: str
) -> None:
    """The deployed size is measured, whether it was asked for or not; nothing is left behind."""
    folder = project(tmp_path / name, ROOTS / name)
    done = dyno(folder, "run", "--json", timeout_s=RUN_HANGS_S)
    assert done.returncode == 0, done.stderr
    assert "lambda/hello: left out of the package: .env (secrets; " in done.stderr
    result = json.loads(done.stdout)
    assert result["verdict"]["outcome"] == "pass"
    measured = {detail["power"] for detail in result["tuning"]["details"]}
    assert measured == {128, 512, result["environment"]["outputs"]["memory_mb"]}
    assert result["leftovers"] == []
    assert processes_of(folder) == []


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in LATE else name for name in REFUSED],
)
def test_a_root_that_cannot_be_used_gets_one_line_before_anything_is_made(
    tmp_path: Path, name: str
) -> None:
    """Status 2; no lease is left, and nothing is tried for half a minute."""
    folder = project(tmp_path / name, ROOTS / "refused" / name)
    done = dyno(folder, "up")
    assert done.returncode == 2, done.stderr
    assert REFUSED[name] in error_of(done)
    assert "taking down again" not in done.stderr
    assert "teardown is not done" not in done.stderr
    leases = [json.loads(path.read_text()) for path in folder.glob("runs/*/lease.json")]
    assert [lease["state"] for lease in leases] in ([], ["down"])
    assert not list(folder.glob("runs/*/terraform/envs/local/*.tfstate"))
    assert processes_of(folder) == []


@pytest.mark.slow  # without a program: unit/environments/test_apply.py
@pytest.mark.parametrize(
    ("resource", "attribute"),
    [("terraform_data", "input"), ("aws_sns_topic", "name")],
)
def test_what_a_root_made_before_it_failed_is_taken_down(
    tmp_path: Path, resource: str, attribute: str
) -> None:
    """The state has it, so Terraform is asked; then the account is looked through."""
    folder = tmp_path / "half"
    (folder / "envs" / "local").mkdir(parents=True)
    root = HALF_WAY.replace("RESOURCE", resource).replace("ATTRIBUTE", attribute)
    (folder / "envs" / "local" / "main.tf").write_text(root)
    (folder / "envs" / "local" / "dyno.toml").write_text(SETTINGS)
    done = dyno(folder, "up", timeout_s=RUN_HANGS_S)
    assert done.returncode == 3, done.stderr
    assert "told to fail" in error_of(done)
    assert "nothing left behind" in done.stderr
    (run,) = folder.glob("runs/*")
    assert json.loads((run / "lease.json").read_text())["state"] == "down"
    told = (run / "logs/terraform-destroy.log").read_text()
    assert f"{resource}.jobs: Destruction complete" in told
