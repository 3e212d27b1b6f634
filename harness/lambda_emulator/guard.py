"""Who may use the embedded AWS: whoever has its secret, and no web page.

Part of the server's program (`front.py`), so it imports nothing of the harness. MiniStack takes a
12-digit access key as root of that account and looks at no signature of it, serves what manages
the server itself to everybody, and lets any web page ask. Here a request must

- name this server as its host, and come from no web page (`of_a_page`);
- carry a signature with the server's secret, if its key is a root key (`Guard`);
- be one of the few that AWS, too, serves unsigned, if it has no key (`is_public`).

Keys of users, roles and sessions are MiniStack's to check, as it does. `close_gaps` closes what
can only be closed inside of it; tests/contract/test_guard_seams.py holds what all this relies on.
"""

from __future__ import annotations

import base64
import contextvars
import hashlib
import hmac
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from xml.sax.saxutils import escape

from ministack.core import iam_actions, iam_evaluator, lambda_runtime, router, sigv4

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

METER_HEADER = "x-dyno-meter"

_OPEN = frozenset({"/_ministack/health", "/_ministack/ready"})
# What people deploy, by path: who may call it is for them to say, as on AWS.
_DATA_PLANE = re.compile(
    r"/_aws/execute-api/[^/]+/|/_aws/lambda-url/[^/]+|/_alb/[^/]+"
    r"|/restapis/[^/]+/[^/]+/_user_request_(/|$)"
)
# Answers to a random name that only a stack's own resources were told.
_OF_A_STACK = re.compile(r"/_ministack/cfn-(response|signal)/[0-9a-f-]{32,}$")
_CODE = re.compile(r"/_ministack/lambda-(code|layers)/")
_CODE_ADDRESS = re.compile(rb'(/_ministack/lambda-(?:code|layers)/[^"?\s]*)(?:\?[^"\s]*)?')
_TELLS_ADDRESSES = re.compile(r"/\d{4}-\d{2}-\d{2}/(functions/[^/]+$|layers(/|$))")
_METERED = re.compile(r"/2015-03-31/functions/[^/]+/configuration$")
_REGISTRY = re.compile(r"/v2/?$|/v2/_catalog$|/v2/.*(/blobs/|/manifests/|/tags/list$)")
# Cognito's pages and tokens; they know their callers by what is in the request.
_LOGIN = re.compile(
    r"GET /(oauth2/authorize|oauth2/user[Ii]nfo|logout)$"
    r"|POST /(oauth2/login|oauth2/token|oauth2/user[Ii]nfo|login)$"
    r"|GET /[^/]+/\.well-known/(jwks\.json|openid-configuration)$"
)
_BUCKETS = re.compile(r"/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.")
_NOT_BUCKETS = ("/v20180820/", "/iceberg")  # S3's management and tables
_LOGIN_SERVICES = {
    "AWSCognitoIdentityProviderService": "cognito-idp",
    "AWSCognitoIdentityService": "cognito-identity",
}
_QUERY_SIGNATURE = frozenset(
    {"x-amz-algorithm", "x-amz-credential", "x-amz-signature", "awsaccesskeyid"}
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
FORM = "application/x-www-form-urlencoded"

# Whether this request names something else than a signature as its authorization.
_other_authorization: contextvars.ContextVar[bool] = contextvars.ContextVar("other", default=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not served; `code` is AWS's word for it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived, without its body.

    `headers` have lower-case names; what came on several lines is joined by commas, and named in
    `repeated`. `query` has the values of each name.
    """

    method: str
    path: str
    raw_path: str
    raw_query: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    repeated: frozenset[str] = frozenset()

    @classmethod
    def of(cls, scope: Message) -> Request:
        """Return the request of an ASGI scope, `http` or `websocket`."""
        headers: dict[str, str] = {}
        repeated = set()
        for raw_name, raw_value in scope.get("headers", []):
            name, value = raw_name.decode("latin-1").lower(), sigv4.decode_header_value(raw_value)
            if name in headers:
                repeated.add(name)
                value = f"{headers[name]},{value}"
            headers[name] = value
        query = scope.get("query_string", b"").decode(errors="replace")
        return cls(
            scope.get("method", "GET"),
            scope["path"],
            (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1"),
            query,
            parse_qs(query, keep_blank_values=True),
            headers,
            frozenset(repeated),
        )

    @property
    def authorization(self) -> str:
        """The header of that name; empty if there is none."""
        return self.headers.get("authorization", "")

    @property
    def signed_in_query(self) -> list[str]:
        """The query's names, in lower case, that make it a signature."""
        return [name.lower() for name in self.query if name.lower() in _QUERY_SIGNATURE]

    @property
    def signed_in_header(self) -> bool:
        """Whether the authorization is a signature, of whatever form."""
        return self.authorization.startswith(("AWS4-", "AWS "))

    @property
    def is_form(self) -> bool:
        """Whether its body is a form, as the older AWS services have it."""
        return self.headers.get("content-type", "").startswith(FORM)

    def one(self, name: str) -> str:
        """Return a value of the query; empty if it is not there."""
        return (self.query.get(name) or [""])[0]


def of_a_page(request: Request, port: int) -> Refusal | None:
    """Refuse what names another host than this server, and whatever a browser sends for a page.

    Browsers add Origin to every request of a page that could change something, and Sec-Fetch-Site
    to all. A name that was rebound to 127.0.0.1 has neither, and is another host.
    """
    host = request.headers.get("host", "")
    if host.lower() not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        return Refusal(
            "AccessDenied", f"Host {host!r}: this server is 127.0.0.1:{port} or localhost:{port}."
        )
    if "origin" in request.headers:
        return Refusal("AccessDenied", "Origin: web pages may not use this server.")
    if request.headers.get("sec-fetch-site", "none") != "none":
        return Refusal("AccessDenied", "Sec-Fetch-Site: web pages may not use this server.")
    return None


def of_the_server(request: Request, secret: str) -> Refusal | None:
    """Refuse what manages the server itself; health and signed addresses of code go on."""
    path = request.path
    read = request.method in ("GET", "HEAD")
    if not path.startswith("/_"):
        if _REGISTRY.match(path):
            return Refusal("AccessDenied", "There is no container registry here.")
        return None
    if (path in _OPEN and read) or _DATA_PLANE.match(path):
        return None
    if request.method == "PUT" and _OF_A_STACK.match(path):
        return None
    if _CODE.match(path) and read and _same(request.one("token"), token(secret, path)):
        return None
    return Refusal("AccessDenied", f"{path} is closed.")


def token(secret: str, meaning: str) -> str:
    """Return what allows one thing only, and tells nothing about the secret: 64 hex digits."""
    return hmac.new(secret.encode(), meaning.encode(), hashlib.sha256).hexdigest()


def with_tokens(body: bytes, secret: str) -> bytes:
    """Return an answer of AWS Lambda with a token in each address of code."""

    def signed(found: re.Match[bytes]) -> bytes:
        path = found[1]
        return path + b"?token=" + token(secret, path.decode("latin-1")).encode()

    return _CODE_ADDRESS.sub(signed, body)


def key_of(request: Request) -> str | Refusal:
    """Return the access key that MiniStack takes the request to be of; empty for none.

    Refused is what could be read in two ways, and what has a signature of nobody.
    """
    names = request.signed_in_query
    if "authorization" in request.repeated or (names and request.signed_in_header):
        return Refusal("IncompleteSignature", "The request is signed twice.")
    if len(names) != len(set(names)) or any(
        len(values) != 1 for name, values in request.query.items() if name.lower() in names
    ):
        return Refusal("IncompleteSignature", "The query has a part of its signature twice.")
    key = router.extract_access_key_id(
        {"authorization": request.authorization}, dict(request.query)
    )
    if not key and (names or request.signed_in_header):
        return Refusal("IncompleteSignature", "The signature names no access key.")
    return str(key)


def is_public(request: Request, body: bytes, secret: str) -> bool:
    """Tell whether AWS serves such a request without a signature.

    Args:
        request: Without a key.
        body: Whole if it is a form; anything otherwise.
        secret: The server's.
    """
    if _DATA_PLANE.match(request.path) or _LOGIN.match(f"{request.method} {request.path}"):
        return True  # with an authorization of its own, if any
    if request.authorization:
        return False
    if request.path.startswith("/_"):
        return True  # `of_the_server` let it pass
    if request.path == "/" and request.method == "POST" and not request.query:
        return _is_login(request, body, secret)
    return _is_object(request)


def _is_login(request: Request, body: bytes, secret: str) -> bool:
    """Tell whether it asks for the credentials that it cannot have yet.

    AWS asks the issuer of a web identity for the keys of its tokens. MiniStack checks none, so
    here a token must be signed with the server's secret. Assertions of SAML, which it checks as
    little, are served to nobody.
    """
    target = request.headers.get("x-amz-target")
    if target is not None:
        service, _, operation = target.partition(".")
        return service in _LOGIN_SERVICES and operation in iam_actions.unsigned_operations(
            _LOGIN_SERVICES[service]
        )
    if not request.is_form:
        return False
    form = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
    tokens = form.get("WebIdentityToken", [])
    return (
        form.get("Action") == ["AssumeRoleWithWebIdentity"]
        and len(tokens) == 1
        and is_web_identity(tokens[0], secret)
    )


def web_identity(claims: Mapping[str, Any], secret: str) -> str:
    """Return a JSON web token (RFC 7519) with these claims that this server takes."""
    signed = ".".join(
        _base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)
    )
    return f"{signed}.{_base64url(_hs256(signed, secret))}"


def is_web_identity(token: str, secret: str) -> bool:
    """Tell whether a JSON web token is signed with the secret (HS256), whatever it claims.

    The algorithm that it names is not looked at: there is one.
    """
    signed, _, signature = token.rpartition(".")
    return _same(_base64url(_hs256(signed, secret)), signature)


def _hs256(text: str, secret: str) -> bytes:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _is_object(request: Request) -> bool:
    """Tell whether it reads an object of a bucket; MiniStack asks whether that is public."""
    return request.method in ("GET", "HEAD") and _names_object(request)


def _names_object(request: Request) -> bool:
    return (
        not request.path.startswith(_NOT_BUCKETS)
        and _BUCKETS.match(request.path) is not None
        and router.detect_service(
            request.method, request.path, dict(request.headers), dict(request.query)
        )
        == "s3"
    )


def signature_of(request: Request, key: str) -> sigv4.HeaderSignature | Refusal:
    """Return the parts of a root key's signature, header or query; other forms are refused."""
    if request.signed_in_header:
        algorithm = request.authorization.partition(" ")[0]
        found = sigv4.parse_header_signature(request.headers)
    else:
        algorithm = request.one("X-Amz-Algorithm")
        found = sigv4.parse_query_signature(request.query)
    if algorithm != "AWS4-HMAC-SHA256":
        return Refusal("IncompleteSignature", "Account keys sign with AWS4-HMAC-SHA256.")
    if isinstance(found, tuple):
        return Refusal(*found)
    if found.access_key_id != key:
        return Refusal("IncompleteSignature", "The signature is another key's.")
    unsigned = _steering(request) - set(found.signed_headers.lower().split(";"))
    if unsigned:
        return Refusal("AccessDenied", f"Not signed: {', '.join(sorted(unsigned))}.")
    return found


def _steering(request: Request) -> set[str]:
    """Return the headers that choose what is done: an address must not be good for more.

    A presigned address says nothing of its body, and MiniStack looks for an action in a form.
    """
    names = {"x-amz-target"}
    if request.is_form and not request.signed_in_header:
        names.add("content-type")
    return names & request.headers.keys()


def needs_body(request: Request, signature: sigv4.HeaderSignature) -> bool:
    """Tell whether a signature is of the body too, and not only of what the client says of it.

    S3's clients say so in a header, and objects are large: they are not read twice.
    """
    if signature.service != "s3":
        return True
    return request.signed_in_header and not request.headers.get("x-amz-content-sha256")


def wrong_signature(
    request: Request, signature: sigv4.HeaderSignature, secret: str, body: bytes
) -> Refusal | None:
    """Refuse a request whose signature was not made with the secret.

    Args:
        request: The request.
        signature: Its parts.
        secret: The server's.
        body: As it arrived, if the signature needs it.
    """
    promised = request.headers.get("x-amz-content-sha256", "")
    if signature.service != "s3" and _SHA256.fullmatch(promised):
        found = hashlib.sha256(body).hexdigest()
        if not _same(promised, found):
            return Refusal("SignatureDoesNotMatch", "The body is not the one that was signed.")
    _, to_sign = sigv4.header_signing_documents(
        signature,
        request.method,
        request.raw_path,
        request.query,
        request.headers,
        body,
        presigned=not request.signed_in_header,
    )
    expected = sigv4.calculate_signature(
        secret, signature.date_stamp, signature.region, signature.service, to_sign
    )
    return None if _same(expected, signature.signature) else _mismatch()


def wrong_old_presign(request: Request, secret: str) -> Refusal | None:
    """Refuse a presigned address of an object in the older form, boto3's default, if it is wrong.

    Its signature is of method, path and expiry only, so it is good for objects only.
    """
    from botocore.auth import HmacV1Auth
    from botocore.awsrequest import HTTPHeaders
    from botocore.credentials import Credentials

    expires = request.one("Expires")
    if request.signed_in_header or not _names_object(request):
        return Refusal("IncompleteSignature", "Account keys sign with AWS4-HMAC-SHA256.")
    if not expires.isdecimal() or int(expires) < time.time():
        return Refusal("AccessDenied", "Request has expired")

    class Signer(HmacV1Auth):  # type: ignore[misc]  # botocore has no types
        def _get_date(self) -> str:
            return expires  # what was signed in the place of the date

    headers = HTTPHeaders()
    for name, value in request.headers.items():
        headers[name] = value
    address = urlsplit(f"http://host{request.raw_path}?{request.raw_query}")
    signer = Signer(Credentials(request.one("AWSAccessKeyId"), secret))
    expected = signer.get_signature(request.method, address, headers)
    return None if _same(expected, request.one("Signature")) else _mismatch()


def _mismatch() -> Refusal:
    return Refusal(
        "SignatureDoesNotMatch",
        "The signature is not made with this server's secret. `dyno local env` tells the keys.",
    )


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


class Guard:
    """An ASGI application that lets through to another one who may use it.

    Args:
        application: MiniStack's.
        secret: The server's.
        port: Where it listens.
    """

    def __init__(self, application: Application, secret: str, port: int) -> None:
        self._application = application
        self._secret = secret
        self._port = port

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve or refuse one request, or what else the server has to say."""
        if scope["type"] not in ("http", "websocket"):
            await self._application(scope, receive, send)
            return
        request = Request.of(scope)
        body = Body(receive, there=scope["type"] == "http")
        refusal = await self._refusal(request, body)
        if body.gone:
            return
        if refusal is not None:
            await body.pass_over()  # a client that still writes would not read the answer
            await _refuse(scope, request, refusal, send)
            return
        _other_authorization.set(bool(request.authorization) and not request.signed_in_header)
        if _TELLS_ADDRESSES.match(request.path) and scope["type"] == "http":
            send = _telling(send, self._secret)
        await self._application(scope, body.receive, send)

    async def _refusal(self, request: Request, body: Body) -> Refusal | None:
        refusal = of_a_page(request, self._port) or of_the_server(request, self._secret)
        if refusal is not None or self._is_meter(request):
            return refusal
        key = key_of(request)
        if isinstance(key, Refusal):
            return key
        if not key:
            whole = await body.whole() if request.is_form and request.path == "/" else b""
            return None if is_public(request, whole, self._secret) else _unsigned()
        if not iam_evaluator.is_root_access_key(key):
            return None  # MiniStack checks it
        return await self._wrong_root(request, key, body)

    async def _wrong_root(self, request: Request, key: str, body: Body) -> Refusal | None:
        if "awsaccesskeyid" in request.signed_in_query or request.authorization.startswith("AWS "):
            return wrong_old_presign(request, self._secret)
        signature = signature_of(request, key)
        if isinstance(signature, Refusal):
            return signature
        whole = await body.whole() if needs_body(request, signature) else b""
        return wrong_signature(request, signature, self._secret, whole)

    def _is_meter(self, request: Request) -> bool:
        """Tell whether a worker's meter asks for its function's configuration, and only that."""
        given = request.headers.get(METER_HEADER)
        return (
            given is not None
            and request.method == "GET"
            and _METERED.match(request.path) is not None
            and _same(given, token(self._secret, METER_HEADER))
        )


class Body:
    """A request's body: read here if it is needed, and again by the application."""

    def __init__(self, receive: Receive, *, there: bool = True) -> None:
        self._receive = receive
        self._read: list[Message] = []
        self._ended = not there
        self.gone = False  # the client, before it sent all of it

    async def whole(self) -> bytes:
        """Return all of it."""
        while not self._ended:
            self._read.append(await self._next())
        return b"".join(message.get("body", b"") for message in self._read)

    async def pass_over(self) -> None:
        """Read what is left of it, and keep nothing."""
        while not self._ended:
            await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self.gone = message["type"] != "http.request"
        self._ended = self.gone or not message.get("more_body", False)
        return message

    async def receive(self) -> Message:
        """Return the next message as it arrived."""
        return self._read.pop(0) if self._read else await self._receive()


def _telling(send: Send, secret: str) -> Send:
    """Return a `send` that puts tokens into the addresses of an answer."""
    start: Message = {}
    parts: list[bytes] = []

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        parts.append(message.get("body", b""))
        if message.get("more_body", False):
            return
        body = with_tokens(b"".join(parts), secret)
        headers = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return told


def _unsigned() -> Refusal:
    return Refusal(
        "MissingAuthenticationToken",
        "The request is not signed. `dyno local env` tells the keys.",
    )


async def _refuse(scope: Message, request: Request, refusal: Refusal, send: Send) -> None:
    """Answer 403 with code and reason, in the format that most clients of the service read."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.message})
        return
    scope_parts = (request.authorization + request.one("X-Amz-Credential")).split("/")
    if "s3" in scope_parts or request.is_form or request.authorization.startswith("AWS "):
        kind, body = "application/xml", as_xml(refusal)
    else:
        kind, body = "application/json", as_json(refusal)
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-amzn-errortype", refusal.code.encode()),
    ]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    content = b"" if request.method == "HEAD" else body
    await send({"type": "http.response.body", "body": content})


def as_json(refusal: Refusal) -> bytes:
    """Return a refusal as AWS's JSON services write it."""
    return json.dumps({"__type": refusal.code, "message": refusal.message}).encode()


def as_xml(refusal: Refusal) -> bytes:
    """Return a refusal as AWS's older services write it."""
    code, message = escape(refusal.code), escape(refusal.message)
    return (
        f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId/></ErrorResponse>"
    ).encode()


def close_gaps(secret: str) -> None:
    """Close what the guard cannot close from outside of MiniStack; call it before `ministack.app`.

    - Presigned addresses of root are checked by S3 itself, with the word "test".
    - A function's session has keys that follow from the names of function and role alone.
    - Whoever has no key is root: behind an authorization that is no signature, and where a request
      is for no action that MiniStack knows.
    """
    resolve = iam_evaluator.resolve_credential
    credentials = lambda_runtime.execution_credentials
    enforce = iam_evaluator.enforce
    check = iam_evaluator.check_credentials

    def unsigned() -> iam_evaluator.AuthError:
        return iam_evaluator.AuthError("MissingAuthenticationToken", _unsigned().message)

    def resolved(*arguments: Any, **named: Any) -> Any:
        found = resolve(*arguments, **named)
        if getattr(found, "principal_type", "") == "Root":
            return replace(found, secret_access_key=secret)
        return found

    def unguessable(config: dict[str, Any]) -> dict[str, str]:
        role = str(config.get("Role", ""))
        # of the role only its name, the last part, is looked at; the keys are made of all of it
        secret_role = f"{token(secret, role)}/{role.rpartition('/')[2]}"
        return dict(credentials({**config, "Role": secret_role}))

    def enforced(access_key_id: str, iam_action: str, *others: Any, **named: Any) -> Any:
        context = named.get("service_context") or {}
        open_to_all = context.get("lambda:FunctionUrlAuthType") == "NONE"
        if not access_key_id and _other_authorization.get() and not open_to_all:
            return unsigned()
        return enforce(access_key_id, iam_action, *others, **named)

    def checked(access_key_id: str, *others: Any, **named: Any) -> Any:
        return check(access_key_id, *others, **named) if access_key_id else unsigned()

    iam_evaluator.resolve_credential = resolved
    lambda_runtime.execution_credentials = unguessable
    iam_evaluator.enforce = enforced
    iam_evaluator.check_credentials = checked
