"""What a collection would send, as far as its file tells: requests that write, and other hosts.

Variables and scripts may change either; the load driver holds each request against the same rules
when it is sent. This is to say it before anything is made, all of it, and what to write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_dyno.core import addresses
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.load import collection_files
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.tune.api_events import READING

_SENDS = re.compile(r"\bsendRequest\s*\(")
_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a collection.

    Attributes:
        name: As the collection calls it; what has no name cannot be marked as safe.
        method: In capital letters, or a variable.
        url: As it is written, with its variables.
        by_scripts: How many requests the scripts around it send, each time.
    """

    name: str
    method: str
    url: str
    by_scripts: int = 0


def requests_of(files: CollectionFiles) -> tuple[Asked, ...]:
    """Return the requests of one iteration, in order; of several collections those of all.

    Args:
        files: Checked before.
    """
    found = dict.fromkeys(_named("collection", files))
    return tuple(one for path in found for one in _requests_of(path))


def _named(name: str, files: CollectionFiles) -> list[Path]:
    """Return the files of a kind: of a test, and of parts of it."""
    return [path for key, path in files.paths().items() if key.rpartition(".")[2] == name]


def _requests_of(path: Path) -> tuple[Asked, ...]:
    content = collection_files.content_of(path)
    if "requests" in content and "item" not in content:
        return tuple(_of_v1(one) for one in content["requests"] if isinstance(one, Mapping))
    return tuple(_leaves(content.get("item"), _scripts(content)))


def rows_of(files: CollectionFiles) -> int:
    """Return how many iterations a smoke test has: one for each row of the data file."""
    return max((len(collection_files.rows_of(one)) for one in _named("data", files)), default=1)


def require_safe(asked: Sequence[Asked], safe: Collection[str], where: str) -> None:
    """Make sure that what a collection sends only reads, or is marked as safe.

    Args:
        asked: What it sends.
        safe: Names of `[tuning] safe`.
        where: The collection, for the message.

    Raises:
        UserError: Something may write: it is named, with what to write where it is meant.
    """
    writing = [one for one in asked if one.method not in READING and one.name not in safe]
    if not writing:
        return
    named = ", ".join(
        f"{one.method} {brief(json.dumps(one.name, ensure_ascii=False))}"
        for one in writing[:_MOST_NAMED]
    )
    more = f", and {len(writing) - _MOST_NAMED} more" if len(writing) > _MOST_NAMED else ""
    names = list(dict.fromkeys([*sorted(safe), *(one.name for one in writing if one.name)]))
    shown = json.dumps(names[:_MOST_NAMED], ensure_ascii=False)
    raise UserError(
        f"{where}: requests that may write are not sent to an API that others use: {named}{more}. "
        f"Take a collection that only reads (GET, HEAD), or, if they may be repeated with real "
        f"data, mark them in dyno.toml: [tuning] safe = {brief(shown, most=400)}"
    )


def require_places(asked: Sequence[Asked], places: Collection[str], own: str, where: str) -> None:
    """Make sure that a collection's absolute addresses lead to places that are allowed.

    Args:
        asked: What it sends; hosts that are variables are left to the load driver.
        places: Hosts with their ports.
        own: What addresses of the API begin with at a stand-in for AWS; empty for AWS.
        where: The collection, for the message.

    Raises:
        UserError: One does not: it is named.
    """
    for one in asked:
        why = _why_not_there(one.url, places, own)
        if why:
            raise UserError(f"{where}: {brief(json.dumps(one.name, ensure_ascii=False))}: {why}")


def _why_not_there(url: str, places: Collection[str], own: str) -> str:
    found = _SCHEME.match(url)
    scheme, rest = (found["scheme"].lower(), found["rest"]) if found else ("", url)
    netloc = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "{{" in netloc or not netloc:
        return ""
    if own and (url == own or url.startswith((f"{own}/", f"{own}?"))):
        return ""
    host = netloc.rpartition("@")[2]
    shown = brief(host, most=120)
    if scheme != "https":
        return f"{scheme or 'http'}://{shown} is not asked: only https is, and {{{{baseUrl}}}}"
    try:
        place = addresses.parse_host(host).place
    except UserError as error:
        return str(error)
    if place in places:
        return ""
    return (
        f'{shown} is not among the hosts that may be asked: [attach] hosts = ["{shown}"], in the '
        "default branch's dyno.toml, allows it"
    )


def _leaves(items: Any, sent: int) -> Iterator[Asked]:
    """Yield the requests of a folder; `sent` counts what the scripts around it send."""
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, Mapping):
            continue
        by_scripts = sent + _scripts(item)
        if "item" in item:
            yield from _leaves(item["item"], by_scripts)
        elif request := item.get("request"):
            yield _of_v2(str(item.get("name") or ""), request, by_scripts)


def _of_v2(name: str, request: Any, by_scripts: int) -> Asked:
    if not isinstance(request, Mapping):
        return Asked(name, "GET", str(request), by_scripts)
    url = request.get("url")
    if isinstance(url, Mapping):
        # what is sent is made of the parts; the raw text need not be the same
        url = _composed(url) or str(url.get("raw") or "")
    method = str(request.get("method") or "GET").upper()
    return Asked(name, method, str(url or ""), by_scripts)


def _composed(url: Mapping[str, Any]) -> str:
    host = url.get("host")
    if not host:
        return ""
    named = ".".join(map(str, host)) if isinstance(host, list) else str(host)
    scheme = f"{url['protocol']}://" if url.get("protocol") else ""
    port = f":{url['port']}" if url.get("port") else ""
    path = url.get("path")
    parts = path if isinstance(path, list) else [path] if path else []
    return f"{scheme}{named}{port}/{'/'.join(map(str, parts))}"


def _of_v1(request: Mapping[str, Any]) -> Asked:
    text = f"{request.get('preRequestScript') or ''}\n{request.get('tests') or ''}"
    method = str(request.get("method") or "GET").upper()
    name, url = str(request.get("name") or ""), str(request.get("url") or "")
    return Asked(name, method, url, len(_SENDS.findall(text)))


def _scripts(holder: Mapping[str, Any]) -> int:
    """Return how many requests the scripts of an item, folder or collection send."""
    events = holder.get("event")
    return len(_SENDS.findall(json.dumps(events))) if events else 0
