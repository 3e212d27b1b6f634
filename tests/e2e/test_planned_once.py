"""A root is planned, and so checked, before it is applied; the same files only once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lambda_dyno.aws import accounts
from lambda_dyno.aws.target import SharedEmulator, Target, of_account
from lambda_dyno.emulator import server
from lambda_dyno.environments.environment import Environment
from lambda_dyno.runs import run_folder
from lambda_dyno.terraform import toolchain

pytestmark = pytest.mark.e2e

ROOT = 'variable "name_prefix" {}\noutput "function_arn" { value = "hello" }\n'


class Elsewhere(SharedEmulator):
    """The same embedded AWS, in another region."""

    @property
    def account(self) -> accounts.Account:
        return replace(super().account, region="eu-west-1")


def planned(project: Path, target: Target, root: str) -> bool:
    """Apply a root of built-in resources, and return whether Terraform made a plan before."""
    folder = run_folder.create(project / "runs", "local", "dyno", timedelta(hours=1))
    source = project / "envs" / "local"
    source.mkdir(parents=True, exist_ok=True)
    (source / "main.tf").write_text(root)
    environment = Environment(folder, target, toolchain.prepare(project / ".cache"))
    environment.stage(project, {})
    assert environment.apply() == {"function_arn": "hello"}
    return (folder.logs / "terraform-plan.log").exists()


@pytest.mark.slow
def test_in_an_embedded_aws_the_same_files_are_planned_once(
    embedded_aws: server.LocalServer, tmp_path: Path
) -> None:
    """A change, of the region too, is looked at again; in an account others may have come."""
    here, elsewhere = SharedEmulator(embedded_aws.home), Elsewhere(embedded_aws.home)
    assert planned(tmp_path, here, ROOT)
    assert not planned(tmp_path, here, ROOT)
    assert planned(tmp_path, elsewhere, ROOT)
    assert planned(tmp_path, here, f"{ROOT}# changed\n")
    assert planned(tmp_path, of_account(here.account), ROOT)
