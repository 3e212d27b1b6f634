"""The lines that Lambda's platform writes into a function's log, as text or as JSON."""

from __future__ import annotations

import json
import math
import time
from typing import Any

SUCCESS, ERROR, TIMEOUT = "success", "error", "timeout"


def start_line(request_id: str, version: str, as_json: bool) -> str:
    """Return the line at an invocation's start."""
    if as_json:
        return _event("platform.start", {"requestId": request_id, "version": version})
    return f"START RequestId: {request_id} Version: {version}\n"


def report_lines(
    request_id: str,
    *,
    duration_ms: float,
    memory_mb: int,
    max_memory_mb: int,
    init_ms: float | None = None,
    status: str = SUCCESS,
    error_type: str = "",
    measured_by: str = "",
    as_json: bool = False,
) -> str:
    """Return the lines at an invocation's end.

    Args:
        request_id: The invocation.
        duration_ms: How long it took, Init not included.
        memory_mb: The function's memory size.
        max_memory_mb: The most it used.
        init_ms: How long Init took, at a cold start; None when warm. It is billed.
        status: "success", "error" or "timeout".
        error_type: What went wrong, as "Runtime.ExitError".
        measured_by: How CPU time was told from waiting, if not in the usual way.
        as_json: Whether the function's log format is JSON.
    """
    billed_ms = math.ceil(round(duration_ms + (init_ms or 0.0), 3))
    if as_json:
        metrics: dict[str, float] = {
            "durationMs": round(duration_ms, 3),
            "billedDurationMs": billed_ms,
            "memorySizeMB": memory_mb,
            "maxMemoryUsedMB": max_memory_mb,
        }
        if init_ms is not None:
            metrics["initDurationMs"] = round(init_ms, 3)
        record: dict[str, Any] = {"requestId": request_id, "metrics": metrics, "status": status}
        if error_type:
            record["errorType"] = error_type
        if measured_by:
            record["measuredBy"] = measured_by
        return _event("platform.report", record)
    fields = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        f"Billed Duration: {billed_ms} ms",
        f"Memory Size: {memory_mb} MB",
        f"Max Memory Used: {max_memory_mb} MB",
    ]
    if init_ms is not None:
        fields.append(f"Init Duration: {init_ms:.2f} ms")
    if status == TIMEOUT or error_type:
        fields.append(f"Status: {status}")
    if error_type:
        fields.append(f"Error Type: {error_type}")
    if measured_by:
        fields.append(f"Measured By: {measured_by}")
    return f"END RequestId: {request_id}\n" + "\t".join(fields) + "\t\n"


def _event(kind: str, record: dict[str, Any]) -> str:
    content = {"time": _timestamp(), "type": kind, "record": record}
    return json.dumps(content, separators=(",", ":")) + "\n"


def _timestamp() -> str:
    now = time.time()
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    return f"{seconds}.{int(now % 1 * 1000):03d}Z"
