"""The operations: what is refused before DynamoDB is asked, and what is asked of it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from crud_api import operations
from crud_api.codec import exact_number
from crud_api.errors import ApiError, BadRequest, Conflict, NotFound, TooManyRequests
from crud_api.store import Store

TABLE = "dyno-items"


class FakeClient:
    """A DynamoDB client that gives prepared answers and remembers its calls."""

    def __init__(self, answer: dict[str, Any] | ClientError | None = None) -> None:
        self.answer: dict[str, Any] | ClientError = answer if answer is not None else {}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, method: str) -> Any:
        def call(**parameters: Any) -> dict[str, Any]:
            self.calls.append((method, parameters))
            if isinstance(self.answer, ClientError):
                raise self.answer
            return dict(self.answer)

        return call


def run(request: Any, client: FakeClient | None = None) -> Any:
    """Run a request against a fake table."""
    return operations.run(request, Store(client or FakeClient(), TABLE, exact_number))


CALLS = [
    (
        "create",
        {"Item": {"id": "1", "n": 2}},
        "put_item",
        {"Item": {"id": {"S": "1"}, "n": {"N": "2"}}},
    ),
    (
        "read",
        {"Key": {"id": "1"}, "ConsistentRead": True},
        "get_item",
        {"Key": {"id": {"S": "1"}}, "ConsistentRead": True},
    ),
    (
        "update",
        {
            "Key": {"id": "1"},
            "UpdateExpression": "SET #n = :n",
            "ConditionExpression": "#n < :n",
            "ExpressionAttributeNames": {"#n": "n"},
            "ExpressionAttributeValues": {":n": 3},
            "ReturnValues": "ALL_NEW",
        },
        "update_item",
        {
            "Key": {"id": {"S": "1"}},
            "UpdateExpression": "SET #n = :n",
            "ConditionExpression": "#n < :n",
            "ExpressionAttributeNames": {"#n": "n"},
            "ExpressionAttributeValues": {":n": {"N": "3"}},
            "ReturnValues": "ALL_NEW",
        },
    ),
    (
        "delete",
        {"Key": {"id": "1"}, "ReturnValues": "ALL_OLD"},
        "delete_item",
        {"Key": {"id": {"S": "1"}}, "ReturnValues": "ALL_OLD"},
    ),
    (
        "list",
        {"Limit": 5, "ExclusiveStartKey": {"id": "1"}},
        "scan",
        {"Limit": 5, "ExclusiveStartKey": {"id": {"S": "1"}}},
    ),
    ("list", None, "scan", {}),
]


@pytest.mark.parametrize(("name", "payload", "method", "sent"), CALLS)
def test_an_operation_is_boto3s_call_on_the_own_table(
    name: str, payload: Any, method: str, sent: dict[str, Any]
) -> None:
    """Parameters go through, values converted, the table's name added."""
    client = FakeClient({"Item": {"id": {"S": "1"}}})
    run({"operation": name, "payload": payload}, client)
    assert client.calls == [(method, {"TableName": TABLE, **sent})]


def test_an_answer_is_boto3s_with_plain_values() -> None:
    """Items, attributes and keys are plain JSON; all else stays, metadata included."""
    client = FakeClient(
        {
            "Items": [{"id": {"S": "1"}, "n": {"N": "1.5"}}],
            "Count": 1,
            "LastEvaluatedKey": {"id": {"S": "1"}},
            "ResponseMetadata": {"HTTPStatusCode": 200},
        }
    )
    assert run({"operation": "list"}, client) == {
        "Items": [{"id": "1", "n": exact_number("1.5")}],
        "Count": 1,
        "LastEvaluatedKey": {"id": "1"},
        "ResponseMetadata": {"HTTPStatusCode": 200},
    }


@pytest.mark.parametrize("payload", [{"a": [1]}, "text", None, 0, []])
def test_echo_gives_the_payload_back(payload: Any) -> None:
    """Whatever it is."""
    assert run({"operation": "echo", "payload": payload}) == payload


def test_ping_says_pong() -> None:
    """With no payload needed."""
    assert run({"operation": "ping"}) == "pong"


@pytest.mark.parametrize(
    "request_",
    [
        {"operation": "list", "tableName": TABLE},
        {"operation": "list", "payload": {"TableName": TABLE}},
    ],
)
def test_the_own_table_may_be_named(request_: Any) -> None:
    """In the request, or in the payload as boto3's client takes it."""
    client = FakeClient({"Items": []})
    run(request_, client)
    assert client.calls == [("scan", {"TableName": TABLE})]


REFUSED = {
    "not an object": ([], "must be a JSON object"),
    "nothing": ({}, '"operation" is missing'),
    "unknown operation": ({"operation": "drop"}, 'Unknown operation "drop". Use one of create,'),
    "operation of a wrong type": ({"operation": ["list"]}, "Unknown operation of type list"),
    "unknown key": ({"operation": "ping", "table": "x"}, "table. Allowed are operation, payload,"),
    "another table": ({"operation": "list", "tableName": "x"}, f'the only table here is "{TABLE}"'),
    "another table to ping": ({"operation": "ping", "tableName": "x"}, "is refused"),
    "table of a wrong type": ({"operation": "list", "tableName": None}, "is refused"),
    "another table in the payload": (
        {"operation": "list", "payload": {"TableName": "x"}},
        f'the only table here is "{TABLE}"',
    ),
    "payload of a wrong type": ({"operation": "create", "payload": []}, '"payload" of "create"'),
    "no payload": ({"operation": "read"}, '"payload" of "read" must be a JSON object'),
    "unknown payload key": (
        {"operation": "list", "payload": {"limit": 1}},
        "limit. Allowed are ConsistentRead, ExclusiveStartKey,",
    ),
    "another operation's key": ({"operation": "read", "payload": {"Item": {}}}, "Item. Allowed"),
    "no item": ({"operation": "create", "payload": {}}, 'must have "Item"'),
    "no key": ({"operation": "delete", "payload": {}}, 'must have "Key"'),
    "item without id": ({"operation": "create", "payload": {"Item": {"n": 1}}}, 'an "id"'),
    "item with a number as id": ({"operation": "create", "payload": {"Item": {"id": 1}}}, "string"),
    "item of a wrong type": ({"operation": "create", "payload": {"Item": "x"}}, '"Item" in'),
    "empty id": ({"operation": "read", "payload": {"Key": {"id": ""}}}, "not empty"),
    "key with more": ({"operation": "read", "payload": {"Key": {"id": "1", "n": 1}}}, "the key"),
    "limit of zero": ({"operation": "list", "payload": {"Limit": 0}}, "whole number from 1"),
    "limit as text": ({"operation": "list", "payload": {"Limit": "5"}}, "whole number"),
    "limit as flag": ({"operation": "list", "payload": {"Limit": True}}, "whole number"),
    "limit as fraction": ({"operation": "list", "payload": {"Limit": 1.5}}, "whole number"),
    "flag as text": (
        {"operation": "list", "payload": {"ConsistentRead": "yes"}},
        "must be true or false",
    ),
    "unknown choice": (
        {"operation": "delete", "payload": {"Key": {"id": "1"}, "ReturnValues": "ALL_NEW"}},
        "one of NONE, ALL_OLD",
    ),
    "choice of a wrong type": (
        {"operation": "delete", "payload": {"Key": {"id": "1"}, "ReturnValues": ["NONE"]}},
        "one of NONE, ALL_OLD",
    ),
    "expression of a wrong type": (
        {"operation": "list", "payload": {"FilterExpression": {}}},
        "must be a string",
    ),
    "names of a wrong type": (
        {"operation": "list", "payload": {"ExpressionAttributeNames": {"#a": 1}}},
        "must be a JSON object of strings",
    ),
    "values of a wrong type": (
        {"operation": "list", "payload": {"ExpressionAttributeValues": [1]}},
        "must be a JSON object",
    ),
    "number out of range": (
        {"operation": "create", "payload": {"Item": {"id": "1", "n": 10**40 + 1}}},
        "38 digits",
    ),
}


@pytest.mark.parametrize(("request_", "words"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_request_is_refused_and_told_what_is_allowed(request_: Any, words: str) -> None:
    """DynamoDB is not asked."""
    client = FakeClient()
    with pytest.raises(BadRequest) as caught:
        run(request_, client)
    assert words in str(caught.value)
    assert client.calls == []


def test_an_absent_item_is_not_found() -> None:
    """boto3 answers without an Item; the caller is told."""
    with pytest.raises(NotFound):
        run({"operation": "read", "payload": {"Key": {"id": "1"}}}, FakeClient({}))


def dynamodb_error(code: str, **fields: Any) -> ClientError:
    """Return an error as botocore raises it."""
    return ClientError({"Error": {"Code": code, "Message": "why"}, **fields}, "PutItem")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ConditionalCheckFailedException", Conflict),
        ("TransactionConflictException", Conflict),
        ("ProvisionedThroughputExceededException", TooManyRequests),
        ("ThrottlingException", TooManyRequests),
        ("ValidationException", BadRequest),
        ("ItemCollectionSizeLimitExceededException", BadRequest),
    ],
)
def test_dynamodbs_errors_are_told_apart_by_code(code: str, kind: type[ApiError]) -> None:
    """Each has its own type, and so its own HTTP status."""
    with pytest.raises(kind):
        run({"operation": "list"}, FakeClient(dynamodb_error(code)))


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_our_own_mistakes_stay_unexpected(code: str) -> None:
    """A missing permission or table is no fault of the caller."""
    with pytest.raises(ClientError):
        run({"operation": "list"}, FakeClient(dynamodb_error(code)))


def test_a_failed_condition_can_show_the_item() -> None:
    """As ReturnValuesOnConditionCheckFailure asks."""
    error = dynamodb_error("ConditionalCheckFailedException", Item={"id": {"S": "1"}})
    with pytest.raises(Conflict) as caught:
        run({"operation": "list"}, FakeClient(error))
    assert caught.value.details == {"Item": {"id": "1"}}
