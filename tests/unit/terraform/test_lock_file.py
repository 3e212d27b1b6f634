"""Terraform's words on a lock file, and ours."""

from __future__ import annotations

import pytest

from lambda_dyno.terraform import lock_file

OF_ONE_PLATFORM = (
    "Failed to install provider: Error while installing hashicorp/aws v5.100.0: the local package "
    "for registry.terraform.io/hashicorp/aws 5.100.0 doesn't match any of the checksums previously "
    "recorded in the dependency lock file (this might be because the available checksums are for "
    "packages targeting different platforms); for more information: ..."
)
OF_ANOTHER_VERSION = (
    "Failed to query available provider packages: Could not retrieve the list of available "
    "versions for provider hashicorp/aws: locked provider registry.terraform.io/hashicorp/aws "
    "5.99.0 does not match configured version constraint ~> 5.100; must use terraform init "
    "-upgrade to allow selection of new versions"
)
FILE = "infra/x/.terraform.lock.hcl"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            OF_ONE_PLATFORM,
            (
                f"{FILE}: it has no hash of hashicorp/aws 5.100.0 for this platform. Write those "
                "of all that you use, and commit it: terraform -chdir=infra/x providers lock "
                "-platform=linux_amd64 -platform=linux_arm64"
            ),
        ),
        (
            OF_ANOTHER_VERSION,
            (
                f"{FILE}: it holds hashicorp/aws 5.99.0, and the root asks for ~> 5.100. Choose "
                "anew, and commit it: terraform -chdir=infra/x init -upgrade"
            ),
        ),
        ("No value for required variable", ""),
    ],
)
def test_what_is_wrong_and_how_to_mend_it(message: str, said: str) -> None:
    """In a line; of anything else nothing is said."""
    found = lock_file.explain("infra/x", message)
    assert found.startswith(said)
    assert bool(found) == bool(said)
