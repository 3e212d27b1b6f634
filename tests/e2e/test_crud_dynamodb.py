"""The CRUD function's core on a real table of the embedded AWS."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from crud_api.app import App
from crud_api.errors import BadRequest, Conflict
from lambda_dyno.environments.test_data import seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_dyno.emulator.boto_session import LocalSession

pytestmark = pytest.mark.e2e


@pytest.fixture
def table_name(aws_session: LocalSession) -> str:
    """A new, empty table."""
    name = f"items-{uuid.uuid4().hex[:8]}"
    aws_session.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    return name


@pytest.fixture
def app(aws_session: LocalSession, table_name: str) -> App:
    """The function on that table."""
    return App(aws_session.client("dynamodb"), table_name)


@pytest.fixture
def manage(app: App) -> Callable[..., tuple[int, Any]]:
    """A function that posts an operation and its payload to /DynamoDBManager."""

    def post(operation: str, payload: Any) -> tuple[int, Any]:
        body = json.dumps({"operation": operation, "payload": payload})
        event = {
            "resource": "/DynamoDBManager",
            "path": "/DynamoDBManager",
            "httpMethod": "POST",
            "requestContext": {},
            "body": body,
        }
        answer = app.handle(event, "r")
        return answer["statusCode"], json.loads(answer["body"])

    return post


def test_an_item_lives_from_create_to_delete(manage: Callable[..., tuple[int, Any]]) -> None:
    """Each operation does what its name says, and answers as boto3 does."""
    item = {"id": "1", "text": "ä", "n": 1.5, "deep": {"list": [1, None, True]}}
    status, answer = manage("create", {"Item": item})
    assert (status, answer["ResponseMetadata"]["HTTPStatusCode"]) == (200, 200)
    assert manage("read", {"Key": {"id": "1"}})[1]["Item"] == item
    update = {
        "Key": {"id": "1"},
        "UpdateExpression": "SET n = n + :one",
        "ExpressionAttributeValues": {":one": 1},
        "ReturnValues": "UPDATED_NEW",
    }
    assert manage("update", update)[1]["Attributes"] == {"n": 2.5}
    assert manage("list", {})[1]["Items"] == [item | {"n": 2.5}]
    assert manage("delete", {"Key": {"id": "1"}})[0] == 200
    assert manage("read", {"Key": {"id": "1"}})[0] == 404


def test_numbers_survive_the_table(app: App, manage: Callable[..., tuple[int, Any]]) -> None:
    """38 digits go in and come out, in JSON as numbers."""
    digits = "12345678901234567890123456789012345678"
    body = f'{{"id":"n","whole":{digits},"fraction":0.{digits},"small":-0.1}}'
    event = {"resource": "/items", "httpMethod": "POST", "requestContext": {}, "body": body}
    assert app.handle(event, "r")["statusCode"] == 201
    event = {
        "resource": "/items/{id}",
        "pathParameters": {"id": "n"},
        "httpMethod": "GET",
        "requestContext": {},
    }
    answer = app.handle(event, "r")["body"]
    for text in (f'"whole":{digits}', f'"fraction":0.{digits}', '"small":-0.1'):
        assert text in answer


def test_list_pages_until_all_is_read(
    aws_session: LocalSession, table_name: str, manage: Callable[..., tuple[int, Any]]
) -> None:
    """LastEvaluatedKey of one page, given back as ExclusiveStartKey, leads through the table."""
    seed(aws_session, table_name, 25)
    found: list[str] = []
    payload: dict[str, Any] = {"Limit": 10}
    pages = 0
    while True:
        _, answer = manage("list", payload)
        found += [item["id"] for item in answer["Items"]]
        pages += 1
        if "LastEvaluatedKey" not in answer:
            break
        payload["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    assert sorted(found) == [f"seed-{number:05d}" for number in range(25)]
    assert pages == 3


def test_seeding_twice_changes_nothing(aws_session: LocalSession, table_name: str) -> None:
    """The same items are written over themselves."""
    table = aws_session.resource("dynamodb").Table(table_name)
    seed(aws_session, table_name, 30)
    first = sorted(table.scan()["Items"], key=lambda item: item["id"])
    seed(aws_session, table_name, 30)
    assert sorted(table.scan()["Items"], key=lambda item: item["id"]) == first
    assert len(first) == 30


def test_binary_values_and_sets_can_be_read(
    aws_session: LocalSession, table_name: str, manage: Callable[..., tuple[int, Any]]
) -> None:
    """Other writers may have put them there."""
    table = aws_session.resource("dynamodb").Table(table_name)
    table.put_item(Item={"id": "x", "blob": b"\x00\x01", "tags": {"b", "a"}, "numbers": {2, 10}})
    _, answer = manage("read", {"Key": {"id": "x"}})
    assert answer["Item"] == {"id": "x", "blob": "AAE=", "tags": ["a", "b"], "numbers": [2, 10]}


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ({"UpdateExpression": "SETT n = n"}, 400),
        ({"UpdateExpression": "SET id = :v", "ExpressionAttributeValues": {":v": "2"}}, 400),
        (
            {
                "UpdateExpression": "SET n = :v",
                "ConditionExpression": "attribute_exists(id)",
                "ExpressionAttributeValues": {":v": 1},
            },
            409,
        ),
    ],
    ids=["syntax", "key", "condition"],
)
def test_what_dynamodb_refuses_is_the_callers_to_mend(
    manage: Callable[..., tuple[int, Any]], payload: dict[str, Any], status: int
) -> None:
    """Its validation errors are 400, a failed condition is 409; both say why."""
    got, answer = manage("update", {"Key": {"id": "absent"}, **payload})
    assert got == status
    assert answer["message"]


def test_a_direct_invocation_fails_with_the_errors_type(app: App) -> None:
    """The type is what a tuner and a caller tell errors apart by."""
    app.handle({"operation": "create", "payload": {"Item": {"id": "1"}}}, "r")
    again = {"Item": {"id": "1"}, "ConditionExpression": "attribute_not_exists(id)"}
    with pytest.raises(Conflict):
        app.handle({"operation": "create", "payload": again}, "r")
    with pytest.raises(BadRequest, match="DynamoDB refuses"):
        app.handle({"operation": "list", "payload": {"FilterExpression": "a ="}}, "r")
