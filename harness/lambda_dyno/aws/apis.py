"""What kind of API a URL belongs to, and its routes: they decide what a function is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import botocore.exceptions

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core import aws_errors as errors

Kind = Literal["rest", "http", "http-1.0", "url", "direct"]

# What API Gateway bills a request as; a function's own URL costs nothing.
BILLED_AS: Mapping[Kind, str] = {"rest": "REST", "http": "HTTP", "http-1.0": "HTTP"}

_BY_HOST = re.compile(r"(?P<id>[^.]+)\.(?P<plane>execute-api|lambda-url)\.")
# A stand-in for AWS has one host, and the id in the path.
_BY_PATH = re.compile(
    r"/_aws/(?P<plane>execute-api|lambda-url)/(?P<id>[^/]+)(?:/(?P<stage>[^/]+))?|"
    r"/restapis/(?P<rest_id>[^/]+)/(?P<rest_stage>[^/]+)/_user_request_"
)
_ANY = "ANY"
_CATCH_ALL = "/{proxy+}"
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Route:
    """One route of an API."""

    method: str  # or ANY
    path: str  # such as "/items/{id}"; "$default" of an HTTP API takes what no other does
    has_claims: bool = False  # an authorizer of tokens passes on what they claim
    has_scopes: bool = False  # and it wants some of them

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Return the path's parameters; None if it is not of this route."""
        if self.method not in (method, _ANY):
            return None
        if self.path == "$default":
            return {}
        found = re.fullmatch(_pattern(self.path), path)
        return None if found is None else found.groupdict()


@dataclass(frozen=True, slots=True)
class ApiForm:
    """How an API calls its function.

    Attributes:
        kind: "rest" (proxy events), "http" (payload format 2.0), "http-1.0", "url" (a function
            URL) or "direct" (the event is what is given).
        base_url: What its requests begin with.
        stage: Of the API.
        api_id: Of the API.
        routes: What it has; empty: not known.
    """

    kind: Kind
    base_url: str = ""
    stage: str = "$default"
    api_id: str = ""
    routes: tuple[Route, ...] = ()

    def route(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the most specific route of a request, and the path's parameters."""
        routes = self.routes or (Route(_ANY, "/"), Route(_ANY, _CATCH_ALL))
        found = [
            (_rank(route), route, parameters)
            for route in routes
            if (parameters := route.match(method, path)) is not None
        ]
        return min(found, key=lambda one: one[0])[1:] if found else None


def form_of(url: str, account: Account) -> ApiForm:
    """Return how the API at a URL calls its function, as far as these credentials can tell.

    Args:
        url: Of the API, with its stage.
        account: Where it is, with apigateway:GET.
    """
    parts = urlsplit(url)
    by_host, by_path = _BY_HOST.match(parts.hostname or ""), _BY_PATH.match(parts.path)
    segments = parts.path.strip("/").split("/")
    if by_path is not None:
        plane = by_path["plane"] or "execute-api"
        api_id = by_path["id"] or by_path["rest_id"]
        stage = by_path["stage"] or by_path["rest_stage"] or "$default"
    elif by_host is not None:
        plane, api_id = by_host["plane"], by_host["id"]
        stage = segments[0] or "$default"
    else:
        plane, (api_id, stage) = "execute-api", _mapped(parts.hostname or "", segments[0], account)
    if plane == "lambda-url":
        return ApiForm("url", url.rstrip("/"), api_id=api_id)
    base_url, routes = url.rstrip("/"), _rest_routes(api_id, account)
    http = None if routes else _http_api(api_id, account)
    if http is None:
        return ApiForm("rest", base_url, stage, api_id, routes)
    return ApiForm(http[0], base_url, stage, api_id, http[1])


def _mapped(host: str, key: str, account: Account) -> tuple[str, str]:
    """Return API and stage behind a domain of the user's own; the key is the path's first part."""
    found = asked(account, "apigatewayv2", "get_api_mappings", DomainName=host)
    mappings = {str(one.get("ApiMappingKey", "")): one for one in (found or {}).get("Items", ())}
    mapping = mappings.get(key) or mappings.get("") or {}
    return str(mapping.get("ApiId", "")), str(mapping.get("Stage", "$default"))


def _http_api(api_id: str, account: Account) -> tuple[Kind, tuple[Route, ...]] | None:
    """Return kind and routes of an HTTP API; None if it is none."""
    api = asked(account, "apigatewayv2", "get_api", ApiId=api_id) if api_id else None
    if api is None or api.get("ProtocolType") != "HTTP":
        return None
    rows = (asked(account, "apigatewayv2", "get_routes", ApiId=api_id) or {}).get("Items", ())
    routes = tuple(map(_http_route, rows))
    integrations = asked(account, "apigatewayv2", "get_integrations", ApiId=api_id) or {}
    formats = {one.get("PayloadFormatVersion") for one in integrations.get("Items", ())}
    return ("http-1.0" if formats == {"1.0"} else "http"), routes


def _http_route(row: Mapping[str, Any]) -> Route:
    method, _, path = str(row["RouteKey"]).partition(" ")
    jwt, scopes = row.get("AuthorizationType") == "JWT", bool(row.get("AuthorizationScopes"))
    return Route(method if path else _ANY, path or "$default", jwt, scopes)


def _rest_routes(api_id: str, account: Account) -> tuple[Route, ...]:
    if not api_id:
        return ()
    answer = asked(
        account, "apigateway", "get_resources", restApiId=api_id, limit=_PAGE, embed=["methods"]
    )
    return tuple(
        Route(method, str(resource["path"]), found.get("authorizationType") == "COGNITO_USER_POOLS")
        for resource in (answer or {}).get("items", ())
        for method, found in (resource.get("resourceMethods") or {}).items()
    )


def asked(account: Account, service: str, operation: str, **parameters: Any) -> Any:
    """Return what API Gateway answers; None: there is no such thing here, or nobody may look.

    Args:
        account: Where it is asked.
        service: boto3's name, such as "apigatewayv2".
        operation: The client's method.
        **parameters: Of the operation.

    Raises:
        ClientError: AWS refuses for any other reason than its status 400, 403 or 404.
    """
    try:
        return getattr(account.session.client(service), operation)(**parameters)
    except botocore.exceptions.ClientError as error:
        if errors.is_denied(error) or errors.http_status(error) in (400, 403, 404):
            return None
        raise


def _pattern(template: str) -> str:
    """Return the regular expression of a path with parameters."""
    parts = re.split(r"(\{[^}]+\})", template.rstrip("/") or "/")
    made = []
    for part in parts:
        name = part[1:-1].rstrip("+")
        if not part.startswith("{"):
            made.append(re.escape(part))
        elif not name.isidentifier():  # a group's name is one
            made.append("[^/]+")
        else:
            made.append(f"(?P<{name}>{'.+' if part.endswith('+}') else '[^/]+'})")
    return "".join(made) + "/?"


def _rank(route: Route) -> tuple[bool, bool, int, bool]:
    """Order routes by how specific they are: literal parts before parameters, ANY last."""
    greedy = "+}" in route.path
    return route.path == "$default", greedy, route.path.count("{"), route.method == _ANY
