"""Which versions of the AWS provider were tried, and which cannot work on the embedded AWS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from lambda_dyno.core.errors import UserError

# The last of 5.x, and the only one that this project's roots were run with.
TRIED = "5.100.0"
# What the roots ask for; a contract test holds them to it, and to reach nothing that was not tried.
RANGE = "~> 5.100"

# Since 6.23.0 (November 2025) buckets read their tags by S3 Control. Its endpoint has the account
# before the host, and 000000000000.127.0.0.1 has no address:
# https://github.com/hashicorp/terraform-provider-aws/issues/45292
_NO_BUCKETS_FROM = (6, 23, 0)
_LOCKED = re.compile(r'provider "[^"\n]+/hashicorp/aws" \{\s*version\s*=\s*"(\d+\.\d+\.\d+)"')


def of_root(root: Path) -> str:
    """Return the version that a root was initialised with, as a constraint; else what was tried.

    Args:
        root: Folder of the root module.
    """
    try:
        found = _LOCKED.search((root / ".terraform.lock.hcl").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return RANGE
    return f"= {found[1]}" if found else RANGE


def check_embedded(selected: Mapping[str, str], where: str) -> None:
    """Make sure that a root's provider can make buckets on the embedded AWS.

    Args:
        selected: Versions that Terraform chose, by address of the provider, such as
            {"registry.terraform.io/hashicorp/aws": "5.100.0"}.
        where: The root, for the message.

    Raises:
        UserError: It cannot.
    """
    for address, version in selected.items():
        if address.endswith("/hashicorp/aws") and _numbers(version) >= _NO_BUCKETS_FROM:
            raise UserError(
                f"{where}: Terraform chose version {version} of the AWS provider, and since "
                "6.23.0 it can make no buckets on the embedded AWS. Say under required_providers "
                f'in {where}/*.tf: aws = {{ source = "hashicorp/aws", version = "{RANGE}" }}, '
                "and remove a .terraform.lock.hcl that holds another."
            )


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version as it sorts; what follows its three numbers does not count."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else (0, 0, 0)
