"""A root is planned, and so checked, before it is applied; the same files only once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lambda_dyno.aws import accounts
from lambda_dyno.emulator import server
from lambda_dyno.environments.environment import Environment
from lambda_dyno.runs import run_folder
from lambda_dyno.terraform import toolchain

pytestmark = pytest.mark.e2e

ROOT = 'variable "name_prefix" {}\noutput "function_arn" { value = "hello" }\n'


def planned(project: Path, account: accounts.Account, root: str, server_home: Path | None) -> bool:
    """Apply a root of built-in resources, and return whether Terraform made a plan before."""
    home = str(server_home or "")
    folder = run_folder.create(
        project / "runs", "local", "dyno", timedelta(hours=1), server_home=home
    )
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
    account = accounts.embedded(variables, embedded_aws.account_id, "us-east-1")
    elsewhere = accounts.embedded(variables, embedded_aws.account_id, "eu-west-1")
    home = embedded_aws.home
    assert planned(tmp_path, account, ROOT, home)
    assert not planned(tmp_path, account, ROOT, home)
    assert planned(tmp_path, elsewhere, ROOT, home)
    assert planned(tmp_path, account, f"{ROOT}# changed\n", home)
    assert planned(tmp_path, account, ROOT, None)
