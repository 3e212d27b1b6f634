"""A Lambda function's name or ARN, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lambda_dyno.core.errors import UserError, brief

# All forms that Lambda itself takes: NAME, ACCOUNT:function:NAME and the ARN, each with a
# version or an alias behind it.
_NAME = re.compile(
    r"(?:(?:arn:(?P<partition>aws[a-z-]*):lambda:(?P<region>[a-z0-9-]+):)?(?P<account>\d{12}):function:)?"
    r"(?P<name>[A-Za-z0-9_-]{1,140})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)


@dataclass(frozen=True, slots=True)
class FunctionName:
    """What a name or ARN says; parts that it does not name are empty."""

    name: str
    qualifier: str = ""  # version or alias; $LATEST is the function itself and is left out
    region: str = ""
    account_id: str = ""
    partition: str = ""


def parse_name(text: str) -> FunctionName:
    """Take a function's name or ARN apart.

    Raises:
        UserError: It is neither.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        raise UserError(
            f"{brief(repr(text))} is neither the name of a Lambda function nor its ARN, such as "
            "my-function or arn:aws:lambda:eu-west-1:123456789012:function:my-function"
        )
    qualifier = match["qualifier"] or ""
    return FunctionName(
        name=match["name"],
        qualifier="" if qualifier == "$LATEST" else qualifier,
        region=match["region"] or "",
        account_id=match["account"] or "",
        partition=match["partition"] or "",
    )
