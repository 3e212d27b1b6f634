"""Which bucket keeps the states of an account's environments, and whether it may be trusted."""

from __future__ import annotations

import botocore.exceptions
from botocore.config import Config

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.errors import UserError
from lambda_dyno.runs.run_folder import RunFolder


def keep_state_in(bucket: str, folder: RunFolder, account: Account) -> None:
    """Give a run the S3 backend that its lease then names.

    Args:
        bucket: Where its state is kept; empty: in its folder.
        folder: The run's folder.
        account: The account and region of the bucket.
    """
    if not bucket:
        return
    key = f"lambda-dyno/{folder.read_lease().env}/{folder.run_id}.tfstate"
    folder.update_lease(backend={"bucket": bucket, "key": key, "region": account.region})


def name_of(account: Account, named: str) -> str:
    """Return the name of the bucket that holds the states: the named one, or the usual."""
    return named or f"dyno-state-{account.account_id}-{account.region}"


def look(account: Account, bucket: str, *, must_be_own: bool, config: Config | None = None) -> int:
    """Return the HTTP status of a bucket: 200 if it is there, 403 if it is not ours but must be.

    Args:
        account: Whose it must be.
        bucket: Its name.
        must_be_own: Whether another account's is as good as none.
        config: Of the client, such as how long it waits; None: the usual.
    """
    owner = {"ExpectedBucketOwner": account.account_id} if must_be_own else {}
    try:
        account.session.client("s3", config=config).head_bucket(Bucket=bucket, **owner)
    except botocore.exceptions.ClientError as error:
        return errors.http_status(error)
    return 200


def exists(account: Account, bucket: str) -> bool:
    """Whether the state bucket is there and the account's own, so that states may go into it."""
    return look(account, bucket, must_be_own=True) == 200


def require(account: Account, named: str, env: str = "dev") -> str:
    """Return the name of the state bucket, which is there.

    The usual name can be guessed, so whoever is first may have taken it, to read states, or to
    write what a teardown then believes. Only dyno.toml can say that another account's is meant.

    Args:
        account: Whose the usual one must be.
        named: The bucket that dyno.toml names, which may be in another account; empty: none.
        env: The environment, for the advice.

    Raises:
        UserError: It is not there, or is somebody else's.
    """
    bucket = name_of(account, named)
    status = look(account, bucket, must_be_own=not named)
    if status != 200:
        raise UserError(_bucket_refusal(account, bucket, named, env, status))
    return bucket


def _bucket_refusal(account: Account, bucket: str, named: str, env: str, status: int) -> str:
    other = "state_bucket under [environment] in dyno.toml."
    if status == 403:
        whose = "" if named else f" or is not account {account.account_id}'s"
        return (
            f"the state bucket {bucket} may not be used with these credentials{whose} (403). "
            f"Name another one: {other}"
        )
    place = f" --create-bucket-configuration LocationConstraint={account.region}"
    return (
        f"the state bucket {bucket} does not exist. Make it once:\n"
        f"  make bootstrap ENV={env}\n"
        "or by hand:\n"
        f"  aws s3api create-bucket --bucket {bucket} --region {account.region}"
        f"{'' if account.region == 'us-east-1' else place}\n"
        f"  aws s3api put-bucket-versioning --bucket {bucket} "
        "--versioning-configuration Status=Enabled\n"
        f"or name another one: {other}"
    )
