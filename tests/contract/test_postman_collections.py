"""The Postman collections against the API that they are for, and against Postman's format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crud_api.operations import OPERATIONS

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
POSTMAN = ROOT / "postman"
VARIABLES = {"baseUrl", "region", "accessKey", "secretKey", "sessionToken"}
COLLECTIONS = ("smoke", "load")
V21 = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def read(name: str) -> dict[str, Any]:
    path = POSTMAN / f"{name}.postman_collection.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def requests(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every request of a collection, in its order."""
    for item in node["item"]:
        if "item" in item:
            yield from requests(item)
        else:
            yield item


def scripts(node: dict[str, Any], listen: str) -> str:
    """Return the text of a node's own scripts of one kind."""
    events = [e for e in node.get("event", []) if e["listen"] == listen]
    return "\n".join(line for event in events for line in event["script"]["exec"])


def path_of(item: dict[str, Any]) -> str:
    return "/" + "/".join(item["request"]["url"]["path"])


def route_of(item: dict[str, Any]) -> str:
    """Return the route that a request goes to: /items/{{id}}-a is /items/{id}."""
    path = re.sub(r"^/items/.+", "/items/{id}", path_of(item))
    return f"{item['request']['method']} {path}"


def operation_of(item: dict[str, Any]) -> str | None:
    try:
        body = json.loads(item["request"]["body"]["raw"])
        operation = body["operation"]
    except (KeyError, TypeError, ValueError):
        return None
    return str(operation)


@pytest.mark.parametrize("name", COLLECTIONS)
class TestFormat:
    def test_is_a_collection_of_version_2_1(self, name: str) -> None:
        """Postman recognises the format by its schema and imports every request."""
        collection = read(name)
        assert collection["info"]["schema"] == V21
        assert collection["info"]["name"]
        for item in requests(collection):
            assert item["request"]["method"] in {"GET", "POST", "PUT", "DELETE"}
            url = item["request"]["url"]
            query = "&".join(f"{q['key']}={q['value']}" for q in url.get("query", []))
            assert url["raw"] == "{{baseUrl}}" + path_of(item) + (f"?{query}" if query else "")
            assert url["host"] == ["{{baseUrl}}"]

    def test_names_are_unique(self, name: str) -> None:
        """A failure or a latency is told by its request's name."""
        names = [item["name"] for item in requests(read(name))]
        assert len(set(names)) == len(names)

    def test_signs_for_api_gateway_with_variables(self, name: str) -> None:
        """AWS Signature 4 at the collection, every value a variable but the service."""
        auth = read(name)["auth"]
        assert auth["type"] == "awsv4"
        values = {entry["key"]: entry["value"] for entry in auth["awsv4"]}
        assert values == {
            "accessKey": "{{accessKey}}",
            "secretKey": "{{secretKey}}",
            "sessionToken": "{{sessionToken}}",
            "region": "{{region}}",
            "service": "execute-api",
        }

    def test_every_variable_is_known(self, name: str) -> None:
        """A variable is one of the five, has a default, or is set by a script before."""
        collection = read(name)
        text = json.dumps(collection)
        set_by_scripts = set(re.findall(r"[vV]ariables\.set\('(\w+)'", text))
        defaults = {variable["key"] for variable in collection.get("variable", ())}
        used = set(re.findall(r"{{(\w+)}}", text))
        assert used <= VARIABLES | set_by_scripts | defaults

    def test_asks_only_routes_that_exist(self, name: str) -> None:
        """Every path is one of the API's, but for the one that tests an unknown one."""
        routes = json.loads((ROOT / "modules/service/routes.json").read_text(encoding="utf-8"))
        unknown = {
            item["name"]
            for item in requests(read(name))
            if route_of(item).split(" ")[1] not in routes
        }
        assert unknown == ({"an unknown route"} if name == "smoke" else set())


class TestSmoke:
    def test_asks_every_route(self) -> None:
        """Each method of each route is there."""
        routes = json.loads((ROOT / "modules/service/routes.json").read_text(encoding="utf-8"))
        wanted = {f"{method} {path}" for path, methods in routes.items() for method in methods}
        assert wanted <= {route_of(item) for item in requests(read("smoke"))}

    def test_asks_every_operation(self) -> None:
        """Each operation of the function, and one that it does not have."""
        asked = {operation_of(item) for item in requests(read("smoke"))}
        assert asked - {None} == {*OPERATIONS, "drop"}

    def test_every_request_has_assertions(self) -> None:
        """A request without a test proves nothing."""
        for item in requests(read("smoke")):
            assert "pm.test(" in scripts(item, "test"), item["name"]

    def test_meets_every_refusal(self) -> None:
        """400, 404, 409 and 405 or 403 are all expected somewhere, each with its message."""
        text = "\n".join(scripts(item, "test") for item in requests(read("smoke")))
        for status in (400, 404, 409):
            assert f"to.have.status({status})" in text
        assert text.count("says what is wrong") >= 20


class TestLoad:
    def test_is_a_mix_of_both_forms(self) -> None:
        """Every operation that touches the table, as an operation and as a route."""
        items = list(requests(read("load")))
        operations = {operation_of(item) for item in items} - {None}
        assert operations == {"create", "read", "update", "list", "delete"}
        routes = {route_of(item) for item in items} - {"POST /DynamoDBManager"}
        assert routes == {
            "GET /items",
            "POST /items",
            "GET /items/{id}",
            "PUT /items/{id}",
            "DELETE /items/{id}",
        }

    @pytest.mark.parametrize("name", ["load", "forerunners"])
    def test_has_scripts_only_on_what_creates(self, name: str) -> None:
        """A status of 400 or more is an error without one, and each costs as much as a request."""
        collection = read(name)
        assert "event" not in collection
        scripted = [item["name"] for item in requests(collection) if item.get("event")]
        assert all(one.startswith("create") for one in scripted)
        assert "pm.test(" not in json.dumps(collection)

    def test_removes_what_it_creates(self) -> None:
        """The ids that are created and put are the ids that are deleted."""
        made, removed = set(), set()
        for item in requests(read("load")):
            ids = set(re.findall(r"{{id}}-\w", json.dumps(item["request"])))
            if item["name"].startswith(("create", "put")):
                made |= ids
            elif item["name"].startswith("delete"):
                removed |= ids
        assert made == removed != set()


def test_environment_template_holds_no_secret() -> None:
    """The template has just the five variables; keys are empty and marked as secret."""
    path = POSTMAN / "environment.postman_environment.json"
    template = json.loads(path.read_text(encoding="utf-8"))
    values = {entry["key"]: entry for entry in template["values"]}
    assert set(values) == VARIABLES
    for name in ("accessKey", "secretKey", "sessionToken"):
        assert (values[name]["value"], values[name]["type"]) == ("", "secret")
    assert template["_postman_variable_scope"] == "environment"
