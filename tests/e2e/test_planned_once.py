"""A root is planned, and so checked, before it is applied; the same files only once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from harness import aws, runs
from harness.environments import toolchain
from harness.environments.environment import Environment
from harness.local import server

pytestmark = pytest.mark.e2e

ROOT = 'variable "name_prefix" {}\noutput "function_arn" { value = "hello" }\n'


def planned(project: Path, account: aws.Account, root: str, server_home: Path | None) -> bool:
    """Apply a root of built-in resources, and return whether Terraform made a plan before."""
    home = str(server_home or "")
    folder = runs.create(project / "runs", "local", "dyno", timedelta(hours=1), server_home=home)
    source = project / "envs" / "local"
    source.mkdir(parents=True, exist_ok=True)
    (source / "main.tf").write_text(root)
    environment = Environment(folder, account, toolchain.prepare(project / ".cache"))
    environment.stage(project, {})
    assert environment.apply() == {"function_arn": "hello"}
    return (folder.logs / "terraform-plan.log").exists()


def test_in_an_embedded_aws_the_same_files_are_planned_once(
    embedded_aws: server.LocalServer, tmp_path: Path
) -> None:
    """A change, of the region too, is looked at again; in an account others may have come."""
    variables = embedded_aws.environment()
    account = aws.embedded(variables, embedded_aws.account_id, "us-east-1")
    elsewhere = aws.embedded(variables, embedded_aws.account_id, "eu-west-1")
    home = embedded_aws.home
    assert planned(tmp_path, account, ROOT, home)
    assert not planned(tmp_path, account, ROOT, home)
    assert planned(tmp_path, elsewhere, ROOT, home)
    assert planned(tmp_path, account, f"{ROOT}# changed\n", home)
    assert planned(tmp_path, account, ROOT, None)
