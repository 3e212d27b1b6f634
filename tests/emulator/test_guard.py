"""The guard of the embedded AWS: botocore signs, and what it signed is told from the rest."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambda_emulator import guard, signatures, tokens
from lambda_emulator.asgi import Message, Receive, Send
from lambda_emulator.request import FORM, Refusal, Request, without_host

PORT = 4566
HOST = f"127.0.0.1:{PORT}"
KEY = "123456789012"
SECRET = "0123456789abcdef" * 4
OTHER = "f" * 64
SERVICES = ("s3", "lambda", "dynamodb", "iam", "sts", "states", "execute-api", "logs", "apigateway")
SIGNERS = {
    "header": (SigV4Auth, S3SigV4Auth),
    "query": (SigV4QueryAuth, S3SigV4QueryAuth),
}
LETTERS = "abzABZ019-._~ +&=%/:@!$'()*,;éß漢\N{GRINNING FACE}"


def scope_of(request: AWSRequest) -> dict[str, Any]:
    """Return the ASGI scope of a signed request."""
    prepared = request.prepare()
    address = urlsplit(prepared.url)
    headers = [
        (name.lower().encode(), value if isinstance(value, bytes) else str(value).encode())
        for name, value in prepared.headers.items()
    ]
    return {
        "type": "http",
        "method": prepared.method,
        "path": unquote(address.path),
        "raw_path": address.path.encode(),
        "query_string": address.query.encode(),
        "headers": [(b"host", HOST.encode()), *headers],
    }


def arrived(request: AWSRequest, **changes: Any) -> Request:
    """Return a signed request as the server sees it; `changes` are of its ASGI scope."""
    return Request.of({**scope_of(request), **changes})


def signed(
    service: str,
    form: str,
    *,
    method: str = "POST",
    path: str = "/",
    body: bytes = b"{}",
    secret: str = SECRET,
    token: str | None = None,
    headers: dict[str, str] | None = None,
) -> AWSRequest:
    """Let botocore sign a request, in its header or its query."""
    signer = SIGNERS[form][service == "s3"]
    request = AWSRequest(method, f"http://{HOST}{path}", headers or {}, body)
    signer(Credentials(KEY, secret, token), service, "eu-west-1").add_auth(request)
    return request


def verdict(request: Request, body: bytes, secret: str = SECRET) -> Refusal | None:
    """Return what the guard says of a request that claims to be root's."""
    key = signatures.key_of(request)
    if isinstance(key, Refusal):
        return key
    assert key == KEY
    signature = signatures.signature_of(request, key)
    if isinstance(signature, Refusal):
        return signature
    there = body if signatures.needs_body(request, signature) else b""
    return signatures.wrong_signature(request, signature, secret, there)


def random_word(chance: random.Random, least: int = 0) -> str:
    return "".join(chance.choices(LETTERS, k=chance.randint(least, 8)))


@pytest.mark.parametrize("form", SIGNERS)
@pytest.mark.parametrize("service", SERVICES)
def test_what_botocore_signs_is_let_through_and_nothing_near_it(service: str, form: str) -> None:
    """Paths, queries, headers and bodies of all kinds; each change but to what is unsigned counts.

    150 requests for each service and form, drawn by a fixed seed.
    """
    chance = random.Random(f"{service} {form}")
    for _ in range(150):
        parts = [quote(random_word(chance, 1), safe="") for _ in range(chance.randint(0, 3))]
        parts = [part for part in parts if part not in (".", "..")]  # clients send none
        query = "&".join(
            f"{quote(random_word(chance, 1), safe='')}={quote(random_word(chance), safe='')}"
            for _ in range(chance.randint(0, 3))
        )
        # presigning moves a body into the query
        body = chance.randbytes(chance.choice((0, 3, 300))) if form == "header" else b""
        request = signed(
            service,
            form,
            method=chance.choice(("GET", "POST", "PUT", "DELETE")),
            path="/" + "/".join(parts) + (f"?{query}" if query else ""),
            body=body,
            token=chance.choice((None, "a+token/=")),
            headers={"X-Amz-Target": "A.B", "X-Amz-Meta-Words": "two   words "},
        )
        assert verdict(arrived(request), body) is None, request.url
        refusal = verdict(arrived(request), body, OTHER)
        assert refusal is not None
        assert refusal.code == "SignatureDoesNotMatch"
        assert verdict(arrived(request, method="PATCH"), body) is not None
        assert verdict(arrived(request, raw_path=b"/other"), body) is not None
        longer = b"x=1&" + urlsplit(request.prepare().url).query.encode()
        assert verdict(arrived(request, query_string=longer), body) is not None


@pytest.mark.parametrize("promised", [True, False])
def test_another_body_is_refused(promised: bool) -> None:
    """Whether its hash is in a header, as S3's clients have it, or only in the signature."""
    headers = {"X-Amz-Content-SHA256": hashlib.sha256(b"{}").hexdigest()} if promised else {}
    request = arrived(signed("dynamodb", "header", headers=headers))
    assert verdict(request, b"{}") is None
    assert verdict(request, b"[]") is not None


@pytest.mark.parametrize(
    "promise",
    [
        "UNSIGNED-PAYLOAD",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        hashlib.sha256(b"large").hexdigest(),
    ],
)
def test_objects_are_not_read_for_their_signature(promise: str) -> None:
    """What a client of S3 says of the body is signed; that it is true is S3's to check."""
    headers = {"X-Amz-Content-SHA256": promise}
    request = AWSRequest("PUT", f"http://{HOST}/bucket/key", headers, b"large")
    request.context["payload_signing_enabled"] = True
    # botocore signs the hash that is there if the body is a stream
    signer = S3SigV4Auth(Credentials(KEY, SECRET), "s3", "us-east-1")
    signer.payload = lambda _: promise  # type: ignore[method-assign]
    signer.add_auth(request)
    found = arrived(request)
    signature = signatures.signature_of(found, KEY)
    assert not isinstance(signature, Refusal)
    assert not signatures.needs_body(found, signature)
    assert signatures.wrong_signature(found, signature, SECRET, b"") is None


@pytest.mark.parametrize("service", ["s3", "sts"])
@pytest.mark.parametrize(
    "more",
    [{"X-Amz-Target": "DynamoDB_20120810.ListTables"}, {"Content-Type": FORM}],
    ids=lambda more: next(iter(more)),
)
def test_a_presigned_address_is_good_for_nothing_else(service: str, more: dict[str, str]) -> None:
    """A header that was not signed does not turn it into a request to another service."""
    request = signed(service, "query", method="GET", path="/bucket/key", body=b"")
    assert verdict(arrived(request), b"") is None
    headers = [(b"host", HOST.encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in more.items()]
    assert verdict(arrived(request, headers=headers), b"") is not None
    request = signed(service, "query", method="GET", path="/bucket/key", body=b"", headers=more)
    assert verdict(arrived(request), b"") is None, "signed, it is what was meant"


def old_presign(path: str = "/bucket/key", secret: str = SECRET, expires: int = 60) -> AWSRequest:
    request = AWSRequest("GET", f"http://{HOST}{path}")
    HmacV1QueryAuth(Credentials(KEY, secret), expires).add_auth(request)
    return request


def test_addresses_as_boto3_presigns_them_are_good_for_objects() -> None:
    """The older form signs method, path and expiry: enough for an object, and nothing else."""
    assert signatures.wrong_old_presign(arrived(old_presign()), SECRET) is None
    assert signatures.wrong_old_presign(arrived(old_presign("/bucket/key?acl")), SECRET) is None
    for refused in (
        arrived(old_presign(secret=OTHER)),
        arrived(old_presign(expires=-1)),
        arrived(old_presign("/")),
        arrived(old_presign("/2015-03-31/functions/")),
        arrived(old_presign(), method="DELETE"),
        arrived(old_presign(), raw_path=b"/bucket/other"),
    ):
        assert signatures.wrong_old_presign(refused, SECRET) is not None


def plain(method: str = "GET", path: str = "/", query: str = "", **headers: str) -> Request:
    """Return a request as it arrives; headers with _ for -."""
    pairs = {"host": HOST} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Request.of(
        {
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in pairs.items()],
        }
    )


@pytest.mark.parametrize(
    "request_",
    [
        plain(host="attacker.example:4566"),
        plain(host="127.0.0.1"),
        plain(host="127.0.0.1:4567"),
        plain(host="bucket.localhost:4566"),
        plain(host="127.0.0.1.attacker.example:4566"),
        plain(host=""),
        plain(origin="http://127.0.0.1:4566"),
        plain(origin="null"),
        plain(sec_fetch_site="cross-site"),
        plain(sec_fetch_site="same-origin"),
    ],
    ids=lambda request: str(dict(request.headers)),
)
def test_pages_and_other_names_are_refused(request_: Request) -> None:
    """Also the server's own pages: what a bucket holds may be anybody's."""
    refusal = guard.of_a_page(request_, PORT)
    assert refusal is not None
    assert refusal.code == "AccessDenied"


@pytest.mark.parametrize(
    "request_", [plain(), plain(host="LOCALHOST:4566"), plain(sec_fetch_site="none")]
)
def test_programs_and_the_address_bar_are_served(request_: Request) -> None:
    """A person may look at health, or at an API, by its address."""
    assert guard.of_a_page(request_, PORT) is None


CONTROL = f"000000000000.s3-control.dyno.invalid:{PORT}"
TAGS = "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Ab"


@pytest.mark.parametrize(
    ("path", "host", "served"),
    [
        (TAGS, CONTROL, True),
        (TAGS, CONTROL.upper(), True),
        (TAGS, CONTROL.partition(".")[2], True),  # who asks it without an account
        (TAGS, CONTROL.replace("000000000000", "0"), False),
        (TAGS, CONTROL.replace(f":{PORT}", ""), False),
        (TAGS, CONTROL.replace(f"{PORT}", "80"), False),
        (TAGS, f"{CONTROL}.attacker.example", False),
        (TAGS, f"a.{CONTROL}", False),
        ("/bucket/key", CONTROL, False),
        ("/2015-03-31/functions/", CONTROL, False),
        ("/_aws/execute-api/a1b2/stage/items", CONTROL, False),
    ],
)
def test_s3_control_has_a_name_that_no_page_can_have(path: str, host: str, served: bool) -> None:
    """Below .invalid nothing has an address: it comes by a proxy setting, for its paths alone."""
    assert (guard.of_a_page(plain(path=path, host=host), PORT) is None) == served
    assert guard.of_a_page(plain(path=path, host=host, origin="null"), PORT) is not None


@pytest.mark.parametrize(
    ("target", "host", "path"),
    [
        (f"http://{CONTROL}{TAGS}", CONTROL, TAGS),
        (f"http://{HOST}/", HOST, "/"),
        (f"http://{HOST}", HOST, "/"),
        # of another host than it says, of none, or a path that only looks so: they stay
        (f"http://{HOST}/x", CONTROL, f"http://{HOST}/x"),
        (f"https://{HOST}/x", HOST, f"https://{HOST}/x"),
        (f"http://user@{HOST}/x", HOST, f"http://user@{HOST}/x"),
        ("http:///x", "", "/x"),
        (f"/http://{HOST}/x", HOST, f"/http://{HOST}/x"),
        (TAGS, HOST, TAGS),
    ],
)
def test_what_a_proxy_is_asked_for_is_read_as_a_path(target: str, host: str, path: str) -> None:
    """As RFC 9112 wants it of every server; the signature is of that path."""
    scope = {
        "type": "http",
        "method": "GET",
        "query_string": b"",
        "path": unquote(target),
        "raw_path": target.encode(),
        "headers": [(b"host", host.encode())],
    }
    request = Request.of(without_host(scope))
    assert (request.raw_path, request.path) == (path, unquote(path))


CODE = "/_ministack/lambda-code/000000000000/us-east-1/demo"


@pytest.mark.parametrize(
    ("request_", "closed"),
    [
        (plain(path="/_ministack/health"), False),
        (plain(path="/_ministack/ready"), False),
        (plain("POST", "/_ministack/health"), True),
        (plain("POST", "/_ministack/reset"), True),
        (plain("POST", "/_ministack/config"), True),
        (plain(path="/_ministack/sqs/messages"), True),
        (plain(path="/_localstack/health"), True),
        (plain(path="/_ministack/health/../reset"), True),
        (plain(path=CODE), True),
        (plain(path=CODE, query="X-Amz-Signature=ministack-local-presigned"), True),
        (plain(path=CODE, query=f"token={tokens.token(SECRET, CODE)}"), False),
        (plain(path=CODE + "2", query=f"token={tokens.token(SECRET, CODE)}"), True),
        (plain(path=CODE, query=f"token={tokens.token(OTHER, CODE)}"), True),
        (plain("PUT", "/_ministack/cfn-response/" + "0" * 8), True),
        (plain("PUT", "/_ministack/cfn-response/9b1f5a0e-3c1b-4a51-9f9b-0a6a2f4f8a11"), False),
        (plain(path="/_aws/execute-api/a1b2/stage/items"), False),
        (plain(path="/_aws/other"), True),
        (plain(path="/v2/_catalog"), True),
        (plain("PUT", "/v2/image/manifests/latest"), True),
        (plain(path="/v2/apis"), False),
        (plain(path="/bucket/_ministack/reset"), False),
    ],
    ids=lambda value: f"{value.method} {value.path}" if isinstance(value, Request) else "",
)
def test_what_manages_the_server_is_closed(request_: Request, closed: bool) -> None:
    """For root as well: nobody here needs it."""
    assert (guard.of_the_server(request_, SECRET) is not None) == closed


LOGIN = b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&WebIdentityToken="
CLAIMS = {"iss": "https://issuer.example", "sub": "repo:owner/name"}
WEB_IDENTITY = LOGIN + tokens.web_identity(CLAIMS, SECRET).encode()
FORGED = LOGIN + tokens.web_identity(CLAIMS, OTHER).encode()
# header, claims and no signature, by an algorithm that says that there is none
# pragma: allowlist nextline secret: it signs nothing
UNSIGNED = LOGIN + b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJyZXBvOm93bmVyL25hbWUifQ."


@pytest.mark.parametrize(
    ("request_", "body", "public"),
    [
        (plain(path="/_aws/execute-api/a1b2/stage/items"), b"", True),
        (plain(path="/_aws/execute-api/a1b2/stage/items", authorization="Bearer x"), b"", True),
        (plain(path="/_aws/execute-api/a1b2", authorization="Bearer x"), b"", False),
        (plain("POST", "/restapis/a1b2/stage/_user_request_/items"), b"", True),
        (plain(path="/restapis/a1b2/stages"), b"", False),
        (plain(path="/_aws/lambda-url/abc/"), b"", True),
        (plain(path="/bucket/key"), b"", True),
        (plain(path="/bucket/key", authorization="Bearer x"), b"", False),
        (plain("HEAD", "/bucket/key"), b"", True),
        (plain("PUT", "/bucket/key"), b"", False),
        (plain(path="/bucket"), b"", False),
        (plain(path="/"), b"", False),
        (plain(path="/2015-03-31/functions/"), b"", False),
        (plain(path="/v20180820/tags/x"), b"", False),
        (plain(path="/iceberg/v1/config"), b"", False),
        (plain(path="/bucket/key", x_amz_target="DynamoDB_20120810.ListTables"), b"", False),
        (plain("POST", content_type=FORM), WEB_IDENTITY, True),
        (plain("POST", content_type=FORM), WEB_IDENTITY + b"&Action=CreateRole", False),
        (plain("POST", content_type=FORM), FORGED, False),
        (plain("POST", content_type=FORM), UNSIGNED, False),
        (plain("POST", content_type=FORM), LOGIN, False),
        (
            plain("POST", content_type=FORM),
            FORGED + WEB_IDENTITY.replace(LOGIN, b"&WebIdentityToken="),
            False,
        ),
        (plain("POST", content_type=FORM), WEB_IDENTITY[:-2] + b"xx", False),
        (plain("POST", content_type=FORM), b"Action=AssumeRoleWithSAML&SAMLAssertion=x", False),
        (plain("POST", content_type=FORM), b"Action=CreateRole", False),
        (plain("POST", content_type=FORM, authorization="Bearer x"), WEB_IDENTITY, False),
        (plain("POST", query="Action=CreateRole", content_type=FORM), WEB_IDENTITY, False),
        (plain("POST", content_type=FORM, x_amz_target="IAM.CreateRole"), WEB_IDENTITY, False),
        (plain("POST", x_amz_target="AWSCognitoIdentityProviderService.SignUp"), b"", True),
        (plain("POST", x_amz_target="AWSCognitoIdentityProviderService.ListUsers"), b"", False),
        (plain("POST", x_amz_target="AWSCognitoIdentityService.GetId"), b"", True),
        (plain("POST", x_amz_target="DynamoDB_20120810.ListTables"), b"", False),
        (plain("POST", "/oauth2/token", authorization="Basic x"), b"", True),
        (plain("GET", "/oauth2/token", authorization="Basic x"), b"", False),
        (plain(path="/pool/.well-known/jwks.json"), b"", True),
    ],
)
def test_few_requests_need_no_signature(request_: Request, body: bytes, public: bool) -> None:
    """Those that AWS serves unsigned, too; an authorization of another kind makes nobody root."""
    assert signatures.key_of(request_) == ""
    assert guard.is_public(request_, body, SECRET) == public


CREDENTIAL = f"{KEY}/20260101/us-east-1/iam/aws4_request"
HEADER = f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    "request_",
    [
        plain(authorization=HEADER, query=f"X-Amz-Credential={CREDENTIAL}"),
        plain(query=f"X-Amz-Credential={CREDENTIAL}&x-amz-credential=AKIA/1/2/3/4"),
        plain(query=f"X-Amz-Credential={CREDENTIAL}&X-Amz-Credential=AKIA/1/2/3/4"),
        plain(authorization="AWS4-HMAC-SHA256 Signature=0"),
        plain(query="X-Amz-Signature=0"),
        plain(query="X-Amz-Algorithm=AWS4-HMAC-SHA256"),
        Request(
            "GET", "/", "/", "", {}, {"authorization": f"{HEADER},x"}, frozenset({"authorization"})
        ),
    ],
)
def test_signatures_of_two_or_of_nobody_are_refused(request_: Request) -> None:
    """The key that is checked here must be the one that MiniStack then takes."""
    assert isinstance(signatures.key_of(request_), Refusal)


@pytest.mark.parametrize(
    "request_",
    [
        plain(authorization=HEADER.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512")),
        plain(authorization=HEADER.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")),
        plain(authorization=HEADER, x_amz_date="20260101T000000Z"),
        plain(authorization=HEADER),
        plain(authorization=HEADER + f", Credential=AKIA/{CREDENTIAL.partition('/')[2]}"),
        plain(query=f"X-Amz-Credential={CREDENTIAL}"),
        plain(query=f"X-Amz-Credential={CREDENTIAL}&X-Amz-Signature=0&X-Amz-SignedHeaders=host"),
    ],
)
def test_other_signatures_of_root_are_refused(request_: Request) -> None:
    """Junk, parts, and algorithms that account keys do not sign with."""
    assert verdict(request_, b"") is not None


def test_addresses_in_answers_get_their_token() -> None:
    """What AWS Lambda says of a function's code, and of a layer's."""
    answer = (
        f'{{"Code": {{"Location": "http://{HOST}{CODE}?X-Amz-Expires=600&X-Amz-Signature=x"}}, '
        f'"Other": "http://{HOST}/_ministack/lambda-layers/0/r/name/1/content"}}'
    ).encode()
    told = guard.with_tokens(answer, SECRET).decode()
    assert f"{CODE}?token={tokens.token(SECRET, CODE)}" in told
    layer = "/_ministack/lambda-layers/0/r/name/1/content"
    assert f'{layer}?token={tokens.token(SECRET, layer)}"' in told
    assert guard.with_tokens(b'{"FunctionName": "x"}', SECRET) == b'{"FunctionName": "x"}'


async def serves(_: Message, receive: Receive, send: Send) -> None:
    """Read all of the request and answer with it."""
    content = []
    while True:
        message = await receive()
        content.append(message["body"])
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"".join(content)})


def talk(scope: dict[str, Any], parts: list[bytes]) -> tuple[int, bytes]:
    """Send a request in parts to a guarded application, and return status and body."""
    messages = [
        {"type": "http.request", "body": part, "more_body": index < len(parts) - 1}
        for index, part in enumerate(parts)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(guard.Guard(serves, SECRET, PORT)(scope, receive, send))
    if not sent:
        return 0, b""
    assert not messages, "a client that still writes does not read"
    start, body = sent
    return start["status"], body["body"]


def test_a_body_that_was_read_for_its_signature_is_there_again() -> None:
    """In the parts that it came in; of a refused request it is read, too."""
    request = signed("dynamodb", "header", body=b"abcdef")
    assert talk(scope_of(request), [b"ab", b"cd", b"ef"]) == (200, b"abcdef")
    status, body = talk(scope_of(request), [b"ab", b"cd", b"eg"])
    assert (status, b"SignatureDoesNotMatch" in body) == (403, True)
    assert talk({**scope_of(request), "headers": []}, [b"ab", b"cd"])[0] == 403


def test_a_client_that_goes_away_gets_nothing() -> None:
    """Half of a request is none."""
    scope = scope_of(signed("dynamodb", "header", body=b"abcdef"))
    messages = [{"type": "http.request", "body": b"ab", "more_body": True}]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(guard.Guard(serves, SECRET, PORT)(scope, receive, send))
    assert sent == []


def test_a_check_is_quick() -> None:
    """Median of 300, of a usual request; in time of its thread, others' work is none of it."""
    body = b'{"TableName": "items", "Key": {"id": {"S": "1"}}}'
    headers = {"X-Amz-Target": "DynamoDB_20120810.GetItem", "Content-Type": "x-amz-json-1.0"}
    scope = scope_of(signed("dynamodb", "header", body=body, headers=headers))
    took = []
    for _ in range(300):
        started = time.thread_time()
        assert verdict(Request.of(scope), body) is None
        took.append(time.thread_time() - started)
    assert sorted(took)[150] < 0.005, "a tenth of a millisecond on an idle machine"
