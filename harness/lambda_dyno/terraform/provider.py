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
# before the host, so it needs a way there (`terraform.stand_in`):
# https://github.com/hashicorp/terraform-provider-aws/issues/45292
_BY_S3_CONTROL_FROM = (6, 23, 0)
_UNTRIED_FROM = (6, 0, 0)
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


def check_embedded(selected: Mapping[str, str], where: str, *, s3_control: bool) -> str:
    """Make sure that a root's provider can make buckets on an AWS that stands in.

    Args:
        selected: Versions that Terraform chose, by address of the provider, such as
            {"registry.terraform.io/hashicorp/aws": "5.100.0"}.
        where: The root, for the message.
        s3_control: Whether it is asked for S3 Control in a way that has an address.

    Returns:
        A sentence on a version that nobody has tried; empty for others.

    Raises:
        UserError: It cannot.
    """
    for address, version in selected.items():
        if not address.endswith("/hashicorp/aws"):
            continue
        if not s3_control and _numbers(version) >= _BY_S3_CONTROL_FROM:
            raise UserError(
                f"{where}: Terraform chose version {version} of the AWS provider, which reads "
                "the tags of buckets by S3 Control, and AWS_ENDPOINT_URL is no address of this "
                "machine that can be asked for it. Say under required_providers in "
                f'{where}/*.tf: aws = {{ source = "hashicorp/aws", version = "{RANGE}" }}, '
                "and remove a .terraform.lock.hcl that holds another."
            )
        if _numbers(version) >= _UNTRIED_FROM:
            return (
                f"{where}: version {version} of the AWS provider was not tried on the embedded "
                f"AWS, {TRIED} was"
            )
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version as it sorts; what follows its three numbers does not count."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else (0, 0, 0)
