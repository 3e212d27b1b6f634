"""What the guard relies on inside of the embedded AWS; a new release may change it.

That its signatures are computed as botocore computes them is in tests/emulator/test_guard.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from ministack.core import iam_actions, iam_evaluator, router

from lambda_emulator import guard
from lambda_emulator.request import Request
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.contract

RELEASE = f"MiniStack {version('ministack')}"
ACCOUNT = "123456789012"
SECRET = "0123456789abcdef" * 4
# In a process of its own: it changes MiniStack, as the server's program does.
_CLOSE_AND_LOOK = """
import json, sys
from lambda_emulator import gaps
gaps.close(sys.argv[1])
from ministack import app
from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import lambda_svc, s3, sts
from ministack.core.responses import set_request_account_id

account, resolve = sys.argv[2], iam_evaluator.resolve_credential
set_request_account_id(account)
config = {
    "FunctionArn": f"arn:aws:lambda:us-east-1:{account}:function:demo",
    "FunctionName": "demo",
    "Role": f"arn:aws:iam::{account}:role/of/path/worker",
}
keys = lambda_svc.execution_credentials(config)
print(json.dumps({
    "auth": app.AUTH,
    "kept": [n for n in ("enforce", "check_credentials") if hasattr(app, n)],
    "same": [m.__name__ for m in (s3, sts) if m.resolve_credential is resolve],
    "root": s3.resolve_credential(account, account).secret_access_key,
    "keys": keys,
    "again": lambda_runtime.execution_credentials(config),
    "session": sts._sessions[keys["AWS_ACCESS_KEY_ID"]]["Arn"],
    "nobody": iam_evaluator.check_credentials("").code,
}))
"""


def closed(secret: str) -> dict[str, Any]:
    """Close the gaps with a secret, and return what MiniStack does then."""
    done = subprocess.run(
        [sys.executable, "-c", _CLOSE_AND_LOOK, secret, ACCOUNT],
        env={
            **os.environ,
            "AUTH": "true",
            "PYTHONPATH": str(Path(__file__).parents[2] / "harness"),
        },
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_gaps_can_be_closed() -> None:
    """The functions that are replaced are the ones that MiniStack then calls."""
    found = closed(SECRET)
    assert found["auth"] is True
    assert found["kept"] == [], f"{RELEASE} takes its checks before they are replaced"
    assert found["same"] == ["ministack.services.s3", "ministack.services.sts"]
    assert found["root"] == SECRET, f"{RELEASE} checks root's presigned addresses otherwise"
    assert found["nobody"] == "MissingAuthenticationToken"


def test_keys_of_functions_follow_from_the_secret_too() -> None:
    """They stay the same for a function, and are another server's no more; the role is its own."""
    one, other = closed(SECRET), closed("f" * 64)
    assert one["keys"] == one["again"]
    assert one["keys"] != other["keys"]
    assert one["session"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/demo", RELEASE


@pytest.mark.parametrize("key", [ACCOUNT, "test", ""])
def test_root_is_who_it_was(key: str) -> None:
    """Each of these is let in without a look at its signature; the guard looks."""
    assert iam_evaluator.is_root_access_key(key), RELEASE


def test_a_key_of_a_user_is_not_roots() -> None:
    """Those are left to MiniStack."""
    assert not iam_evaluator.is_root_access_key(f"AKIA{'A' * 16}")


def test_a_header_goes_before_a_query_as_the_guard_reads_it() -> None:
    """Both read the key with the same function, of the same parts."""
    header = f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/r/s/aws4_request, Signature=0"
    query = {"X-Amz-Credential": ["999999999999/20260101/r/s/aws4_request"]}
    assert router.extract_access_key_id({"authorization": header}, query) == ACCOUNT
    assert router.extract_access_key_id({}, query) == "999999999999"
    assert router.extract_access_key_id({}, {"AWSAccessKeyId": ["test"]}) == "test"
    assert router.extract_access_key_id({"authorization": "Bearer x"}, {}) == ""


def test_cognito_has_the_public_operations_that_it_has() -> None:
    """As AWS's own models say; none that manages anything is among them."""
    public = iam_actions.unsigned_operations("cognito-idp")
    assert {"SignUp", "InitiateAuth", "ForgotPassword"} <= public
    assert not {name for name in public if name.startswith(("Admin", "Create", "Delete"))} - {
        "DeleteUser",  # oneself, by an access token
        "DeleteUserAttributes",
        "DeleteWebAuthnCredential",
    }
    assert "GetId" in iam_actions.unsigned_operations("cognito-identity")


def test_the_server_opens_nothing_that_is_named_with_an_underscore() -> None:
    """A new path of MiniStack's own is closed until somebody opens it."""
    request = Request("GET", "/_ministack/new", "/_ministack/new", "", {}, {})
    assert guard.of_the_server(request, SECRET) is not None
