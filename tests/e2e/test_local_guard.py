"""Who may use the embedded AWS: its owner, by its secret; no web page and nobody else here."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import boto3
import botocore.config
import botocore.exceptions
import psutil
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambda_dyno.emulator import server
from lambda_dyno.emulator.boto_session import LocalSession
from tests.support.serving import TestServer
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.e2e

NOBODY = 65534
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# What a page or a program can claim without knowing the secret.
JUNK = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Date": "20260101T000000Z",
    "X-Amz-SignedHeaders": "host",
    "X-Amz-Signature": "0" * 64,
}


def junk_query(account: str, service: str) -> str:
    """Return a query that says it is root's."""
    return urlencode(
        JUNK | {"X-Amz-Credential": f"{account}/20260101/us-east-1/{service}/aws4_request"}
    )


def create_role(name: str) -> str:
    """Return the body of a request that makes a role."""
    fields = {"Action": "CreateRole", "Version": "2010-05-08", "RoleName": name}
    return urlencode(fields | {"AssumeRolePolicyDocument": TRUST})


def roles(session: LocalSession) -> set[str]:
    """Return the names of an account's roles."""
    return {role["RoleName"] for role in session.client("iam").list_roles()["Roles"]}


def ask(
    running: server.LocalServer,
    method: str,
    path: str,
    body: str | bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Send exactly these headers, a Host among them or not, and return status and answer."""
    connection = http.client.HTTPConnection(urlsplit(running.endpoint).netloc, timeout=HANGS_S)
    try:
        connection.request(method, path, body or None, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def signed(
    running: server.LocalServer,
    account: str,
    service: str,
    body: str,
    *,
    secret: str | None = None,
    host: str | None = None,
) -> dict[str, str]:
    """Return the headers of a POST to / that botocore signs."""
    host = host or urlsplit(running.endpoint).netloc
    request = AWSRequest("POST", f"http://{host}/", dict(FORM), body)
    keys = Credentials(account, running.secret if secret is None else secret)
    SigV4Auth(keys, service, running.region).add_auth(request)
    return {**dict(request.headers), "Host": host}


@pytest.mark.parametrize(
    "more",
    [
        {"Origin": "http://attacker.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Host": "attacker.example"},
        {"Host": "localhost.attacker.example:{port}"},
    ],
    ids=lambda more: "-".join(*more.items()),
)
def test_a_signed_request_of_a_page_is_refused_and_served_without_it(
    embedded_aws: server.LocalServer, aws_session: LocalSession, more: dict[str, str]
) -> None:
    """The signature is right each time: it is where the request comes from that counts."""
    account, port = aws_session.account_id, str(urlsplit(embedded_aws.endpoint).port)
    more = {name: value.replace("{port}", port) for name, value in more.items()}
    name = f"page-{hashlib.sha256(str(more).encode()).hexdigest()[:8]}"
    body = create_role(name)
    headers = signed(embedded_aws, account, "iam", body, host=more.get("Host"))

    status, answer = ask(embedded_aws, "POST", "/", body, {**headers, **more})
    assert (status, "AccessDenied" in answer) == (403, True), answer
    assert name not in roles(aws_session)

    headers = signed(embedded_aws, account, "iam", body)
    assert ask(embedded_aws, "POST", "/", body, headers)[0] == 200
    assert name in roles(aws_session)


def test_localhost_is_the_same_server(
    embedded_aws: server.LocalServer, aws_session: LocalSession
) -> None:
    """Its other name."""
    host = f"localhost:{urlsplit(embedded_aws.endpoint).port}"
    body = urlencode({"Action": "ListRoles", "Version": "2010-05-08"})
    headers = signed(embedded_aws, aws_session.account_id, "iam", body, host=host)
    assert ask(embedded_aws, "POST", "/", body, headers)[0] == 200


@pytest.mark.parametrize("secret", ["test", "", "0" * 64])
@pytest.mark.parametrize("key", ["000000000000", "999999999999", "test"])
def test_another_secret_is_refused_whatever_the_account(
    embedded_aws: server.LocalServer, key: str, secret: str
) -> None:
    """Root keys need the secret of this very server."""
    body = create_role("wrong-secret")
    headers = signed(embedded_aws, key, "iam", body, secret=secret)
    status, answer = ask(embedded_aws, "POST", "/", body, headers)
    assert (status, "SignatureDoesNotMatch" in answer) == (403, True), answer
    assert "wrong-secret" not in roles(LocalSession(embedded_aws))


@pytest.mark.parametrize(
    ("service", "call", "arguments"),
    [
        ("iam", "list_roles", {}),
        ("sts", "get_caller_identity", {}),
        ("s3", "create_bucket", {"Bucket": "never-made"}),
        ("s3", "get_object", {"Bucket": "b-b", "Key": "k"}),
        ("lambda", "list_functions", {}),
        ("dynamodb", "list_tables", {}),
        ("stepfunctions", "list_state_machines", {}),
        ("logs", "describe_log_groups", {}),
        ("apigateway", "get_rest_apis", {}),
    ],
)
def test_clients_tell_a_wrong_secret_in_aws_words(
    embedded_aws: server.LocalServer, service: str, call: str, arguments: dict[str, str]
) -> None:
    """boto3 reads code and message, whether the service speaks XML or JSON."""
    client = boto3.client(
        service,
        endpoint_url=embedded_aws.endpoint,
        region_name="us-east-1",
        aws_access_key_id="000000000000",
        aws_secret_access_key="x" * 40,
    )
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        getattr(client, call)(**arguments)
    assert caught.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    assert "dyno local env" in caught.value.response["Error"]["Message"]


UNSIGNED = {
    "CreateRole": ("POST", "/", create_role("unsigned"), FORM),
    "Invoke": ("POST", "/2015-03-31/functions/echo/invocations", "{}", {}),
    "CreateBucket": ("PUT", "/made-unsigned", "", {}),
    "ListBuckets": ("GET", "/", "", {}),
    "ListTables": ("POST", "/", "{}", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}),
    "registry": ("GET", "/v2/_catalog", "", {}),
    "ALB that is none": ("POST", "/_alb/x", "{}", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}),
    "page of Cognito": ("GET", "/p/.well-known/jwks.json", "", {"X-Amz-Target": "AWSKMS.ListKeys"}),
    "no action": ("GET", "/2018-10-31/nothing", "", {}),
}


@pytest.mark.parametrize("authorization", ["", "Bearer x", "AWS4-HMAC-SHA256 x", "AWS x:y"])
@pytest.mark.parametrize("what", UNSIGNED)
def test_nobody_is_root_without_a_signature(
    embedded_aws: server.LocalServer, what: str, authorization: str
) -> None:
    """Neither without any authorization nor with one of another kind, which MiniStack obeys."""
    method, path, body, headers = UNSIGNED[what]
    headers = headers | ({"Authorization": authorization} if authorization else {})
    status, answer = ask(embedded_aws, method, path, body, headers)
    assert 400 <= status < 500, answer
    assert not answer.startswith(('{"TableNames"', '{"Keys"', '{"repositories"'))
    session = LocalSession(embedded_aws)
    assert "unsigned" not in roles(session)
    assert "made-unsigned" not in {
        b["Name"] for b in session.client("s3").list_buckets()["Buckets"]
    }


@pytest.mark.parametrize("signature_version", ["s3", "s3v4"])
def test_presigned_addresses_are_good_as_they_are(
    embedded_aws: server.LocalServer, aws_session: LocalSession, signature_version: str
) -> None:
    """In both forms that boto3 makes; none is good for another object, or another method."""
    config = botocore.config.Config(signature_version=signature_version)
    s3, presigning = aws_session.client("s3"), aws_session.client("s3", config=config)
    bucket = f"presigned-{signature_version}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a/key +é", Body=b"content")
    s3.put_object(Bucket=bucket, Key="other", Body=b"other")

    url = urlsplit(
        presigning.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a/key +é"})
    )
    address = f"{url.path}?{url.query}"
    assert ask(embedded_aws, "GET", address) == (200, "content")
    tampered = address.replace("ignature=", "ignature=0")
    for method, path in (
        ("GET", f"/{bucket}/other?{url.query}"),
        ("DELETE", address),
        ("GET", tampered),
        ("GET", address.replace(aws_session.account_id, "000000000000")),
    ):
        assert ask(embedded_aws, method, path)[0] == 403, path

    upload = urlsplit(
        presigning.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "new"})
    )
    assert ask(embedded_aws, "PUT", f"{upload.path}?{upload.query}", b"up")[0] == 200
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"up"


def test_public_objects_stay_public(
    embedded_aws: server.LocalServer,
) -> None:
    """A bucket's policy says who reads it, and nobody writes it unsigned."""
    s3 = LocalSession(embedded_aws).client("s3")
    s3.create_bucket(Bucket="public")
    s3.put_object(Bucket="public", Key="key", Body=b"content")
    assert ask(embedded_aws, "GET", "/public/key")[0] == 403
    s3.delete_public_access_block(Bucket="public")
    resource = "arn:aws:s3:::public/*"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": resource}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket="public", Policy=json.dumps(policy))
    assert ask(embedded_aws, "GET", "/public/key") == (200, "content")
    assert ask(embedded_aws, "PUT", "/public/key", b"other")[0] == 403


@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_uploads_arrive_whole(aws_session: LocalSession, size: int) -> None:
    """Signed as a whole, and as a stream with a checksum at its end."""
    s3 = aws_session.client("s3")
    s3.create_bucket(Bucket="uploads")
    content = os.urandom(size)
    s3.put_object(Bucket="uploads", Key="bytes", Body=content)
    s3.upload_fileobj(io.BytesIO(content), "uploads", "stream")
    for key in ("bytes", "stream"):
        assert s3.get_object(Bucket="uploads", Key=key)["Body"].read() == content


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/_ministack/reset"),
        ("POST", "/_ministack/config"),
        ("GET", "/_ministack/sqs/messages"),
        ("GET", "/_ministack/ses/messages"),
        ("GET", "/_ministack/sns/sms-messages"),
        ("GET", "/_ministack/transfer/sftp-ports"),
        ("GET", "/_ministack/iot/ca.pem"),
        ("POST", "/_ministack/rds/iam-auth"),
        ("POST", "/_ministack/eks-auth/000000000000/us-east-1/c/0123456789abcdef"),
        ("GET", "/_localstack/health"),
    ],
)
def test_what_manages_the_server_is_closed(
    embedded_aws: server.LocalServer, method: str, path: str
) -> None:
    """Nobody needs it here; health stays open."""
    status, answer = ask(embedded_aws, method, path, "{}" if method == "POST" else "")
    assert (status, "is closed" in answer) == (403, True), answer
    assert ask(embedded_aws, "GET", "/_ministack/health")[0] == 200


def test_code_is_where_a_signed_answer_says(
    embedded_aws: server.LocalServer, aws_session: LocalSession, deploy_function: Any
) -> None:
    """And nowhere else: the address of another function's code cannot be guessed from it."""
    for name in ("demo", "demo2"):
        deploy_function(aws_session, name, "def handler(event, context): pass")
    found = aws_session.client("lambda").get_function(FunctionName="demo")
    url = urlsplit(found["Code"]["Location"])
    status, code = ask(embedded_aws, "GET", f"{url.path}?{url.query}")
    assert (status, code[:2]) == (200, "PK")
    assert found["Configuration"]["CodeSize"] > 0
    for guessed in (
        url.path,
        f"{url.path}?X-Amz-Signature=ministack-local-presigned",
        f"{url.path}2?{url.query}",
        "/_ministack/lambda-code/demo",
    ):
        assert ask(embedded_aws, "GET", guessed)[0] == 403, guessed


FUNCTION = """
import json, os, boto3

def handler(event, context):
    table = boto3.resource("dynamodb").Table(event["table"])
    table.put_item(Item={"id": "1"})
    return {
        "item": table.get_item(Key={"id": "1"})["Item"],
        "environment": dict(os.environ),
        "started_with": open("/proc/self/environ").read() if os.path.exists("/proc") else "",
    }
"""


def test_functions_work_and_do_not_get_the_secret(
    embedded_aws: server.LocalServer, aws_session: LocalSession, deploy_function: Any
) -> None:
    """They have the keys of their own role's session, as on AWS."""
    dynamodb = aws_session.client("dynamodb")
    dynamodb.create_table(
        TableName="items",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    deploy_function(aws_session, "writer", FUNCTION)
    answer = aws_session.client("lambda").invoke(
        FunctionName="writer", Payload=b'{"table":"items"}'
    )
    told = json.load(answer["Payload"])
    assert told["item"] == {"id": "1"}, told
    assert embedded_aws.secret not in json.dumps(told)
    assert not {"DYNO_SECRET", "DYNO_METER_KEY"} & set(told["environment"])

    # MiniStack makes these keys of the two names alone
    account = aws_session.account_id
    function = f"arn:aws:lambda:us-east-1:{account}:function:writer"
    names = f"{function}:arn:aws:iam::{account}:role/test-may-all"
    digest = hashlib.sha256(names.encode()).hexdigest()
    guessed = boto3.client(
        "sts",
        endpoint_url=embedded_aws.endpoint,
        region_name="us-east-1",
        aws_access_key_id=f"ASIA{digest[:16].upper()}",
        aws_secret_access_key=hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        aws_session_token=hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    )
    with pytest.raises(botocore.exceptions.ClientError):
        guessed.get_caller_identity()


def test_keys_that_were_made_inside_are_good(
    embedded_aws: server.LocalServer, aws_session: LocalSession
) -> None:
    """A user's keys, with the user's permissions."""
    iam = aws_session.client("iam")
    iam.create_user(UserName="reader")
    keys = iam.create_access_key(UserName="reader")["AccessKey"]
    statement = {"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=policy)
    of_user = boto3.client(
        "iam",
        endpoint_url=embedded_aws.endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
    )
    of_user.list_roles()
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        of_user.list_users()


@pytest.mark.parametrize("auth_type", ["AWS_IAM", "NONE"])
def test_function_urls_are_called_by_whom_they_let(
    embedded_aws: server.LocalServer, deploy_function: Any, auth_type: str
) -> None:
    """With AWS_IAM by nobody unsigned, whatever else the authorization says."""
    session = LocalSession(embedded_aws)
    name = f"address-{auth_type.lower().replace('_', '-')}"
    deploy_function(session, name, "def handler(event, context): return 'served'")
    functions = session.client("lambda")
    functions.add_permission(
        FunctionName=name,
        StatementId="all",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType=auth_type,
    )
    url = functions.create_function_url_config(FunctionName=name, AuthType=auth_type)["FunctionUrl"]
    path = f"/_aws/lambda-url/{urlsplit(url).netloc.partition('.')[0]}/"
    served = 200 if auth_type == "NONE" else 403
    for headers in ({}, {"Authorization": "Bearer x"}):
        assert ask(embedded_aws, "GET", path, headers=headers)[0] == served, headers


def test_a_websocket_of_a_page_is_refused(embedded_aws: server.LocalServer) -> None:
    """Browsers let any page open one; they say whose it is."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    path = "/_aws/execute-api/abc/stage"
    origin = {"Origin": "http://attacker.example"}
    assert ask(embedded_aws, "GET", path, headers=upgrade | origin)[0] == 403
    assert ask(embedded_aws, "GET", "/elsewhere", headers=upgrade)[0] == 403


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A home in a folder that everybody may look into."""
    folder = Path(tempfile.mkdtemp(prefix="guard-"))
    folder.chmod(0o755)
    yield folder / "home"
    server.stop(folder / "home")
    shutil.rmtree(folder, ignore_errors=True)


def test_the_secret_is_for_its_user_only(open_home: Path) -> None:
    """It is in one file, which nobody else may read, and in no process's arguments."""
    running = server.start(open_home, owner_pid=os.getpid())
    state = open_home / "server.json"
    assert len(running.secret) == 64
    assert json.loads(state.read_text())["secret"] == running.secret
    assert state.stat().st_mode & 0o777 == 0o600
    assert running.secret not in repr(running)
    assert running.secret not in json.dumps(running.to_json())
    arguments = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in arguments if running.secret in " ".join(line or ())]
    for path in open_home.rglob("*"):
        if path.is_file() and path != state:
            assert running.secret.encode() not in path.read_bytes(), path
    secret = running.secret
    server.stop(open_home)
    assert server.start(open_home, owner_pid=os.getpid()).secret != secret


NEIGHBOUR = """
import json, sys, urllib.error, urllib.request

state, pid, endpoint, query, role = sys.argv[1:]
told = {}
for path in (state, f"/proc/{pid}/environ"):
    try:
        told[path] = open(path).read()
    except OSError as error:
        told[path] = type(error).__name__
requests = {
    "junk": (f"{endpoint}/?{query}", role),
    "unsigned": (f"{endpoint}/", role),
    "invoke": (f"{endpoint}/2015-03-31/functions/echo/invocations?{query}", "{}"),
    "reset": (f"{endpoint}/_ministack/reset", ""),
}
for name, (url, body) in requests.items():
    for more in ({}, {"Authorization": "Bearer x"}):
        try:
            request = urllib.request.Request(url, body.encode(), more)
            told[name + str(len(more))] = urllib.request.urlopen(request).status
        except urllib.error.HTTPError as error:
            told[name + str(len(more))] = error.code
print(json.dumps(told))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_of_this_machine_gets_nowhere(open_home: Path, deploy_function: Any) -> None:
    """Reads no secret, makes no role, runs no function, wipes nothing."""
    running = server.start(open_home, owner_pid=os.getpid())
    session = LocalSession(running)
    marker = open_home.parent / "ran"
    deploy_function(session, "echo", f"def handler(e, c): open({str(marker)!r}, 'w')")
    before = roles(session)
    python = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
    if python is None:
        pytest.skip("no Python that another user may run")
    state = open_home / "server.json"
    query, body = junk_query(running.account_id, "iam"), create_role("neighbours")
    done = subprocess.run(
        [python, "-c", NEIGHBOUR, str(state), str(running.pid), running.endpoint, query, body],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        env={},
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.pop(str(state)) == "PermissionError"
    assert told.pop(f"/proc/{running.pid}/environ") == "PermissionError"
    assert set(told.values()) == {403}, told
    assert len(told) == 8
    assert roles(session) == before
    assert not marker.exists()


PAGE = """<!doctype html><title>page</title><script>
const endpoint = ENDPOINT, query = QUERY, role = ROLE;
const told = [];
async function attempt(name, path, options) {
  try {
    const answer = await fetch(endpoint + path, options);
    told.push([name, answer.type, answer.status]);
  } catch (error) { told.push([name, "failed", String(error)]); }
}
function submit(path, fields) {
  return new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.name = "frame" + Math.random();
    const form = document.createElement("form");
    Object.assign(form, { method: "POST", action: endpoint + path, target: frame.name });
    for (const [name, value] of new URLSearchParams(fields)) {
      const input = document.createElement("input");
      Object.assign(input, { name, value });
      form.append(input);
    }
    document.body.append(frame, form);
    frame.onload = () => setTimeout(resolve, 200);
    setTimeout(resolve, 3000);
    form.submit();
  });
}
window.onload = async () => {
  const body = (how) => new URLSearchParams(role.replace("NAME", how));
  await attempt("simple", "/?" + query, { method: "POST", mode: "no-cors", body: body("simple") });
  await attempt("readable", "/?" + query, { method: "POST", body: body("readable") });
  await attempt("unsigned", "/", { method: "POST", mode: "no-cors", body: body("unsigned") });
  await attempt("reset", "/_ministack/reset", { method: "POST", mode: "no-cors" });
  await attempt("look", "/_ministack/health", {});
  const other = { Authorization: "Bearer x" };
  await attempt("bearer", "/", { method: "POST", body: body("bearer"), headers: other });
  await submit("/?" + query, role.replace("NAME", "form"));
  await new Promise((resolve) => {
    const image = new Image();
    image.onload = image.onerror = resolve;
    image.src = endpoint + "/?" + query + "&" + role.replace("NAME", "image");
  });
  await fetch("/done", { method: "POST", body: JSON.stringify(told) });
};
</script><body></body>"""


class Pages(TestServer):
    """Serves one page, and keeps what the page reports."""

    def __init__(self, page: str) -> None:
        self.page = page
        self.told: list[list[Any]] = []
        self.done = threading.Event()
        super().__init__(_PagesHandler)


class _PagesHandler(BaseHTTPRequestHandler):
    server: Pages

    def do_GET(self) -> None:
        content = self.server.page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.server.told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.server.done.set()

    def log_message(self, *_arguments: Any) -> None:
        """Stay quiet."""


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def chromium(profile: Path, *arguments: str) -> list[str]:
    """Return the command line of a browser that knows attacker.example as this machine."""
    assert CHROMIUM is not None
    return [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        f"--user-data-dir={profile}",
        "--host-resolver-rules=MAP attacker.example 127.0.0.1",
        *arguments,
    ]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_page_in_a_browser_gets_nowhere(tmp_path: Path) -> None:
    """It makes no role and wipes nothing: by fetch, by a form, by an image, by a rebound name."""
    running = server.start(tmp_path / "home", owner_pid=os.getpid())
    try:
        session = LocalSession(running)
        session.client("iam").create_role(RoleName="mine", AssumeRolePolicyDocument=TRUST)
        page = (
            PAGE.replace("ENDPOINT", json.dumps(running.endpoint))
            .replace("QUERY", json.dumps(junk_query(running.account_id, "iam")))
            .replace("ROLE", json.dumps(create_role("NAME")))
        )
        with Pages(page).running() as pages:
            address = f"http://attacker.example:{pages.server_address[1]}/"
            browser = subprocess.Popen(
                # a port for its tools keeps it open after the page is there
                chromium(tmp_path / "profile", "--remote-debugging-port=0", address),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                assert pages.done.wait(90), "the page did not run"
            finally:
                browser.terminate()
                browser.wait(20)
        assert [name for name, *_ in pages.told] == [
            *("simple", "readable", "unsigned", "reset", "look", "bearer"),
        ]
        assert {kind for _, kind, _ in pages.told} <= {"opaque", "failed"}, "nothing is readable"
        assert roles(session) == {"mine"}

        rebound = running.endpoint.replace("127.0.0.1", "attacker.example")
        dom = subprocess.run(
            chromium(tmp_path / "again", "--dump-dom", f"{rebound}/_ministack/health"),
            capture_output=True,
            text=True,
            timeout=HANGS_S,
            check=False,
        ).stdout
        assert "AccessDenied" in dom
        assert "services" not in dom
    finally:
        server.stop(tmp_path / "home")
