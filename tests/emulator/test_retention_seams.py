"""What the end of old logs and metrics relies on inside of MiniStack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.contract

RELEASE = f"MiniStack {version('ministack')}"

# In a process of its own: it changes MiniStack, as the server's program does.
_FILL_AND_LOOK = """
import asyncio, json
from lambda_emulator import retention
retention.bound(most_streams=20, most_events=50, most_points=30)
from ministack.core.responses import set_request_account_id
from ministack.services import cloudwatch, cloudwatch_logs, lambda_svc

def call(operation, **data):
    headers = {"x-amz-target": f"Logs_20140328.{operation}"}
    body = json.dumps(data).encode()
    answer = asyncio.run(cloudwatch_logs.handle_request("POST", "/", headers, body, {}))
    return json.loads(answer[2] or "{}")

found = {}
for account in ("111111111111", "222222222222"):
    set_request_account_id(account)
    call("CreateLogGroup", logGroupName="/aws/lambda/demo")
    call("CreateLogStream", logGroupName="/aws/lambda/demo", logStreamName="mine")
    for number in range(200):
        func = {"config": {"FunctionName": "demo"}}
        lambda_svc._emit_lambda_logs(func, f"request-{number}", f"line {number}", False, 1)
        lambda_svc._emit_lambda_metrics("demo", float(number + 1), False, False)
        events = [{"timestamp": number, "message": f"own {number}"}]
        where = {"logGroupName": "/aws/lambda/demo", "logStreamName": "mine"}
        call("PutLogEvents", **where, logEvents=events)
    events = call("FilterLogEvents", logGroupName="/aws/lambda/demo")["events"]
    found[account] = {
        "lines": [e["message"] for e in events if e["message"].startswith("line ")],
        "own": [e["message"] for e in events if e["logStreamName"] == "mine"],
        "streams": len(cloudwatch_logs._log_groups["/aws/lambda/demo"]["streams"]),
        "points": {key[1]: len(points) for key, points in cloudwatch._metrics.items()},
        "newest": {key[1]: points[-1]["Value"] for key, points in cloudwatch._metrics.items()},
        "records": len(cloudwatch_logs._log_records),
    }
print(json.dumps(found))
"""


def test_the_newest_logs_and_metrics_stay_and_the_oldest_go() -> None:
    """By both ways into a log, in each account; a stream that somebody made is never removed."""
    done = subprocess.run(
        [sys.executable, "-c", _FILL_AND_LOOK],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "harness")},
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=True,
    )
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    assert len(found) == 2
    for kept in found.values():
        assert kept["streams"] == 20, RELEASE
        assert kept["lines"] == [f"line {number}" for number in range(181, 200)], RELEASE
        assert kept["own"][-1] == "own 199"
        assert 45 <= len(kept["own"]) <= 50, RELEASE
        assert set(kept["points"]) == {"Invocations", "Errors", "Throttles", "Duration"}, RELEASE
        assert all(27 <= count <= 31 for count in kept["points"].values()), RELEASE
        assert kept["newest"]["Duration"] == 200.0
        assert kept["records"] == len(kept["own"]), RELEASE
