"""A root of somebody else that gets an AWS provider which cannot work on the embedded AWS."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.test_run import PROJECT, processes_of
from tests.support.user_project import write
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.e2e

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
SYSTEM = f"{sys.platform}_{_MACHINES.get(platform.machine(), platform.machine())}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The README's ten lines, from before they named a provider."""
    folder = write(tmp_path / "project")
    root = folder / "envs" / "local" / "main.tf"
    text = root.read_text()
    root.write_text(text[text.index('variable "name_prefix"') :])
    return folder


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A mirror with provider 6.23.0 in the place of the registry; it is chosen, never started."""
    folder = tmp_path / "mirror/registry.terraform.io/hashicorp/aws/6.23.0" / SYSTEM
    folder.mkdir(parents=True)
    program = folder / "terraform-provider-aws_v6.23.0_x5"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    return tmp_path / "mirror"


@pytest.mark.parametrize(
    "command", ["run", *(pytest.param(one, marks=pytest.mark.slow) for one in ("plan", "up"))]
)
def test_it_gets_one_line_before_anything_is_made(
    project: Path, mirror: Path, command: str
) -> None:
    """Which version, why, and the line to write; then status 2, and nothing stands."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "lambda_dyno", command],
        cwd=project,
        env={**inherited, "PYTHONPATH": str(PROJECT / "harness"), "TF_PLUGIN_MIRROR": str(mirror)},
        capture_output=True,
        text=True,
        timeout=HANGS_S,
    )
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert "envs/local: Terraform chose version 6.23.0 of the AWS provider" in errors[0]
    assert 'aws = { source = "hashicorp/aws", version = "~> 5.100" }' in errors[0]
    assert "taking down" not in done.stderr
    assert processes_of(project) == []
