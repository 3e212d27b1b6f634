"""API Gateway's proxy events (REST, payload 1.0) to calls of the core, and back to answers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from crud_api import items, operations
from crud_api.codec import dump_json, parse_json
from crud_api.errors import ApiError, BadRequest, MethodNotAllowed, NotFound
from crud_api.store import Store

CATCH_ALL = "/{proxy+}"  # the API's resource for every path that it has no other for


@dataclass(frozen=True, slots=True)
class Request:
    """What a route needs of an event."""

    body: str | bytes | None
    query: dict[str, str]
    item_id: str

    def json(self) -> Any:
        """Return the body's JSON value."""
        if not self.body:
            raise BadRequest("The body is empty; it must be a JSON object.")
        return parse_json(self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """What a route answers; the body is JSON text, or empty for none at all."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


Route = Callable[[Request, Store], Response]


def _manage(request: Request, store: Store) -> Response:
    return Response(200, dump_json(operations.run(request.json(), store)))


def _list_items(request: Request, store: Store) -> Response:
    return Response(200, dump_json(items.list_items(request.query, store)))


def _create_item(request: Request, store: Store) -> Response:
    return Response(201, dump_json(items.create_item(request.json(), store)))


def _get_item(request: Request, store: Store) -> Response:
    return Response(200, dump_json(items.get_item(request.item_id, store)))


def _put_item(request: Request, store: Store) -> Response:
    item, created = items.put_item(request.item_id, request.json(), store)
    return Response(201 if created else 200, dump_json(item))


def _delete_item(request: Request, store: Store) -> Response:
    items.delete_item(request.item_id, store)
    return Response(204)


ROUTES: dict[str, dict[str, Route]] = {
    "/DynamoDBManager": {"POST": _manage},
    "/items": {"GET": _list_items, "POST": _create_item},
    "/items/{id}": {"DELETE": _delete_item, "GET": _get_item, "PUT": _put_item},
}


def is_http(event: Any) -> bool:
    """Whether an event is API Gateway's and not a direct invocation's."""
    return isinstance(event, dict) and "httpMethod" in event and "requestContext" in event


def route_name(event: dict[str, Any]) -> str:
    """Return an event's method and route for the log; never the path, which may hold an id."""
    return f"{event['httpMethod']} {_template(event)[0]}"


def respond(event: dict[str, Any], store: Store) -> Response:
    """Answer an API Gateway event.

    Raises:
        ApiError: What `error_response` makes an answer of.
    """
    template, item_id = _template(event)
    methods = ROUTES.get(template)
    if methods is None:
        known = "; ".join(f"{', '.join(ROUTES[path])} {path}" for path in ROUTES)
        raise NotFound(f"There is no such path. The routes are: {known}.")
    method = event["httpMethod"]
    route = methods.get(method)
    if route is None:
        allowed = ", ".join(methods)
        raise MethodNotAllowed(
            f"{method} is not allowed on {template}. Use {allowed}.", headers={"Allow": allowed}
        )
    request = Request(
        body=_body(event), query=event.get("queryStringParameters") or {}, item_id=item_id
    )
    return route(request, store)


def error_response(error: ApiError, request_id: str) -> Response:
    """Return the answer that tells a caller of an error."""
    body = {
        "error": type(error).__name__,
        "message": str(error),
        "requestId": request_id,
        **error.details,
    }
    return Response(error.status, dump_json(body), error.headers)


def to_gateway(response: Response) -> dict[str, Any]:
    """Return a response as API Gateway takes it."""
    headers = {"Content-Type": "application/json"} if response.body else {}
    return {
        "statusCode": response.status,
        "headers": {**headers, **response.headers},
        "body": response.body,
    }


def _template(event: dict[str, Any]) -> tuple[str, str]:
    """Return the route's path with its parameter open, and the parameter's value."""
    parameters = event.get("pathParameters") or {}
    resource = event.get("resource", CATCH_ALL)
    if resource in ROUTES:
        return resource, unquote(parameters.get("id", ""))
    # not a path of the API's own: a trailing slash, a path that nobody serves
    path = "/" + parameters.get("proxy", event.get("path", "")).strip("/")
    parent, _, last = path.rpartition("/")
    if path in ROUTES or parent != "/items":
        return (path if path in ROUTES else CATCH_ALL), ""
    return "/items/{id}", unquote(last)


def _body(event: dict[str, Any]) -> str | bytes | None:
    body: str | None = event.get("body")
    if not body or not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("The body is marked as base64, but is not.") from None
