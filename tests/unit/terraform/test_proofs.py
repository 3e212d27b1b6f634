"""terraform.proofs: what was shown for the files of a root, whatever the run is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_dyno.terraform import proofs
from lambda_dyno.terraform.command import Change
from lambda_dyno.terraform.proofs import Proof


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """A run's copies of a root."""
    root = tmp_path / "terraform" / "envs" / "local"
    root.mkdir(parents=True)
    (root / "main.tf").write_text("terraform {}")
    return tmp_path / "terraform"


def test_it_holds_for_the_same_files_and_place(copies: Path, tmp_path: Path) -> None:
    """Not for others, nor for anything else of these."""
    assert not Proof("sized-roots", tmp_path, copies, "us-east-1").is_there
    Proof("sized-roots", tmp_path, copies, "us-east-1").keep()
    assert Proof("sized-roots", tmp_path, copies, "us-east-1").is_there
    assert not Proof("sized-roots", tmp_path, copies, "eu-west-1").is_there
    assert not Proof("planned-roots", tmp_path, copies, "us-east-1").is_there
    (copies / "envs" / "local" / "main.tf").write_text("terraform {} # another")
    assert not Proof("sized-roots", tmp_path, copies, "us-east-1").is_there


@pytest.mark.parametrize(
    "name",
    [proofs.VARIABLES, proofs.MEMORY_VARIABLES, "terraform.tfstate", ".terraform/x/modules.json"],
)
def test_what_each_run_has_of_its_own_does_not_count(
    copies: Path, tmp_path: Path, name: str
) -> None:
    """Its name is in it."""
    Proof("sized-roots", tmp_path, copies, "us-east-1").keep()
    own = copies / "envs" / "local" / name
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("{}")
    assert Proof("sized-roots", tmp_path, copies, "us-east-1").is_there


FUNCTION = "update module.environment.module.function.aws_lambda_function.this"
ALIAS = "update module.environment.module.function.aws_lambda_alias.this"


@pytest.mark.parametrize(
    ("lines", "alone"),
    [
        ([FUNCTION, FUNCTION, ALIAS, ALIAS], True),  # begun and done
        (["update aws_lambda_function.this", "update aws_lambda_alias.this"], True),
        ([FUNCTION], False),
        ([ALIAS], False),
        ([], False),
        ([FUNCTION, ALIAS, "update aws_api_gateway_integration.this"], False),
        ([FUNCTION, ALIAS, "update aws_lambda_alias.other"], False),
        ([FUNCTION.replace("update", "replace"), ALIAS], False),
        ([FUNCTION.replace("aws_", "xaws_"), ALIAS], False),
    ],
)
def test_a_size_alone_is_a_function_and_its_alias(lines: list[str], alone: bool) -> None:
    """Anything else that depends on it, Lambda cannot do."""
    changes = [Change(*line.split(), done=0, total=2) for line in lines]
    assert proofs.is_size_alone(changes) is alone
