"""What the Lambda API's corrections rely on inside of the embedded AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.contract

RELEASE = f"MiniStack {version('ministack')}"
_LOOK = """
import json
from lambda_emulator import lambda_api
lambda_api.code_of_versions()
lambda_api.asked_by_name()
from ministack.core import iam_actions
from ministack.core.responses import set_request_account_id
from ministack.services import lambda_svc

set_request_account_id("123456789012")
config = {"FunctionName": "demo", "Version": "$LATEST"}
versions = {"3": {"config": {**config, "Version": "3"}, "code_zip": b"third"}}
aliases = {"live": {"FunctionVersion": "3"}}
lambda_svc._functions["demo"] = {
    "config": config, "code_zip": b"latest", "versions": versions, "aliases": aliases,
}

def code(qualifier):
    answer = json.loads(lambda_svc._get_function("demo", qualifier)[2])
    parts = answer["Code"]["Location"].partition("?")[0].split("/")
    return lambda_svc.serve_function_code(parts[-1], parts[-3], parts[-2])[2].decode()

def asked(method, path, body, params):
    request = ("lambda", method, path, {}, body, params)
    arn = iam_actions.extract_resource_arn(*request, "us-east-1", "123456789012")
    return [iam_actions.extract_iam_action(*request), arn]

layer = "arn:aws:lambda:us-east-1:123456789012:layer:libs:7"
print(json.dumps({
    "code": [code(None), code("3"), code("live")],
    "create": asked("POST", "/2015-03-31/functions", b'{"FunctionName": "demo"}', {}),
    "layer": asked("GET", "/2018-10-31/layers", b"", {"find": ["LayerVersion"], "Arn": [layer]}),
}))
"""


def looked() -> dict[str, Any]:
    """Return what a process says that changes MiniStack as the server's program does."""
    done = subprocess.run(
        [sys.executable, "-c", _LOOK],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "harness")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{RELEASE}: {done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_version_has_its_own_code_and_iam_is_asked_by_name() -> None:
    """By its number and by an alias; for what is created and for a layer."""
    found = looked()
    assert found["code"] == ["latest", "third", "third"], RELEASE
    assert found["create"] == [
        "lambda:CreateFunction",
        "arn:aws:lambda:us-east-1:123456789012:function:demo",
    ]
    assert found["layer"] == [
        "lambda:GetLayerVersion",
        "arn:aws:lambda:us-east-1:123456789012:layer:libs:7",
    ]
