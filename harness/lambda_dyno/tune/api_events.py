"""The events that APIs make of requests, as AWS documents them.

REST APIs and HTTP APIs with payload format 1.0: docs.aws.amazon.com/apigateway, "Input format of a
Lambda function for proxy integration"; HTTP APIs: "payload format version 2.0"; function URLs have
that of HTTP APIs.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from lambda_dyno.aws.apis import ApiForm, Route

READING = ("GET", "HEAD")  # what changes nothing, by RFC 9110
_SOURCE_IP = "192.0.2.1"  # RFC 5737: nobody's
_REQUEST_ID = "{{$guid}}"
_TEMPLATE = re.compile(r"\{\{\$[^{}]*\}\}")
_STAND_IN = re.compile(r"dyno-template-(\d+)-")
_TEXT_TYPE = re.compile(r"text/.+|application/(json|javascript|xml)|.+\+(json|xml)")
_TOKEN_PARTS = 3  # header, claims, signature
_INVOCATIONS = re.compile(r"/\d{4}-\d\d-\d\d/functions/[^/]+/invocations")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to an API; its texts may have templates."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    is_base64: bool = False
    claims: Mapping[str, Any] | None = None  # of the token in it, as `claims_of` returns them


def claims_of(headers: Sequence[tuple[str, str]]) -> dict[str, Any] | None:
    """Return what the JSON web token (RFC 7519) in an Authorization header claims, if one is there.

    Whether it is signed is the authorizer's business: a request that it refuses gets no event.
    """
    token = next((value for name, value in headers if name.lower() == "authorization"), "")
    parts = token.removeprefix("Bearer ").removeprefix("bearer ").split(".")
    if len(parts) != _TOKEN_PARTS:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def is_invocation(url: str) -> bool:
    """Whether a request goes to Lambda itself, whose body is then the event."""
    return _INVOCATIONS.fullmatch(urlsplit(url).path) is not None


def event_of(request: HttpRequest, form: ApiForm) -> Any:
    """Return what a function gets of a request, or None if no route of the API is for it."""
    if form.kind == "direct" or is_invocation(request.url):
        return _direct(request)
    # a template may have slashes in it
    templates = _TEMPLATE.findall(request.url)
    numbers = iter(range(len(templates)))
    url = _TEMPLATE.sub(lambda _: f"dyno-template-{next(numbers)}-", request.url)
    event = _of_api(replace(request, url=url), form)
    return _filled(event, templates) if templates else event


def _of_api(request: HttpRequest, form: ApiForm) -> dict[str, Any] | None:
    path = "/" + urlsplit(request.url).path[len(urlsplit(form.base_url).path) :].lstrip("/")
    found = form.route(request.method, path)
    if form.kind == "url":
        return _version_2(request, form, path, "$default", {})
    if found is None:
        return None
    route, parameters = found
    event = _of_route(request, form, path, route, parameters)
    if route.has_claims and request.claims is not None:
        event["requestContext"]["authorizer"] = _authorizer(request.claims, route, form)
    return event


def _authorizer(claims: Mapping[str, Any], route: Route, form: ApiForm) -> dict[str, Any]:
    """Return what an authorizer of tokens adds: JWT of HTTP APIs, Cognito user pools of REST APIs.

    docs.aws.amazon.com/apigateway, "Control access to HTTP APIs with JWT authorizers" and
    "Integrate a REST API with an Amazon Cognito user pool": claims are texts.
    """
    texts = {name: _text(value) for name, value in claims.items() if value is not None}
    if form.kind == "rest":
        return {"claims": texts}
    granted = claims.get("scope", claims.get("scp"))
    scopes = granted.split() if isinstance(granted, str) else granted
    found = {"claims": texts, "scopes": scopes if route.has_scopes else None}
    return {"jwt": found} if form.kind == "http" else found


def _text(value: Any) -> str:
    """Return a claim as API Gateway passes it on: a list is "[a b]"."""
    if isinstance(value, list):
        return f"[{' '.join(map(_text, value))}]"
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _of_route(
    request: HttpRequest, form: ApiForm, path: str, route: Route, parameters: Mapping[str, str]
) -> dict[str, Any]:
    if form.kind == "http":
        # decoded by HTTP APIs, and by no others
        path, parameters = unquote(path), {n: unquote(v) for n, v in parameters.items()}
        key = route.path if route.path == "$default" else f"{route.method} {route.path}"
        return _version_2(request, form, path, key, parameters)
    return _version_1(request, form, path, route.path, parameters)


def _filled(value: Any, templates: Sequence[str]) -> Any:
    if isinstance(value, str):
        return _STAND_IN.sub(lambda match: templates[int(match[1])], value)
    if isinstance(value, dict):
        return {key: _filled(inner, templates) for key, inner in value.items()}
    return [_filled(inner, templates) for inner in value] if isinstance(value, list) else value


def _version_1(
    request: HttpRequest, form: ApiForm, path: str, resource: str, parameters: Mapping[str, str]
) -> dict[str, Any]:
    headers = _headers(request, form)
    query = _query(request.url)
    event = {
        "resource": resource,
        "path": path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(parameters) or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": form.api_id,
            "domainName": urlsplit(form.base_url).hostname,
            "httpMethod": request.method,
            "identity": {"sourceIp": _SOURCE_IP, "userAgent": _header(request, "user-agent")},
            "path": f"/{form.stage}{path}",
            "protocol": "HTTP/1.1",
            "requestId": _REQUEST_ID,
            "resourcePath": resource,
            "stage": form.stage,
        },
        "body": request.body or None,
        "isBase64Encoded": request.is_base64,
    }
    return {"version": "1.0", **event} if form.kind == "http-1.0" else event


def _version_2(
    request: HttpRequest, form: ApiForm, path: str, key: str, parameters: Mapping[str, str]
) -> dict[str, Any]:
    request = _encoded(request)
    parts = urlsplit(request.url)
    raw_path = path if form.stage == "$default" else f"/{form.stage}{path}"
    headers = {name.lower(): ",".join(values) for name, values in _headers(request, form).items()}
    cookies = [one.strip() for one in headers.pop("cookie", "").split(";") if one.strip()]
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": raw_path,
        "rawQueryString": parts.query,
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": form.api_id,
            "domainName": urlsplit(form.base_url).hostname,
            "http": {
                "method": request.method,
                "path": raw_path,
                "protocol": "HTTP/1.1",
                "sourceIp": _SOURCE_IP,
                "userAgent": _header(request, "user-agent"),
            },
            "requestId": _REQUEST_ID,
            "routeKey": key,
            "stage": form.stage,
        },
        "isBase64Encoded": request.is_base64,
    }
    optional = {
        "cookies": cookies,
        "queryStringParameters": {n: ",".join(v) for n, v in _query(request.url).items()},
        "pathParameters": dict(parameters),
        "body": request.body,
    }
    return event | {name: value for name, value in optional.items() if value}


def _encoded(request: HttpRequest) -> HttpRequest:
    """Return a request whose body is base64 unless its type is text, as forms are not.

    One with a template stays text: nothing could be filled in otherwise.
    """
    kind = _header(request, "content-type").partition(";")[0].strip().lower()
    as_text = not kind or _TEXT_TYPE.fullmatch(kind) or _TEMPLATE.search(request.body)
    if request.is_base64 or not request.body or as_text:
        return request
    encoded = base64.b64encode(request.body.encode()).decode()
    return replace(request, body=encoded, is_base64=True)


def _headers(request: HttpRequest, form: ApiForm) -> dict[str, list[str]]:
    parts = urlsplit(form.base_url)
    own = (
        ("Host", parts.hostname or ""),
        ("X-Forwarded-For", _SOURCE_IP),
        ("X-Forwarded-Port", str(parts.port or (443 if parts.scheme == "https" else 80))),
        ("X-Forwarded-Proto", parts.scheme),
    )
    return _by_name((*request.headers, *own))


def _query(url: str) -> dict[str, list[str]]:
    return _by_name(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _by_name(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _header(request: HttpRequest, name: str) -> str:
    return next((value for key, value in request.headers if key.lower() == name), "")


def _direct(request: HttpRequest) -> Any:
    """Return an event that is the body itself."""
    try:
        body = base64.b64decode(request.body) if request.is_base64 else request.body
        return json.loads(body or "null")
    except ValueError:
        return request.body
