"""Which AWS provider a root gets, and which cannot work on the embedded AWS."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.terraform import provider

LOCK = """# This file is maintained automatically by "terraform init".

provider "registry.terraform.io/hashicorp/aws" {
  version     = "6.12.3"
  constraints = ">= 6.0.0"
  hashes = [
    "h1:abc=",
  ]
}

provider "registry.terraform.io/hashicorp/null" {
  version = "3.2.4"
}
"""


@pytest.mark.parametrize("version", ["5.100.0", "5.99.9", "6.0.0", "6.22.1", "6.22.0-beta1"])
def test_what_can_make_buckets_passes(version: str) -> None:
    """Whatever else is chosen beside it."""
    provider.check_embedded(
        {
            "registry.terraform.io/hashicorp/aws": version,
            "registry.terraform.io/hashicorp/random": "9.9.9",
            "registry.terraform.io/acme/aws-like": "7.0.0",
        },
        "local",
    )
    provider.check_embedded({}, "local")


@pytest.mark.parametrize("version", ["6.23.0", "6.23.1-rc1", "6.100.0", "7.0.0", "10.0.0"])
@pytest.mark.parametrize("registry", ["registry.terraform.io", "registry.opentofu.org"])
def test_what_cannot_is_refused_with_what_to_write(version: str, registry: str) -> None:
    """One line: what, where, and the line that mends it."""
    with pytest.raises(UserError) as refused:
        provider.check_embedded({f"{registry}/hashicorp/aws": version}, "envs/mine")
    text = str(refused.value)
    assert text.startswith(f"envs/mine: Terraform chose version {version} of the AWS provider")
    assert 'version = "~> 5.100"' in text
    assert "\n" not in text


def test_a_state_is_destroyed_with_the_provider_that_made_it(tmp_path: Path) -> None:
    """An older one cannot read it."""
    (tmp_path / ".terraform.lock.hcl").write_text(LOCK)
    assert provider.of_root(tmp_path) == "= 6.12.3"


@pytest.mark.parametrize("text", ["", "provider", LOCK.replace('"6.12.3"', '">= 1 # x"'), "\x00"])
def test_a_lock_file_that_tells_nothing_leaves_what_was_tried(tmp_path: Path, text: str) -> None:
    """And so does one that holds something else than a version."""
    (tmp_path / ".terraform.lock.hcl").write_text(text)
    assert provider.of_root(tmp_path) == provider.RANGE
    assert provider.of_root(tmp_path / "nowhere") == provider.RANGE
