"""The CRUD function against what API Gateway sends and what the environments tune with."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from crud_api.app import App
from crud_api.parameters import PARAMETERS

pytestmark = pytest.mark.contract

PROJECT = Path(__file__).parents[2]
EVENTS = Path(__file__).parent / "events"
SETTINGS = sorted(PROJECT.glob("envs/*/dyno.toml"))


class FakeClient:
    """A DynamoDB client with one item, which remembers the keys that were asked for."""

    def __init__(self) -> None:
        self.keys: list[Any] = []

    def get_item(self, **parameters: Any) -> dict[str, Any]:
        """Return the item, whatever the key is."""
        self.keys.append(parameters["Key"])
        return {"Item": {"id": {"S": "café"}, "n": {"N": "1.50"}}}

    def scan(self, **_parameters: Any) -> dict[str, Any]:
        """Return the item as a page."""
        return {"Items": [{"id": {"S": "café"}}], "Count": 1, "ScannedCount": 1}


def test_a_rest_event_of_api_gateway_is_answered_as_it_wants() -> None:
    """Payload 1.0 in; status, headers and a text body out, numbers exact."""
    event = json.loads((EVENTS / "rest-proxy-get-item.json").read_text())
    client = FakeClient()
    answer = App(client, "items").handle(event, "r")
    assert client.keys == [{"id": {"S": "café"}}]
    assert answer == {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": '{"id":"caf\\u00e9","n":1.50}',
    }


@pytest.mark.parametrize("path", SETTINGS, ids=lambda path: path.parent.name)
def test_a_payload_of_a_deployment_is_answered(path: Path) -> None:
    """What a new version is asked first is a request that succeeds, not one that fails fast."""
    payload = tomllib.loads(path.read_text())["deploy"]["payload"]
    answer = App(FakeClient(), "items").handle(payload, "r")
    assert answer["Count"] == 1


def test_parameters_are_boto3s() -> None:
    """Every parameter that is taken is one of the boto3 method's, so none is sent in vain."""
    import botocore.session

    model = botocore.session.get_session().get_service_model("dynamodb")
    methods = {
        "create": "PutItem",
        "read": "GetItem",
        "update": "UpdateItem",
        "delete": "DeleteItem",
        "list": "Scan",
    }
    legacy = {
        "AttributesToGet",
        "AttributeUpdates",
        "ConditionalOperator",
        "Expected",
        "ScanFilter",
    }
    for operation, method in methods.items():
        shape = model.operation_model(method).input_shape
        expected = set(shape.members) - legacy - {"TableName", "IndexName"}
        assert set(PARAMETERS[operation]) == expected, operation
        assert set(shape.required_members) - {"TableName"} <= set(PARAMETERS[operation])
