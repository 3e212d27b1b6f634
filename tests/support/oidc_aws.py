"""An embedded AWS whose IAM asks what AWS asks, and GitHub's tokens to get into it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore
import botocore.config

from lambda_dyno.deploy.bootstrap import AUDIENCE, ISSUER
from lambda_dyno.emulator import server
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_emulator import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STRICT = Path(__file__).with_name("strict_aws.py")


@dataclass(frozen=True)
class Answer:
    """What IAM said to one question."""

    role: str
    action: str
    resource: str
    allowed: bool


@dataclass(frozen=True)
class StrictAws:
    """The server, one account in it, and what IAM was asked so far."""

    local: server.LocalServer
    session: LocalSession
    log: Path

    def answers(self, after: int = 0) -> Iterator[Answer]:
        """Yield every answer that a role's session got, after so many."""
        for line in self.log.read_text().splitlines()[after:]:
            found = json.loads(line)
            _, _, role = found["principal"].partition(":assumed-role/")
            yield Answer(
                role.partition("/")[0], found["action"], found["resource"], found["allowed"]
            )

    def assume(self, role_arn: str, claims: Mapping[str, str]) -> dict[str, str]:
        """Assume a role with a token of GitHub's and return the environment of the session.

        Raises:
            ClientError: The role's trust policy refuses the token.
        """
        anonymous = botocore.config.Config(signature_version=botocore.UNSIGNED)
        sts = boto3.client(
            "sts",
            region_name=self.local.region,
            endpoint_url=self.local.endpoint,
            config=anonymous,
        )
        keys = sts.assume_role_with_web_identity(
            RoleArn=role_arn,
            RoleSessionName="workflow",
            WebIdentityToken=tokens.web_identity(claims, self.local.secret),
        )["Credentials"]
        return {
            **self.local.environment(self.session.account_id),
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }


def start(home: Path, account_id: str) -> StrictAws:
    """Start a server of one's own; it ends with this process, or with `stop`."""
    log = home / "asked.jsonl"
    log.touch()
    local = server.start(home / "aws", owner_pid=os.getpid(), program=(str(STRICT), str(log)))
    return StrictAws(local, LocalSession(local, account_id), log)


def stop(aws: StrictAws) -> None:
    """Stop the server."""
    server.stop(aws.local.home)


def claims(subject: str) -> dict[str, str]:
    """Return the claims of a workflow's token that AWS looks at."""
    return {"iss": f"https://{ISSUER}", "aud": AUDIENCE, "sub": subject}


def client(environment: Mapping[str, str], service: str) -> Any:
    """Return a client with a session's credentials that tries once."""
    return boto3.client(
        service,
        region_name=environment["AWS_REGION"],
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=environment["AWS_SESSION_TOKEN"],
        config=botocore.config.Config(retries={"max_attempts": 1}),
    )
