"""Payload: read what the function is invoked with, in the one version that was named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from retune.aws import client, error_code
from retune.errors import PayloadNotRead
from retune.payload import check_size, parse

_BUCKET = os.environ.get("STORE_BUCKET", "")
client("s3")


def handler(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """Return the payload of `{"key", "versionId"}`."""
    key, version_id = str(event["key"]), str(event["versionId"])
    where = f"s3://{_BUCKET}/{key} in version {version_id}"
    try:
        found = client("s3").get_object(Bucket=_BUCKET, Key=key, VersionId=version_id)
        if found.get("VersionId") != version_id:  # the bucket has no versions
            raise PayloadNotRead(f"{where}: S3 gives another version")
        check_size(found["ContentLength"], where)
        content: bytes = found["Body"].read()
    except ClientError as error:
        raise PayloadNotRead(
            f"{where}: {error_code(error)}. It must be there, and payload.key and "
            "payload.version_id of the module must name it"
        ) from error
    except BotoCoreError as error:
        raise PayloadNotRead(f"{where}: {type(error).__name__}") from error
    return {"payload": parse(content, where)}
