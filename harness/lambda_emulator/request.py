"""A request as it arrived, and why it is not served."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote

from ministack.core import sigv4

from lambda_emulator.asgi import Message

FORM = "application/x-www-form-urlencoded"
_QUERY_SIGNATURE = frozenset(
    {"x-amz-algorithm", "x-amz-credential", "x-amz-signature", "awsaccesskeyid"}
)


# A request to a proxy names the whole address: GET http://HOST/PATH, and HOST in its header, too.
_TO_PROXY = re.compile(rb"http://([^/?#]*)(/.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not served; `code` is AWS's word for it."""

    code: str
    message: str


def without_host(scope: Message) -> Message:
    """Return an ASGI scope whose path is a path, if it was the address that a proxy is asked for.

    One whose address names another host than its header stays as it is: no path begins so.
    """
    found = _TO_PROXY.fullmatch(scope.get("raw_path") or b"")
    hosts = [value for name, value in scope.get("headers", []) if name.lower() == b"host"]
    if found is None or hosts != [found[1]]:
        return scope
    raw_path = found[2] or b"/"
    return {**scope, "path": unquote(raw_path.decode("ascii")), "raw_path": raw_path}


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
