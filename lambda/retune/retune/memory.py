"""What traffic was when it last had changed: an item beside the leases, without an end."""

from __future__ import annotations

import os
from typing import Any

from botocore.exceptions import ClientError

from retune.aws import client, error_code

_TABLE = os.environ.get("TABLE_NAME", "")


def known(function: str) -> float | None:
    """Return a week's invocations; None: none are known."""
    found = client("dynamodb").get_item(TableName=_TABLE, Key=_key(function), ConsistentRead=True)
    item = found.get("Item")
    return None if item is None else float(item["invocations"]["N"])


def keep(function: str, invocations: float, *, first: bool = False) -> None:
    """Keep a week's invocations; the first ones only if there are none."""
    condition = {"ConditionExpression": "attribute_not_exists(id)"} if first else {}
    item = {**_key(function), "invocations": {"N": str(invocations)}}
    try:
        client("dynamodb").put_item(TableName=_TABLE, Item=item, **condition)
    except ClientError as error:
        if not first or error_code(error) != "ConditionalCheckFailedException":
            raise


def _key(function: str) -> dict[str, Any]:
    return {"id": {"S": f"traffic#{function}"}}
