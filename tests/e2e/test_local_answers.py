"""No answer of the embedded AWS is lost on the way to a client that writes while it is answered.

The reproduction is Terraform's: the AWS SDK for Go closed the connection between the header and
the body of an answer that came within a millisecond, and asked again for what was done.
"""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lambda_dyno.emulator import server
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.terraform import toolchain
from lambda_emulator.front import LEAST_ANSWER_S
from tests.support.waiting import HANGS_S, RUN_HANGS_S

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]
ALIASES = 250  # a request each to make it, and one to read it
# The provider writes ten requests at once.
ROOT = f"""
terraform {{
  required_providers {{
    aws = {{ source = "hashicorp/aws", version = "~> 5.100" }}
  }}
}}
provider "aws" {{}}
resource "aws_lambda_alias" "many" {{
  count            = {ALIASES}
  name             = "a${{count.index}}"
  function_name    = "answers"
  function_version = "$LATEST"
}}
"""


def waited_s(endpoint: str, request: bytes) -> tuple[float, int]:
    """Return the seconds from a request to the first byte of its answer, and the status."""
    there = urlsplit(endpoint)
    with socket.create_connection((there.hostname, there.port), timeout=HANGS_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = time.perf_counter()
        connection.sendall(request)
        connection.recv(1, socket.MSG_PEEK)
        waited = time.perf_counter() - sent
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return waited, answer.status


@pytest.mark.parametrize("what", ["GET /_ministack/health", "HEAD /bucket/key", "POST /"])
def test_no_answer_comes_before_its_client_has_written(
    embedded_aws: server.LocalServer, what: str
) -> None:
    """Answers, refusals, and answers without a body; they would take less than a millisecond."""
    host = urlsplit(embedded_aws.endpoint).netloc
    request = f"{what} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode()
    answers = [waited_s(embedded_aws.endpoint, request) for _ in range(20)]
    assert min(seconds for seconds, _ in answers) >= LEAST_ANSWER_S
    assert max(status for _, status in answers) < 500


def test_large_answers_wait_as_well_and_arrive_whole(
    embedded_aws: server.LocalServer, aws_session: LocalSession
) -> None:
    """They leave in many writes, the first of which waits."""
    s3 = aws_session.client("s3")
    s3.create_bucket(Bucket="large-answers")
    content = b"x" * 3_000_000
    s3.put_object(Bucket="large-answers", Key="object", Body=content)
    url = urlsplit(
        s3.generate_presigned_url("get_object", {"Bucket": "large-answers", "Key": "object"})
    )
    request = f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode()
    seconds, status = waited_s(embedded_aws.endpoint, request)
    assert status == 200
    assert seconds >= LEAST_ANSWER_S
    assert s3.get_object(Bucket="large-answers", Key="object")["Body"].read() == content


@pytest.mark.slow
@pytest.mark.timeout(3 * RUN_HANGS_S)
def test_terraform_is_told_once_that_it_made_something(
    embedded_aws: server.LocalServer,
    new_aws_account: object,
    deploy_function: object,
    tmp_path: Path,
) -> None:
    """2,500 requests, ten at once; a server without patience loses about five answers of them."""
    account = new_aws_account()  # type: ignore[operator]
    session = LocalSession(embedded_aws, account)
    deploy_function(session, "answers", "def handler(event, context): pass")  # type: ignore[operator]
    (tmp_path / "main.tf").write_text(ROOT)
    tools = toolchain.prepare(PROJECT / ".cache")
    environment = {
        "PATH": str(Path(shutil.which("sh") or "/bin/sh").parent),
        "HOME": str(tmp_path),
        **embedded_aws.environment(account),
        **tools.environment,
    }

    def terraform(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(tools.terraform), *arguments, "-no-color"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_HANGS_S,
        )

    assert terraform("init").returncode == 0
    for _ in range(5):
        done = terraform("apply", "-auto-approve")
        assert done.returncode == 0, done.stderr
        assert terraform("destroy", "-auto-approve").returncode == 0
