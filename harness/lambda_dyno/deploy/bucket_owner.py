"""Whose a bucket is: the environment whose bootstrap made it, by a tag."""

from __future__ import annotations

from typing import Any

import botocore.exceptions

from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.errors import UserError

OWNER_TAG = "dyno:bootstrap"


def bucket_owner(s3: Any, name: str) -> str:
    """Return the environment whose bootstrap made a bucket; empty: none, or nobody may know."""
    try:
        found = s3.get_bucket_tagging(Bucket=name)["TagSet"]
    except botocore.exceptions.ClientError as error:
        if errors.is_denied(error) or errors.code(error) == "NoSuchTagSet":
            return ""
        raise UserError(
            f"the tags of bucket {name} cannot be read: {errors.describe(error)}"
        ) from error
    return next((str(tag["Value"]) for tag in found if tag["Key"] == OWNER_TAG), "")
