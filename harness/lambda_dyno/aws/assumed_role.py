"""A role of another account, for what is asked of a function there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import botocore.exceptions

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.errors import UserError

_SESSION_NAME = "dyno"  # in the CloudTrail of the role's account


class RoleSession:
    """A session whose clients are a role's; it makes clients and nothing else.

    Args:
        session: The session that has assumed the role.
        keys: The role's, by boto3's names.
    """

    def __init__(self, session: Any, keys: Mapping[str, str]) -> None:
        self._session = session
        self._keys = dict(keys)

    def client(self, service_name: str, **options: Any) -> Any:
        """Return a client of the service; options as in boto3."""
        return self._session.client(service_name, **options, **self._keys)


def session_for(session: Any, tuning_input: Mapping[str, Any]) -> Any:
    """Return the session that a tuning's function is asked with.

    Args:
        session: Of the credentials at hand.
        tuning_input: What the state machine gets; without `roleArn` it is that session.

    Raises:
        UserError: These credentials may not assume the role.
    """
    role_arn = tuning_input.get("roleArn")
    if not role_arn:
        return session
    said = {"ExternalId": str(tuning_input["externalId"])} if tuning_input.get("externalId") else {}
    try:
        found = session.client("sts").assume_role(
            RoleArn=str(role_arn), RoleSessionName=_SESSION_NAME, **said
        )["Credentials"]
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        raise UserError(
            f"--role-arn {role_arn}: these credentials cannot assume it, which is needed to look "
            f"at the function before and after: {error}"
        ) from error
    keys = {
        "aws_access_key_id": found["AccessKeyId"],
        "aws_secret_access_key": found["SecretAccessKey"],
        "aws_session_token": found["SessionToken"],
    }
    return RoleSession(session, keys)


def account_for(account: Account, tuning_input: Mapping[str, Any]) -> Account:
    """Return the account that a tuning's function is asked in: that of its role, if it has one.

    Raises:
        UserError: These credentials may not assume the role.
    """
    role_arn = tuning_input.get("roleArn")
    if not role_arn:
        return account
    there = replace(account, account_id=str(role_arn).split(":")[4], environment={})
    vars(there)["session"] = session_for(account.session, tuning_input)
    return there
