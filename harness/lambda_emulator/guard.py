"""Who may use the embedded AWS: whoever has its secret, and no web page.

Part of the server's program (`front.py`). MiniStack takes a 12-digit access key as root of that
account and looks at no signature of it, serves what manages the server itself to everybody, and
lets any web page ask. Here a request must

- name this server as its host, or S3 Control by the name that `dyno` gives it, and come from no
  web page (`of_a_page`);
- carry a signature with the server's secret, if its key is a root key (`Guard`);
- be one of the few that AWS, too, serves unsigned, if it has no key (`is_public`).

Keys of users, roles and sessions are MiniStack's to check, as it does. `gaps` closes what can
only be closed inside of it; tests/emulator/test_guard_seams.py holds what all this relies on.
"""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from ministack.core import iam_actions, iam_evaluator

from lambda_emulator.asgi import Application, Body, Message, Receive, Send
from lambda_emulator.gaps import UNSIGNED, other_authorization
from lambda_emulator.request import Refusal, Request, without_host
from lambda_emulator.signatures import (
    key_of,
    names_object,
    needs_body,
    signature_of,
    wrong_old_presign,
    wrong_signature,
)
from lambda_emulator.tokens import is_web_identity, same, token

# How `dyno` has Terraform ask S3 Control (lambda_dyno/terraform/stand_in.py): whose clients put the
# account before the host, so that it can be no address of this machine.
_S3_CONTROL_HOST = re.compile(r"(\d{12}\.)?s3-control\.dyno\.invalid")
_S3_CONTROL_PATH = "/v20180820/"
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
_REGISTRY = re.compile(r"/v2/?$|/v2/_catalog$|/v2/.*(/blobs/|/manifests/|/tags/list$)")
# Cognito's pages and tokens; they know their callers by what is in the request.
_LOGIN = re.compile(
    r"GET /(oauth2/authorize|oauth2/user[Ii]nfo|logout)$"
    r"|POST /(oauth2/login|oauth2/token|oauth2/user[Ii]nfo|login)$"
    r"|GET /[^/]+/\.well-known/(jwks\.json|openid-configuration)$"
)
_LOGIN_SERVICES = {
    "AWSCognitoIdentityProviderService": "cognito-idp",
    "AWSCognitoIdentityService": "cognito-identity",
}


def of_a_page(request: Request, port: int) -> Refusal | None:
    """Refuse what names another host than this server, and whatever a browser sends for a page.

    Browsers add Origin to every request of a page that could change something, and Sec-Fetch-Site
    to all. A name that was rebound to 127.0.0.1 has neither, and is another host. No name below
    .invalid can be bound to anything: S3 Control's comes by a proxy setting alone.
    """
    host = request.headers.get("host", "").lower()
    if host not in (f"127.0.0.1:{port}", f"localhost:{port}") and not _is_s3_control(
        request, host, port
    ):
        return Refusal(
            "AccessDenied",
            f"Host {host!r}: this server is 127.0.0.1:{port} or localhost:{port}, and no proxy for "
            "other hosts.",
        )
    if "origin" in request.headers:
        return Refusal("AccessDenied", "Origin: web pages may not use this server.")
    if request.headers.get("sec-fetch-site", "none") != "none":
        return Refusal("AccessDenied", "Sec-Fetch-Site: web pages may not use this server.")
    return None


def _is_s3_control(request: Request, host: str, port: int) -> bool:
    name, _, named_port = host.partition(":")
    is_named = _S3_CONTROL_HOST.fullmatch(name) is not None and named_port == str(port)
    return is_named and request.path.startswith(_S3_CONTROL_PATH)


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
    if _CODE.match(path) and read and same(request.one("token"), token(secret, path)):
        return None
    return Refusal("AccessDenied", f"{path} is closed.")


def with_tokens(body: bytes, secret: str) -> bytes:
    """Return an answer of AWS Lambda with a token in each address of code."""

    def signed(found: re.Match[bytes]) -> bytes:
        path = found[1]
        return path + b"?token=" + token(secret, path.decode("latin-1")).encode()

    return _CODE_ADDRESS.sub(signed, body)


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


def _is_object(request: Request) -> bool:
    """Tell whether it reads an object of a bucket; MiniStack asks whether that is public."""
    return request.method in ("GET", "HEAD") and names_object(request)


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
        scope = without_host(scope)
        request = Request.of(scope)
        body = Body(receive, there=scope["type"] == "http")
        refusal = await self._refusal(request, body)
        if body.gone:
            return
        if refusal is not None:
            await body.pass_over()  # a client that still writes would not read the answer
            await _refuse(scope, request, refusal, send)
            return
        other_authorization.set(bool(request.authorization) and not request.signed_in_header)
        if _TELLS_ADDRESSES.match(request.path) and scope["type"] == "http":
            send = _telling(send, self._secret)
        await self._application(scope, body.receive, send)

    async def _refusal(self, request: Request, body: Body) -> Refusal | None:
        refusal = of_a_page(request, self._port) or of_the_server(request, self._secret)
        if refusal is not None:
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
    return Refusal("MissingAuthenticationToken", UNSIGNED)


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
