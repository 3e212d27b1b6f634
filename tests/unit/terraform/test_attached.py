"""One process of the AWS provider for a command: where it is safe, and that it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lambda_dyno.terraform import attached

PLACE = ".terraform/providers/registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64"
PROGRAM = """#!/bin/sh
echo $$ > "$PIDS"
echo "CA ${AWS_CA_BUNDLE:-none} $TF_LOG_PROVIDER $1" >> "$PIDS"
echo "	TF_REATTACH_PROVIDERS='{}'"
exec sleep 60
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An initialised root, with a provider that only says where it is."""
    root = tmp_path / "root"
    (root / PLACE).mkdir(parents=True)
    (root / "main.tf").write_text('provider "aws" {\n  region = "us-east-1"\n}\n')
    program(root, PROGRAM)
    return root


def program(root: Path, text: str) -> None:
    """Let this be the provider."""
    file = root / PLACE / "terraform-provider-aws_v5.100.0_x5"
    file.write_text(text)
    file.chmod(0o755)


def attach(root: Path) -> tuple[dict[str, str], list[str]]:
    """Return what Terraform would be given, and what the provider noted of itself."""
    pids = root.parent / "pids"
    pids.unlink(missing_ok=True)
    environment = {**os.environ, "PIDS": str(pids), "AWS_CA_BUNDLE": "/ca.pem"}
    with attached.provider(root, environment) as given:
        noted = pids.read_text().splitlines() if pids.exists() else []
        if noted:
            os.kill(int(noted[0]), 0)
    if noted:
        with pytest.raises(ProcessLookupError):
            os.kill(int(noted[0]), 0)
    return given, noted


def test_a_command_has_a_provider_for_itself(root: Path) -> None:
    """It is told where; afterwards the process is gone. It logs no requests, and needs no CA."""
    given, noted = attach(root)
    assert given == {"TF_REATTACH_PROVIDERS": "{}"}
    assert noted[1] == "CA none OFF -debug"


@pytest.mark.parametrize(
    "more",
    [
        'provider "aws" {\n  alias = "other"\n}\n',
        (
            "terraform {\n  required_providers {\n"
            '    east = { source = "hashicorp/aws", version = "~> 5.100" }\n  }\n}\n'
            'provider "east" {\n  alias = "two"\n}\n'
        ),
        'provider "aws" {\n  custom_ca_bundle = "x"\n}\n',
        "no terraform {",
    ],
)
def test_a_root_with_several_configurations_has_terraforms_own(root: Path, more: str) -> None:
    """In one process the last one configured would hold for all."""
    (root / "more.tf").write_text(more)
    assert attach(root) == ({}, [])


def test_so_has_one_whose_modules_configure_a_provider(root: Path) -> None:
    """As old ones do; those that do not are no obstacle."""
    module = root.parent / "module"
    module.mkdir()
    (module / "main.tf").write_text('variable "x" {}\n')
    folder = root / ".terraform" / "modules"
    folder.mkdir()
    entries = [{"Key": "", "Dir": "."}, {"Key": "m", "Dir": "../module"}]
    (folder / "modules.json").write_text(json.dumps({"Modules": entries}))
    assert attach(root)[0]
    (module / "main.tf").write_text('provider "aws" {}\n')
    assert attach(root) == ({}, [])
    (folder / "modules.json").write_text("[]")
    assert attach(root) == ({}, [])


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho nothing of use\n"])
def test_a_provider_that_does_not_start_is_no_reason_to_fail(root: Path, text: str) -> None:
    """Terraform starts its own then, and says what is wrong."""
    program(root, text)
    assert attach(root)[0] == {}


def test_what_is_not_initialised_has_none(tmp_path: Path) -> None:
    """There is no program."""
    assert attach(tmp_path / "root") == ({}, [])
