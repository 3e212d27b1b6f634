"""What a run lays over its copy of a root, merged by real Terraform."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.terraform import root_override, toolchain
from lambda_dyno.terraform.command import Terraform

BACKENDS = {
    "none": "",
    "cloud": 'cloud {\n    organization = "acme"\n    workspaces { name = "shop" }\n  }',
    "remote": 'backend "remote" {\n    organization = "acme"\n    workspaces { name = "x" }\n  }',
    "s3": 'backend "s3" {\n    bucket = "acme-state"\n    key = "prod.tfstate"\n  }',
    "local": 'backend "local" { path = "/nowhere/prod.tfstate" }',
    "http": 'backend "http" { address = "http://127.0.0.1:9/state" }',
}
PROVIDERS = """
terraform {
  required_providers {
    amazon = { source = "hashicorp/aws", version = "~> 5.100" }
    aws    = { source = "hashicorp/aws", version = "~> 5.100" }
    google = { source = "hashicorp/google" }
  }
}
provider "aws" {
  region              = "eu-west-1"
  profile             = var.profile
  access_key          = "test"
  allowed_account_ids = ["123456789012"]
  assume_role {
    role_arn = "arn:aws:iam::123456789012:role/deploy"
  }
  endpoints {
    lambda = "http://localhost:4566"
  }
}
provider "aws" {
  alias = "virginia"
  dynamic "assume_role_with_web_identity" {
    for_each = [1]
    content { role_arn = "arn:aws:iam::123456789012:role/x" }
  }
}
provider "amazon" {
  shared_credentials_files = ["~/.aws/other"]
}
provider "google" {
  access_key = "not ours"
}
"""
NOTHING = {"for_each": [], "content": {}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The copy of an empty root."""
    folder = tmp_path / "copies" / "envs" / "local"
    folder.mkdir(parents=True)
    return folder


def lay_over(root: Path, *, in_bucket: bool = False, stand_in: bool = True) -> list[str]:
    return root_override.write(root.parents[1], root, in_bucket=in_bucket, stand_in=stand_in)


def written(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / root_override.NAME).read_text())
    return content


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_state_is_the_runs_own_whatever_the_root_says(root: Path, backend: str) -> None:
    """Terraform is asked: it takes the override, and has no other place in it."""
    (root / "main.tf").write_text(
        f'terraform {{\n  {BACKENDS[backend]}\n}}\nresource "terraform_data" "x" {{}}\n'
    )
    lay_over(root)
    tools = toolchain.prepare(root.parents[2] / "cache")
    terraform = Terraform(root, tools, dict(os.environ), root.parents[2])
    terraform.init({})
    root_override.require_own_backend(root, {})
    terraform.apply()
    assert "terraform_data" in (root / "terraform.tfstate").read_text()


def test_a_backend_that_is_laid_over_ours_is_refused(root: Path) -> None:
    """Before anything is done with that state."""
    (root / "main.tf").write_text('resource "terraform_data" "x" {}\n')
    (root / "zzz_override.tf").write_text('terraform {\n  backend "inmem" {}\n}\n')
    lay_over(root)
    tools = toolchain.prepare(root.parents[2] / "cache")
    Terraform(root, tools, dict(os.environ), root.parents[2]).init({})
    with pytest.raises(UserError, match="the backend inmem of the root, and a run has a state of"):
        root_override.require_own_backend(root, {})


def test_a_state_in_a_bucket_is_locked_and_has_nothing_of_the_roots(root: Path) -> None:
    """Bucket, key and region come with init."""
    (root / "main.tf").write_text(f"terraform {{\n  {BACKENDS['s3']}\n}}\n")
    lay_over(root, in_bucket=True)
    s3 = {"use_lockfile": True, "skip_region_validation": True}
    assert written(root) == {"terraform": {"backend": {"s3": s3}}}


@pytest.mark.parametrize(
    ("chosen", "is_own"),
    [
        ({"type": "s3", "config": {"bucket": "ours", "key": "run"}}, True),
        ({"type": "s3", "config": {"bucket": "acme-state", "key": "run"}}, False),
        ({"type": "s3", "config": {"bucket": "ours", "key": "prod"}}, False),
        ({"type": "local", "config": {}}, False),
        ({"type": "cloud", "config": None}, False),
    ],
)
def test_the_bucket_that_terraform_chose_must_be_the_leases(
    root: Path, chosen: dict[str, Any], is_own: bool
) -> None:
    """What Terraform keeps of its choice, as it is after `init`."""
    (root / ".terraform").mkdir()
    (root / ".terraform" / "terraform.tfstate").write_text(json.dumps({"backend": chosen}))
    backend = {"bucket": "ours", "key": "run", "region": "eu-west-1"}
    if is_own:
        root_override.require_own_backend(root, backend)
        return
    with pytest.raises(UserError, match="a run has a state of its own"):
        root_override.require_own_backend(root, backend)


def test_on_a_stand_in_a_provider_has_neither_credentials_nor_a_place(root: Path) -> None:
    """By the names and aliases that the root gives it; others' providers are left alone."""
    (root / "main.tf").write_text(PROVIDERS)
    notes = lay_over(root)
    assert written(root)["provider"] == {
        "aws": [
            {
                "access_key": None,
                "allowed_account_ids": None,
                "profile": None,
                "dynamic": {"assume_role": NOTHING, "endpoints": NOTHING},
            },
            {"alias": "virginia", "dynamic": {"assume_role_with_web_identity": NOTHING}},
        ],
        "amazon": [{"shared_credentials_files": None}],
    }
    assert "envs/local: profile of the provider is not used" in notes
    assert "envs/local: assume_role_with_web_identity of the provider is not used" in notes


def test_in_an_account_a_provider_keeps_what_protects_it(root: Path) -> None:
    """The run's credentials, and the root's word on which accounts are allowed."""
    (root / "main.tf").write_text(PROVIDERS)
    lay_over(root, stand_in=False)
    first = written(root)["provider"]["aws"][0]
    assert first == {"access_key": None, "profile": None, "dynamic": {"assume_role": NOTHING}}


def test_a_provider_in_a_module_is_laid_over_there(root: Path) -> None:
    """It has a file of its own, and no backend; what init fetched is left alone."""
    module = root.parents[1] / "modules" / "old"
    fetched = root / ".terraform" / "modules" / "x"
    for folder in (module, fetched):
        folder.mkdir(parents=True)
        (folder / "main.tf.json").write_text('{"provider": {"aws": {"profile": "prod"}}}')
    (root / "main.tf").write_text("")
    assert lay_over(root) == ["modules/old: profile of the provider is not used"]
    assert written(module) == {"provider": {"aws": [{"profile": None}]}}
    assert written(root) == {"terraform": {"backend": {"local": {}}}}
    assert not (fetched / root_override.NAME).exists()


def test_a_module_that_is_no_terraform_is_no_hindrance(root: Path) -> None:
    """A template, say: nobody may use it, and of what the root uses Terraform speaks."""
    template = root.parents[1] / "modules" / "template"
    template.mkdir(parents=True)
    (template / "main.tf").write_text("{{ cookiecutter.name }}")
    (root / "main.tf").write_text("")
    assert lay_over(root) == []
    (root / "main.tf").write_text("{{ }}")
    with pytest.raises(UserError, match=r"main\.tf:1"):
        lay_over(root)


def test_laying_over_again_says_and_writes_the_same(root: Path) -> None:
    """As when a run goes on that was stopped."""
    (root / "main.tf").write_text(PROVIDERS)
    notes, first = lay_over(root), written(root)
    assert lay_over(root) == notes
    assert written(root) == first
