"""Whose an address is: only what this account has, or main's settings name, may be asked.

| address | is the account's if |
|---|---|
| `ID.execute-api.REGION.amazonaws.com` | API Gateway has that API here: GetRestApi, or GetApi |
| `ID.lambda-url.REGION.on.aws` | it is a URL of the function: ListFunctionUrlConfigs |
| a domain of one's own | API Gateway has it here: GetDomainName |
| a path of a stand-in for AWS (`AWS_ENDPOINT_URL`) | the API or function URL that it names is |
| anything else | never: its host must be in `[attach] hosts` |
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions

from lambda_dyno.aws.accounts import Account
from lambda_dyno.aws.apis import asked
from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.core import addresses
from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.addresses import Address
from lambda_dyno.core.config import AttachSettings
from lambda_dyno.core.errors import UserError, brief

Resolve = Callable[[str, int], Sequence[str]]

_OF_AWS = re.compile(
    r"(?P<id>[a-z0-9]+)\.(?P<plane>execute-api|lambda-url)\.(?P<region>[a-z0-9-]+)"
    r"\.(?:amazonaws\.com(?:\.cn)?|on\.aws)"
)
# All that AWS keeps for itself; there is nothing of anybody's own below it but the above.
_BELOW_AWS = re.compile(r"(?:.*\.)?(?:amazonaws\.com(?:\.cn)?|on\.aws|api\.aws)")
_DEFAULT_STAGE = "$default"
_PAGE = 500  # of GetResources
_FUNCTION = re.compile(r":function:(?P<name>[A-Za-z0-9_-]+(?::[A-Za-z0-9_-]+)?)")
_OF_STAND_IN = re.compile(
    r"(?P<prefix>/_aws/(?P<plane>execute-api|lambda-url)/(?P<id>[A-Za-z0-9]+)|"
    r"/restapis/(?P<rest_id>[A-Za-z0-9]+)/[A-Za-z0-9$_-]+/_user_request_)(?:/.*)?"
)


@dataclass(frozen=True, slots=True)
class Found:
    """An API that may be asked.

    Attributes:
        url: As it is to be reached from here.
        root: What of it is the API itself, with its stage; the rest is the path of a request.
        place: Its host and port; empty at a stand-in for AWS.
        own: What addresses of it begin with at a stand-in for AWS; empty for AWS.
        authorization: "NONE" or "AWS_IAM", as far as it is known; empty: it is not.
        words: What it is, in words.
        calls: Functions that it calls, with their aliases or versions, as far as it is known.
    """

    url: str
    root: str
    place: str
    own: str
    authorization: str
    words: str
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """What of an account an address is."""

    words: str
    stages: tuple[str, ...] = ()  # that may be the path's first part; "*": whatever is there
    authorization: str = ""
    has_default: bool = True  # whether a path without a stage is one of the API
    calls: tuple[str, ...] = ()


def find(
    settings: AttachSettings, function: Function, account: Account, *, where: str = "--url"
) -> Found:
    """Return the API that settings name, once it is sure whose it is.

    Args:
        settings: With a URL, and with those hosts that may be named.
        function: The function behind it.
        account: Where both must be.
        where: What names the URL, for messages.

    Raises:
        UserError: It is nobody's here, or no address that may be asked.
    """
    try:
        address = addresses.parse(settings.url)
    except UserError as error:  # shows the address, but for a password
        raise UserError(f"{where} {error}") from None
    reached = account.reachable(settings.url.rstrip("/"))
    try:
        if reached != settings.url.rstrip("/") or _is_endpoint(address, account):
            return _at_stand_in(reached, address, function, account)
        return _on_aws(address, settings, function, account)
    except UserError as error:
        raise UserError(f"{where} {brief(settings.url, most=200)}: {error}") from None


def require_public(place: Address, resolve: Resolve | None = None) -> None:
    """Make sure that a host's name leads to nothing but public addresses, as it does just now.

    The load driver looks again at each connection; this is to know before anything is made.

    Raises:
        UserError: It cannot be resolved, or not only to such.
    """
    try:
        found = (resolve or _resolve)(place.host, place.port)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{place.host} cannot be resolved: {reason}") from None
    wrong = next((one for one in found if not addresses.is_public(one)), None)
    if wrong is not None:
        raise UserError(f"{place.host} is {wrong}, which is no public address")


def _on_aws(
    address: Address, settings: AttachSettings, function: Function, account: Account
) -> Found:
    why = addresses.why_not_a_public_name(address.host)
    if why:
        raise UserError(f"{address.host} {why}")
    if address.scheme != "https":
        raise UserError("must be asked by https")
    is_named = address.place in settings.hosts
    if address.port != addresses.HTTPS_PORT and not is_named:
        raise UserError(f'port {address.port} must be named: [attach] hosts = ["{address.place}"]')
    try:
        found = _in_account(address, function, account)
    except UserError:  # such as an API of a partner's account
        if not is_named:
            raise
        found = None
    if found is None and not is_named:
        raise UserError(
            f"account {account.account_id} has no such domain in {account.region}, as far as these "
            "credentials may look (apigateway:GET). What is not its own must be named in the "
            f'default branch\'s dyno.toml: [attach] hosts = ["{_shortest(address)}"]'
        )
    require_public(address)
    url = _url(address)
    if found is None:
        return Found(url, url, address.place, "", "", f"{address.host} of [attach] hosts")
    stage = _stage(found, address.path)
    root = f"{url.removesuffix(address.path)}{stage}"
    return Found(url, root, address.place, "", found.authorization, found.words, found.calls)


def _stage(known: _Known, path: str) -> str:
    """Return the part of a path that is no request's, such as "/v1"; empty: none is.

    Raises:
        UserError: It has to have one.
    """
    first = path.lstrip("/").partition("/")[0]
    if first and (first in known.stages or "*" in known.stages):
        return f"/{first}"
    if not known.has_default:
        raise UserError(f"{known.words} is asked with its stage, such as .../v1")
    return ""


def _in_account(address: Address, function: Function, account: Account) -> _Known | None:
    """Return what an address is here; None: nothing of ours.

    Raises:
        UserError: It is of AWS, and not of this account and region.
    """
    found = _OF_AWS.fullmatch(address.host)
    if found is not None:
        if found["region"] != account.region:
            raise UserError(
                f"it is in {found['region']}, and this run in {account.region}: name one region"
            )
        return _by_id(found["plane"], found["id"], function, account)
    if _BELOW_AWS.fullmatch(address.host):
        raise UserError(
            "it is no API of API Gateway and no function URL: these are "
            "ID.execute-api.REGION.amazonaws.com and ID.lambda-url.REGION.on.aws"
        )
    for service, parameter in (("apigatewayv2", "DomainName"), ("apigateway", "domainName")):
        if asked(account, service, "get_domain_name", **{parameter: address.host}) is not None:
            rows = asked(account, "apigatewayv2", "get_api_mappings", DomainName=address.host)
            keys = tuple(
                str(one.get("ApiMappingKey") or "") for one in (rows or {}).get("Items", ())
            )
            return _Known(f"domain {address.host} of account {account.account_id}", keys)
    return None


def _at_stand_in(reached: str, address: Address, function: Function, account: Account) -> Found:
    """Return an API at the endpoint that AWS_ENDPOINT_URL, or the run itself, names."""
    known = _OF_AWS.fullmatch(address.host)
    if known is not None and known["region"] != account.region:
        raise UserError(
            f"it is in {known['region']}, and this run in {account.region}: name one region"
        )
    found = _OF_STAND_IN.fullmatch(urlsplit(reached).path)
    if found is None:
        raise UserError(
            f"of {account.endpoint} only APIs and function URLs may be asked: "
            "/_aws/execute-api/ID/STAGE, /_aws/lambda-url/ID"
        )
    plane, api_id = found["plane"] or "execute-api", found["id"] or found["rest_id"]
    api = _by_id(plane, api_id, function, account)
    own = f"{account.endpoint.rstrip('/')}{found['prefix']}"
    rest = reached.removeprefix(own)
    if found["rest_id"]:  # its stage is in the prefix
        return Found(reached, own, "", own, api.authorization, api.words, api.calls)
    stage = _stage(replace(api, stages=(*api.stages, _DEFAULT_STAGE)), rest)
    if not stage and plane == "execute-api":  # a stand-in wants to be told that one, too
        stage, rest = f"/{_DEFAULT_STAGE}", f"/{_DEFAULT_STAGE}{rest}"
    url, root = f"{own}{rest}", f"{own}{stage}"
    return Found(url, root, "", own, api.authorization, api.words, api.calls)


def _by_id(plane: str, found_id: str, function: Function, account: Account) -> _Known:
    """Return what an id of API Gateway's or of a function URL is.

    Raises:
        UserError: It is nothing of this account.
    """
    if plane == "lambda-url":
        urls = list(_function_urls(function, account))
        for url in urls:
            if _id_of_url(str(url["FunctionUrl"])) == found_id:
                authorization = str(url.get("AuthType") or "NONE")
                calls = _functions([str(url.get("FunctionArn") or "")])
                words = f"function URL of {function.name}"
                return _Known(words, authorization=authorization, calls=calls)
        others = ", ".join(str(url["FunctionUrl"]) for url in urls) or "it has none"
        raise UserError(f"it is no URL of function {function.name}: {others}")
    of_account = f"{found_id} of account {account.account_id}"
    http = asked(account, "apigatewayv2", "get_api", ApiId=found_id)
    if http is not None:
        if http.get("ProtocolType") == "WEBSOCKET":
            raise UserError("it is a WebSocket API, which no collection can ask")
        stages = asked(account, "apigatewayv2", "get_stages", ApiId=found_id)
        names = tuple(str(one["StageName"]) for one in (stages or {}).get("Items", ()))
        rows = asked(account, "apigatewayv2", "get_integrations", ApiId=found_id)
        calls = _functions(str(one.get("IntegrationUri")) for one in (rows or {}).get("Items", ()))
        has_default = _DEFAULT_STAGE in names
        return _Known(f"HTTP API {of_account}", names, has_default=has_default, calls=calls)
    if asked(account, "apigateway", "get_rest_api", restApiId=found_id) is not None:
        rows = asked(
            account,
            "apigateway",
            "get_resources",
            restApiId=found_id,
            limit=_PAGE,
            embed=["methods"],
        )
        uris = [
            str((method.get("methodIntegration") or {}).get("uri"))
            for resource in (rows or {}).get("items", ())
            for method in (resource.get("resourceMethods") or {}).values()
        ]
        calls = _functions(uris)
        return _Known(f"REST API {of_account}", ("*",), has_default=False, calls=calls)
    raise UserError(
        f"account {account.account_id} has no API {brief(found_id)} in {account.region}, as far as "
        "these credentials may look (apigateway:GET)"
    )


def _functions(uris: Iterable[str]) -> tuple[str, ...]:
    """Return the functions that integrations call; none if one is not known before it is called."""
    found = [(uri, _FUNCTION.search(uri)) for uri in uris]
    if any("${" in uri for uri, _ in found):
        return ()
    return tuple(sorted({match["name"] for _, match in found if match is not None}))


def _function_urls(function: Function, account: Account) -> Iterator[dict[str, Any]]:
    client = account.session.client("lambda")
    try:
        for page in client.get_paginator("list_function_url_configs").paginate(
            FunctionName=function.name
        ):
            yield from page["FunctionUrlConfigs"]
    except botocore.exceptions.ClientError as error:
        raise UserError(
            f"the URLs of function {function.name} cannot be listed "
            f"(lambda:ListFunctionUrlConfigs): {errors.code(error)}"
        ) from None


def _id_of_url(url: str) -> str:
    """Return the id in a function URL, in AWS's form or a stand-in's."""
    parts = urlsplit(url)
    found = _OF_STAND_IN.fullmatch(parts.path)
    return (found["id"] if found else "") or (parts.hostname or "").partition(".")[0]


def _is_endpoint(address: Address, account: Account) -> bool:
    """Whether an address is the stand-in's own."""
    if not account.endpoint:
        return False
    endpoint = addresses.parse(account.endpoint)
    return (address.scheme, address.place) == (endpoint.scheme, endpoint.place)


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _shortest(address: Address) -> str:
    return address.host if address.port == addresses.HTTPS_PORT else address.place


def _url(address: Address) -> str:
    return f"{address.scheme}://{_shortest(address)}{address.path}"
