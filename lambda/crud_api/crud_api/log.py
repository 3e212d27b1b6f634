"""One JSON line per invocation, written straight to stdout.

Lambda passes such lines through in both of its log formats, and filters by `level` and
`timestamp` in JSON. Payloads and messages of errors, which may quote payloads, are never logged.
"""

from __future__ import annotations

import json
import sys
import traceback
from datetime import UTC, datetime
from typing import Any


def write(level: str, message: str, request_id: str, **fields: Any) -> None:
    """Write a log line."""
    line = {
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "level": level,
        "message": message,
        "requestId": request_id,
        **fields,
    }
    # one write, so that lines of parallel writers do not mix
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def cause_of(error: BaseException) -> dict[str, Any]:
    """Return what the log needs of an unexpected error: type, AWS error code, place."""
    response = getattr(error, "response", None) or {}
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "errorType": type(error).__name__,
        "awsErrorCode": response.get("Error", {}).get("Code", ""),
        "awsRequestId": response.get("ResponseMetadata", {}).get("RequestId", ""),
        "stack": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
