"""Where the package of a tuner's functions goes that CloudFormation deploys."""

from __future__ import annotations

import base64
from pathlib import Path

import botocore.exceptions

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core import assets, aws_errors
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.runs.ownership import temporary_folder
from lambda_dyno.terraform import packages


def beside(template: Path) -> str:
    """Write the package beside a template and return its name there."""
    path = template.with_suffix(".zip")
    packages.build(_source(), path)
    return path.name


def in_bucket(account: Account, bucket: str) -> dict[str, str]:
    """Put the package into a bucket; return where it is, as CloudFormation's `Code`.

    Its key is its content's hash: a stack never runs another package than it was made with.

    Raises:
        UserError: The bucket is not there, is another account's, or may not be written.
    """
    with temporary_folder() as folder:
        package = packages.build(_source(), folder / "power_tuner.zip")
        content = package.path.read_bytes()
    digest = base64.b64decode(package.sha256_base64).hex()
    key = f"lambda-dyno/power_tuner-{digest[:16]}.zip"
    try:
        account.session.client("s3").put_object(
            Bucket=bucket,
            Key=key,
            Body=content,
            ExpectedBucketOwner=account.account_id,  # a name can be taken by whoever is first
        )
    except botocore.exceptions.ClientError as error:
        why = aws_errors.describe(error)
        raise UserError(
            f"--bucket {brief(bucket)}: the package cannot be put there: {why}. It must be a "
            f"bucket of account {account.account_id} in {account.region}"
        ) from error
    except botocore.exceptions.ParamValidationError as error:
        raise UserError(f"--bucket {brief(bucket)}: no name of an S3 bucket") from error
    return {"S3Bucket": bucket, "S3Key": key}


def _source() -> Path:
    return assets.root() / "lambda" / "power_tuner"
