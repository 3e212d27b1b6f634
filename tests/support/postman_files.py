"""Collections for tests, in few words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def script(listen: str, *lines: str) -> dict[str, Any]:
    """Return a script that runs before a request ("prerequest") or after it ("test")."""
    return {"listen": listen, "script": {"type": "text/javascript", "exec": list(lines)}}


def is_status(status: int) -> dict[str, Any]:
    """Return a test of the answer's status."""
    return script("test", f"pm.test('{status}', () => pm.response.to.have.status({status}));")


def request(name: str, url: str, *events: dict[str, Any], **of_request: Any) -> dict[str, Any]:
    """Return a request; without a name it has none. `of_request`: method, body, auth, ..."""
    item: dict[str, Any] = {"request": {"method": "GET", "url": url, **of_request}}
    if name:
        item["name"] = name
    if events:
        item["event"] = list(events)
    return item


def auth(kind: str, **values: str) -> dict[str, Any]:
    """Return an auth of format v2.1."""
    return {"type": kind, kind: [{"key": key, "value": value} for key, value in values.items()]}


def collection(*items: dict[str, Any], **others: Any) -> dict[str, Any]:
    """Return a collection of format v2.1."""
    return {"info": {"name": "theirs", "schema": SCHEMA}, "item": list(items), **others}


def write(path: Path, content: Any, *, prefix: bytes = b"", encoding: str = "utf-8") -> Path:
    """Write a file as it is exported; text as it is, anything else as JSON."""
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_bytes(prefix + text.encode(encoding))
    return path
