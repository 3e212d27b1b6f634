"""What a collection would send, by its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.attach import asked
from lambda_dyno.attach.asked import Asked
from lambda_dyno.core.errors import UserError
from lambda_dyno.load.collection_files import CollectionFiles
from tests.support.postman_files import collection, request, script, write

PLACES = ("api.example.com:443", "auth.example.com:8443")


def requests(folder: Path, content: Any, **options: Any) -> tuple[Asked, ...]:
    return asked.requests_of(CollectionFiles(write(folder / "c.json", content, **options)))


def test_requests_of_folders_in_order(tmp_path: Path) -> None:
    """Whatever form they are written in; what scripts around them send is counted."""
    sends = script("test", "pm.sendRequest('x', () => {}); pm.sendRequest ('y');")
    parts = {"protocol": "https", "host": ["a", "b"], "port": "1", "path": ["x"], "raw": "z"}
    content = collection(
        {"name": "folder", "event": [sends], "item": [request("one", "{{baseUrl}}/1")]},
        request("two", "{{baseUrl}}/2", method="post"),
        {"name": "three", "request": "https://a.b/3"},
        {"name": "four", "request": {"url": parts}},
        {"name": "saved answer"},
        event=[script("prerequest", "pm.sendRequest('z', () => {})")],
    )
    assert requests(tmp_path, content) == (
        Asked("one", "GET", "{{baseUrl}}/1", 3),
        Asked("two", "POST", "{{baseUrl}}/2", 1),
        Asked("three", "GET", "https://a.b/3", 1),
        Asked("four", "GET", "https://a.b:1/x", 1),
    )
    wrapped = requests(tmp_path, {"collection": content}, prefix=b"\xff\xfe", encoding="utf-16-le")
    assert [one.name for one in wrapped] == ["one", "two", "three", "four"]


def test_requests_of_format_v1(tmp_path: Path) -> None:
    """They are in one list."""
    one = {"name": "one", "method": "PUT", "url": "u", "tests": "pm.sendRequest('x')"}
    content = {"name": "old", "order": [], "requests": [one]}
    assert requests(tmp_path, content) == (Asked("one", "PUT", "u", 1),)


@pytest.mark.parametrize(
    ("text", "rows"), [('[{"a": 1}, {"a": 2}]', 2), ("a,b\n1,2\n3,4\n5,6\n", 3)]
)
def test_rows_of_a_data_file(tmp_path: Path, text: str, rows: int) -> None:
    """JSON or CSV; without one there is one iteration."""
    path = write(tmp_path / "c.json", collection(request("one", "u")))
    assert asked.rows_of(CollectionFiles(path)) == 1
    assert asked.rows_of(CollectionFiles(path, data=write(tmp_path / "rows", text))) == rows


def test_what_only_reads_is_sent() -> None:
    """And what is marked as safe."""
    sent = [Asked("list", "GET", "u"), Asked("head", "HEAD", "u"), Asked("find", "POST", "u")]
    asked.require_safe(sent, ["find"], "c.json")


def test_what_writes_is_refused_by_name() -> None:
    """The line says what to write where it is meant, with what is marked already."""
    sent = [Asked("find", "POST", "u"), Asked("drop", "DELETE", "u"), Asked("any", "{{m}}", "u")]
    with pytest.raises(UserError) as caught:
        asked.require_safe(sent, ["find"], "c.json")
    text = str(caught.value)
    assert 'DELETE "drop", {{M}}' not in text
    assert text.startswith("c.json: requests that may write")
    assert 'DELETE "drop", {{m}} "any"' in text
    assert '[tuning] safe = ["find", "drop", "any"]' in text


@pytest.mark.parametrize(
    "url",
    [
        *("{{baseUrl}}/x", "https://{{host}}/x", "{{proto}}://api", "https://api.example.com/x"),
        *("https://API.example.com", "https://auth.example.com:8443/token", "/x"),
        *("http://127.0.0.1:4566/_aws/execute-api/abc/v1",),
    ],
)
def test_places_that_are_allowed(url: str) -> None:
    """The API, what is named, and what only the driver will know."""
    own = "http://127.0.0.1:4566/_aws/execute-api/abc"
    asked.require_places([Asked("one", "GET", url)], PLACES, own, "c.json")


@pytest.mark.parametrize(
    "url",
    [
        *("https://other.example.com/", "http://api.example.com/", "https://auth.example.com/"),
        *("api.example.com/x", "169.254.169.254/latest", "https://169.254.169.254/"),
        *("https://api.example.com@10.0.0.1/", "https://[::1]/", "https://2130706433/"),
        *("ws://api.example.com/", "http://127.0.0.1:4566/_aws/execute-api/abcd/v1"),
        *("http://127.0.0.1:4566/", "https://api.example.com\\@10.0.0.1/"),
    ],
)
def test_places_that_are_not(url: str) -> None:
    """One line names the request and the place."""
    own = "http://127.0.0.1:4566/_aws/execute-api/abc"
    with pytest.raises(UserError, match=r'^c\.json: "one": ') as caught:
        asked.require_places([Asked("one", "GET", url)], PLACES, own, "c.json")
    assert "\n" not in str(caught.value)
