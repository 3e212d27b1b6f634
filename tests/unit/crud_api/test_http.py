"""The HTTP side: routes, statuses, bodies; and what the log says of it."""

from __future__ import annotations

import base64
import importlib
import json
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crud_api.app import App
from crud_api.errors import BadRequest, InternalError, NotFound

TABLE = "dyno-items"
# pragma: allowlist nextline secret: it must not show up
SECRET = "s3cret-payload"


class FakeClient:
    """A DynamoDB client with one prepared answer, or error, for each method."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, method: str) -> Any:
        def call(**parameters: Any) -> Any:
            self.calls.append((method, parameters))
            answer = self.answers.get(method, {})
            if isinstance(answer, Exception):
                raise answer
            return dict(answer)

        return call


def failed(code: str) -> ClientError:
    """Return an error as botocore raises it."""
    return ClientError({"Error": {"Code": code, "Message": SECRET}}, "Scan")


def event(method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
    """Return an event as API Gateway's REST API sends it (payload 1.0)."""
    resource, parameters = path, None
    if path.startswith("/items/"):
        resource, parameters = "/items/{id}", {"id": path.removeprefix("/items/")}
    elif path not in {"/items", "/DynamoDBManager"}:
        resource, parameters = "/{proxy+}", {"proxy": path.removeprefix("/")}
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "pathParameters": parameters,
        "queryStringParameters": None,
        "requestContext": {"requestId": "gateway"},
        "body": body if isinstance(body, str | None) else json.dumps(body),
        "isBase64Encoded": False,
        **more,
    }


def call(request: dict[str, Any], client: FakeClient | None = None) -> tuple[int, Any, Any]:
    """Return an answer's status, body and headers."""
    answer = App(client or FakeClient(), TABLE).handle(request, "request-1")
    body = json.loads(answer["body"]) if answer["body"] else None
    return answer["statusCode"], body, answer["headers"]


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Any:
    """A function that returns the lines that were logged."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_manager_answers_as_boto3_does() -> None:
    """POST /DynamoDBManager gives what the operation returns."""
    client = FakeClient(get_item={"Item": {"id": {"S": "1"}, "n": {"N": "1.50"}}})
    request = event(
        "POST", "/DynamoDBManager", {"operation": "read", "payload": {"Key": {"id": "1"}}}
    )
    answer = App(client, TABLE).handle(request, "r")
    assert answer == {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": '{"Item":{"id":"1","n":1.50}}',
    }


def test_a_base64_body_is_read() -> None:
    """API Gateway encodes bodies of binary media types."""
    body = base64.b64encode(b'{"operation":"echo","payload":"\xc3\xa4"}').decode()
    request = event("POST", "/DynamoDBManager", body, isBase64Encoded=True)
    assert call(request)[:2] == (200, "ä")


REFUSED = {
    "no body": (event("POST", "/DynamoDBManager"), 400, "body is empty"),
    "malformed": (event("POST", "/DynamoDBManager", "{"), 400, "not valid JSON"),
    "not base64": (event("POST", "/items", "?", isBase64Encoded=True), 400, "base64"),
    "array as item": (event("POST", "/items", []), 400, "must be a JSON object"),
    "number as id": (event("POST", "/items", {"id": 5}), 400, '"id" must be a string'),
    "empty id": (event("POST", "/items", {"id": ""}), 400, "not empty"),
    "another id": (event("PUT", "/items/1", {"id": "2"}), 400, "the id in the path"),
    "limit": (event("GET", "/items", queryStringParameters={"limit": "0"}), 400, "1 to 1000"),
    "limit text": (event("GET", "/items", queryStringParameters={"limit": "x"}), 400, "1 to 1000"),
    "limit large": (event("GET", "/items", queryStringParameters={"limit": "1001"}), 400, "1000"),
    "unknown query": (
        event("GET", "/items", queryStringParameters={"max": "1"}),
        400,
        "max. Allowed",
    ),
    "bad token": (
        event("GET", "/items", queryStringParameters={"next": "!"}),
        400,
        '"next" must be',
    ),
    "foreign token": (
        event("GET", "/items", queryStringParameters={"next": "WzFd"}),
        400,
        '"next"',
    ),
    "unknown path": (event("GET", "/nowhere"), 404, "POST /DynamoDBManager; GET, POST /items"),
    "too deep a path": (
        event(
            "GET", "/items/1/parts", pathParameters={"proxy": "items/1/parts"}, resource="/{proxy+}"
        ),
        404,
        "no such path",
    ),
    "no item": (event("GET", "/items/1"), 404, "no item"),
    "wrong method": (event("DELETE", "/items"), 405, "Use GET, POST"),
    "wrong method of manager": (event("GET", "/DynamoDBManager"), 405, "Use POST"),
    "deep": (
        event("POST", "/items", '{"id":"1","v":' + "[" * 100_000 + "]" * 100_000 + "}"),
        400,
        "too deep",
    ),
}


@pytest.mark.parametrize(("request_", "status", "words"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_says_what_is_wrong(request_: Any, status: int, words: str) -> None:
    """Status, type, message and request id are in every error."""
    got, body, headers = call(request_)
    assert (got, body["requestId"]) == (status, "request-1")
    assert words in body["message"]
    assert headers["Content-Type"] == "application/json"


def test_a_wrong_method_is_told_the_right_ones() -> None:
    """405 carries Allow, as HTTP wants it."""
    assert call(event("PATCH", "/items/1"))[2]["Allow"] == "DELETE, GET, PUT"


def test_an_item_is_created_with_an_id_of_its_own() -> None:
    """POST /items without an id gets one, and never overwrites."""
    client = FakeClient()
    status, body, _ = call(event("POST", "/items", {"n": 1}), client)
    assert (status, body["n"], len(body["id"])) == (201, 1, 32)
    assert client.calls[0][1]["ConditionExpression"] == "attribute_not_exists(id)"


def test_an_item_that_exists_is_a_conflict() -> None:
    """POST /items does not replace."""
    client = FakeClient(put_item=failed("ConditionalCheckFailedException"))
    status, body, _ = call(event("POST", "/items", {"id": "1"}), client)
    assert (status, body["error"]) == (409, "Conflict")
    assert "Use PUT" in body["message"]


@pytest.mark.parametrize(("answer", "status"), [({}, 201), ({"Attributes": {}}, 200)])
def test_put_tells_new_from_replaced(answer: dict[str, Any], status: int) -> None:
    """201 for an item that was not there, 200 for one that was."""
    request = event("PUT", "/items/a%20b", {"n": 1})
    assert call(request, FakeClient(put_item=answer))[:2] == (status, {"id": "a b", "n": 1})


def test_deleting_an_absent_item_is_not_found() -> None:
    """The condition that fails here is no conflict."""
    client = FakeClient(delete_item=failed("ConditionalCheckFailedException"))
    assert call(event("DELETE", "/items/1"), client)[0] == 404


def test_a_deleted_item_has_no_body() -> None:
    """204, and nothing with it."""
    assert call(event("DELETE", "/items/1")) == (204, None, {})


def test_a_page_leads_to_the_next() -> None:
    """The token of one page is where the scan of the next one starts."""
    client = FakeClient(scan={"Items": [], "LastEvaluatedKey": {"id": {"S": "ä/1"}}})
    _, page, _ = call(event("GET", "/items", queryStringParameters={"limit": "1"}), client)
    call(event("GET", "/items", queryStringParameters={"next": page["next"]}), client)
    assert [parameters for _, parameters in client.calls] == [
        {"TableName": TABLE, "Limit": 1},
        {"TableName": TABLE, "Limit": 25, "ExclusiveStartKey": {"id": {"S": "ä/1"}}},
    ]


def test_the_last_page_leads_nowhere() -> None:
    """No "next" means that this was all."""
    assert call(event("GET", "/items"), FakeClient(scan={"Items": []}))[1] == {"items": []}


@pytest.mark.parametrize("path", ["items", "items/", "/items/"])
def test_a_trailing_slash_is_the_same_path(path: str) -> None:
    """It comes through the catch-all route."""
    request = event("GET", "/x") | {"pathParameters": {"proxy": path}, "path": f"/{path}"}
    assert call(request, FakeClient(scan={"Items": []}))[0] == 200


def test_an_unexpected_error_shows_nothing_internal(log: Any) -> None:
    """500 has the request id; the log has the cause, but no message, which may quote data."""
    client = FakeClient(scan=failed("ResourceNotFoundException"))
    status, body, _ = call(event("GET", "/items"), client)
    assert status == 500
    assert body == {
        "error": "InternalError",
        "message": "Something went wrong here. The log has more under request-1.",
        "requestId": "request-1",
    }
    cause, request = log()
    assert (cause["level"], cause["awsErrorCode"]) == ("ERROR", "ResourceNotFoundException")
    assert any("store.py" in frame for frame in cause["stack"])
    assert request["status"] == 500
    assert SECRET not in json.dumps([cause, request])


def test_a_log_line_has_the_request_id_and_no_payload(log: Any) -> None:
    """Route and status, in JSON; no id, no body."""
    call(event("PUT", f"/items/{SECRET}", {"v": SECRET}))
    call(event("GET", f"/{SECRET}"))
    lines = log()
    assert [(line["route"], line["status"]) for line in lines] == [
        ("PUT /items/{id}", 201),
        ("GET /{proxy+}", 404),
    ]
    assert {line["requestId"] for line in lines} == {"request-1"}
    assert SECRET not in json.dumps(lines)


def test_a_direct_invocation_gets_the_value_itself() -> None:
    """As boto3 returns it, with numbers that the runtime can write."""
    client = FakeClient(get_item={"Item": {"id": {"S": "1"}, "n": {"N": "1.5"}}})
    request = {"operation": "read", "payload": {"Key": {"id": "1"}}}
    answer = App(client, TABLE).handle(request, "r")
    assert json.loads(json.dumps(answer)) == {"Item": {"id": "1", "n": 1.5}}


@pytest.mark.parametrize(
    ("request_", "client", "kind"),
    [
        ({"operation": "nope"}, FakeClient(), BadRequest),
        ([], FakeClient(), BadRequest),
        ({"operation": "read", "payload": {"Key": {"id": "1"}}}, FakeClient(), NotFound),
        ({"operation": "list"}, FakeClient(scan=failed("AccessDenied")), InternalError),
    ],
    ids=["unknown operation", "not an object", "absent", "unexpected"],
)
def test_a_failed_direct_invocation_is_an_error(
    request_: Any, client: FakeClient, kind: type[Exception], log: Any
) -> None:
    """A tuner sees a FunctionError, never a fast success that did nothing."""
    with pytest.raises(kind) as caught:
        App(client, TABLE).handle(request_, "r")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert log()[-1]["message"] == "invocation"


def test_a_missing_table_name_is_said_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable."""
    monkeypatch.delenv("TABLE_NAME", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    sys.modules.pop("crud_api.handler", None)
    with pytest.raises(RuntimeError, match="TABLE_NAME"):
        importlib.import_module("crud_api.handler")
