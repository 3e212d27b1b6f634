"""Record: add the row to the evidence store, and say what there is to tell."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from retune import memory
from retune.aws import client, error_code
from retune.errors import RowNotWritten
from retune.row import Row, make, notice

_BUCKET = os.environ.get("STORE_BUCKET", "")
_PREFIX = os.environ.get("STORE_PREFIX", "")
_ALREADY_THERE = ("PreconditionFailed", "412")
client("s3")


def handler(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """Return the notice, once the row is in the store."""
    row = make(event, datetime.now(UTC).isoformat(timespec="seconds"))
    key = row.key(_PREFIX)
    _add(row, key)
    traffic = event.get("traffic")
    if traffic:
        memory.keep(event["request"]["function"], traffic["invocations"])
    return {"notice": notice(row, key)}


def _add(row: Row, key: str) -> None:
    """Add the row, never over another one.

    What is there already under this execution's name is what a former attempt has written, whose
    answer was lost: nobody else has the name.
    """
    try:
        client("s3").put_object(
            Bucket=_BUCKET,
            Key=key,
            Body=row.body,
            ContentType="application/json",
            IfNoneMatch="*",
        )
    except ClientError as error:
        if error_code(error) not in _ALREADY_THERE:
            raise RowNotWritten(f"s3://{_BUCKET}/{key}: {error_code(error)}") from error
    except BotoCoreError as error:
        raise RowNotWritten(f"s3://{_BUCKET}/{key}: {type(error).__name__}") from error
