"""terraform.proofs: what was shown for the files of a root, whatever the run is called."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lambda_dyno.terraform import proofs
from lambda_dyno.terraform.command import Change
from lambda_dyno.terraform.proofs import Initialised, Proof


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


class TestInitialised:
    """What `init` made, for the next run with the same files."""

    @pytest.fixture
    def root(self, copies: Path, tmp_path: Path) -> Path:
        """A root with a module of its own and a provider of this machine."""
        root = copies / "envs" / "local"
        self.init(root, tmp_path)
        return root

    def init(self, root: Path, tmp_path: Path) -> None:
        program = tmp_path / "mirror" / "linux_amd64" / "terraform-provider-aws_v5.100.0_x5"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch()
        (root / ".terraform" / "modules").mkdir(parents=True)
        (root / ".terraform" / "modules" / "modules.json").write_text("{}")
        (root / ".terraform" / "terraform.tfstate").write_text("{}")
        (root / ".terraform" / "providers" / "aws").mkdir(parents=True)
        (root / ".terraform" / "providers" / "aws" / "linux_amd64").symlink_to(program.parent)
        (root / ".terraform.lock.hcl").write_text("provider")

    def known(self, copies: Path, tmp_path: Path) -> Initialised:
        return Initialised(tmp_path / "cache", copies, "us-east-1", copies / "envs" / "local")

    def after(self, copies: Path, root: Path, tmp_path: Path) -> Initialised:
        """Keep what is in the root, and take it away there."""
        lock = (root / ".terraform.lock.hcl").rename(tmp_path / "lock")
        known = self.known(copies, tmp_path)
        lock.rename(root / ".terraform.lock.hcl")
        known.keep()
        shutil.rmtree(root / ".terraform")
        (root / ".terraform.lock.hcl").unlink()
        return self.known(copies, tmp_path)

    def test_it_comes_back(self, copies: Path, root: Path, tmp_path: Path) -> None:
        """A link to the provider is one again."""
        assert self.after(copies, root, tmp_path).restore()
        assert (root / ".terraform" / "providers" / "aws" / "linux_amd64").is_symlink()
        assert (root / ".terraform" / "modules" / "modules.json").read_text() == "{}"
        assert (root / ".terraform.lock.hcl").read_text() == "provider"

    def test_not_for_other_files(self, copies: Path, root: Path, tmp_path: Path) -> None:
        """They may want another provider."""
        self.after(copies, root, tmp_path)
        (root / "main.tf").write_text("terraform {} # another")
        assert not self.known(copies, tmp_path).restore()

    def test_not_where_the_provider_is_gone(self, copies: Path, root: Path, tmp_path: Path) -> None:
        """Terraform finds another one, or says that there is none."""
        known = self.after(copies, root, tmp_path)
        shutil.rmtree(tmp_path / "mirror")
        assert not known.restore()
        assert not (root / ".terraform").exists()

    @pytest.mark.parametrize(
        "name", ["modules/vpc/main.tf", "providers/own/terraform-provider-own"]
    )
    def test_what_comes_from_elsewhere_is_not_kept(
        self, copies: Path, root: Path, tmp_path: Path, name: str
    ) -> None:
        """It may be another one the next time, or large."""
        file = root / ".terraform" / name
        file.parent.mkdir(parents=True)
        file.touch()
        assert not self.after(copies, root, tmp_path).restore()
