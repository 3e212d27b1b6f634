"""A recorded iteration becomes a workload: links, values of its own, and no secret in it."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lambda_dyno.aws.apis import ApiForm, Route
from lambda_dyno.core.recording import Recording, Sent
from lambda_dyno.tune.recorded_workload import Made, workload_of
from lambda_dyno.tuner_contract.workload import Replay, Workload

BASE = "https://abc123.execute-api.eu-west-1.amazonaws.com/v1"
REST = ApiForm(
    "rest",
    BASE,
    "v1",
    "abc123",
    (Route("ANY", "/items"), Route("ANY", "/items/{id}"), Route("ANY", "/{proxy+}")),
)
HTTP = ApiForm(
    "http",
    BASE.removesuffix("/v1"),
    "$default",
    "abc123",
    (Route("GET", "/items/{id}"), Route("ANY", "$default")),
)
# pragma: allowlist nextline secret: it must not show up
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


def sent(name: str, method: str = "GET", path: str = "/items", **given: Any) -> Sent:
    body, answer = given.pop("body", b""), given.pop("answer", {})
    headers = given.pop("headers", {})
    return Sent(
        name=name,
        method=method,
        url=f"{given.pop('base', BASE)}{path}",
        headers=tuple(headers.items()),
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        status=given.pop("status", 200),
        answer_headers=tuple(given.pop("answer_headers", {}).items()),
        answer=answer if isinstance(answer, str) else json.dumps(answer),
        by_script=False,
    )


def made(
    *iterations: list[Sent], form: ApiForm = REST, secrets: tuple[str, ...] = (), **given: Any
) -> Made:
    found = workload_of(Recording(tuple(map(tuple, iterations)), secrets), form, **given)
    Workload.parse(found.workload)
    return found


def events(found: Made) -> list[dict[str, Any]]:
    (entry,) = found.workload["requests"]
    return [request["event"] for request in entry.get("sequence", [entry])]


@dataclass
class Shop:
    """A function that keeps items: it makes their ids, or takes the client's."""

    own_ids: bool
    count: int = 16

    def iteration(self) -> list[Sent]:
        client = f"load-{uuid.uuid4()}"
        self.count += 1
        item_id = str(self.count) if self.own_ids else client
        body = {"note": "Lambda Dyno"} if self.own_ids else {"id": client, "note": "Lambda Dyno"}
        answer = {"id": int(item_id) if self.own_ids else item_id, "price": 12.3, "n": 3}
        return [
            sent("create", "POST", body=body, status=201, answer=answer),
            sent("read", path=f"/items/{item_id}", answer=answer),
            sent("put", "PUT", f"/items/{item_id}", body={"price": 12.3, "of": item_id}),
            sent("drop", "DELETE", f"/items/{item_id}", status=204, answer=""),
        ]


@pytest.mark.parametrize("own_ids", [True, False], ids=["by-the-server", "by-the-client"])
def test_create_read_update_and_delete_touch_one_item(own_ids: bool) -> None:
    """Whoever makes the id: another one in every pass and at every size."""
    shop = Shop(own_ids)
    found = made(shop.iteration(), shop.iteration())
    assert ("$response.0/body/id" in json.dumps(found.workload)) is own_ids
    ids = []
    for power in (128, 256):
        replay = Replay(Workload.parse(found.workload), "arn", power)
        for start in (0, 4):
            create = replay.event(start)
            body = json.loads(create["body"])
            item_id = str(900 + len(ids)) if own_ids else body["id"]
            answer = {"statusCode": 201, "body": json.dumps({"id": item_id, "price": 12.3})}
            replay.answered(start, json.dumps(answer).encode())
            read, put, drop = (replay.event(start + step) for step in (1, 2, 3))
            assert {one["path"] for one in (read, put, drop)} == {f"/items/{item_id}"}
            assert {one["pathParameters"]["id"] for one in (read, put, drop)} == {item_id}
            assert json.loads(put["body"]) == {"price": 12.3, "of": item_id}
            assert read["resource"] == "/items/{id}"
            ids.append(item_id)
    assert len(set(ids)) == 4


def test_a_location_header_is_followed() -> None:
    """The whole of it, or what is behind its last slash."""

    def iteration(number: int) -> list[Sent]:
        location = f"/v1/items/{number}"
        return [
            sent("create", "POST", status=201, answer_headers={"Location": location}, answer=""),
            sent("read", path=f"/items/{number}"),
        ]

    found = made(iteration(401), iteration(402))
    assert "{{$response.0/headers/location|last}}" in events(found)[1]["path"]


def test_a_login_is_followed_without_its_token() -> None:
    """GIVEN a token of an answer THEN it is a link, and nothing of it is in the workload."""

    def iteration(number: int) -> list[Sent]:
        token = f"{TOKEN}{number}"
        return [
            sent(
                "login",
                "POST",
                "/login",
                body={"user": "me", "password": "hunter22"},  # pragma: allowlist secret
                answer={"access_token": token},
            ),
            sent("read", headers={"Authorization": f"Bearer {token}", "X-Trace": f"of {token}"}),
        ]

    for again in (2, 1):  # another token each time, or the same one
        found = made(iteration(1), iteration(again))
        text = json.dumps(found.workload)
        assert TOKEN not in text
        assert "hunter22" not in text
        headers = events(found)[1]["headers"]
        assert headers["Authorization"] == "Bearer {{$response.0/body/access_token}}"
        assert list(json.loads(events(found)[0]["body"]).values()) == ["me", "redacted"]
        assert "body password" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("request_", "secret"),
    [
        (sent("a", headers={"Authorization": "Bearer s3cr3t-value"}), "s3cr3t-value"),
        (sent("a", headers={"authorization": "Basic bWU6czNjcjN0"}), "bWU6czNjcjN0"),
        (sent("a", headers={"X-Api-Key": "s3cr3t-value"}), "s3cr3t-value"),
        (sent("a", headers={"Cookie": "session=s3cr3t-value"}), "s3cr3t-value"),
        (sent("a", headers={"X-Auth-Token": "s3cr3t-value"}), "s3cr3t-value"),
        (sent("a", path="/items?api_key=s3cr3t-value&limit=3"), "s3cr3t-value"),
        # pragma: allowlist nextline secret: it must not show up
        (sent("a", "POST", body={"deep": [{"clientSecret": "s3cr3t-value"}]}), "s3cr3t-value"),
        (sent("a", "POST", body=b"user=me&password=s3cr3t-value"), "s3cr3t-value"),
        (
            sent(
                "a", headers={"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAX/1, Signature=ff"}
            ),
            "AKIAX",
        ),
        (sent("a", headers={"X-Amz-Security-Token": "s3cr3t-value"}), "s3cr3t-value"),
    ],
)
def test_no_secret_is_in_a_workload(request_: Sent, secret: str) -> None:
    """By its place alone: nobody has said what is secret."""
    found = made([request_], [request_])
    assert secret not in json.dumps(found.workload)
    assert secret not in " ".join(found.notes)


@pytest.mark.parametrize(
    "request_",
    [
        sent("a", headers={"X-Team": "s3cr3t/value"}),
        sent("a", path="/items?team=s3cr3t%2Fvalue"),
        sent("a", path="/items/s3cr3t%2Fvalue"),
        sent("a", "POST", body={"note": "in s3cr3t/value here"}),
        sent("a", "POST", body=base64.b64encode(b"s3cr3t/value")),
    ],
)
def test_what_auth_was_made_with_is_found_by_its_value(request_: Sent) -> None:
    """Wherever it stands, and in which form."""
    text = json.dumps(made([request_], [request_], secrets=("s3cr3t/value",)).workload)
    for form in ("s3cr3t/value", "s3cr3t%2Fvalue", "czNjcjN0L3ZhbHVl"):
        assert form not in text


def test_a_secret_of_one_place_is_taken_out_of_all() -> None:
    """Where it stands once it is known."""
    both = sent("a", path="/items?copy=s3cr3t-value", headers={"X-Api-Key": "s3cr3t-value"})
    assert "s3cr3t-value" not in json.dumps(made([both], [both]).workload)


def test_what_is_no_secret_stays() -> None:
    """Author, page token and key of an item are data."""
    body = {"author": "me", "nextToken": "abcdefgh", "Key": {"id": "1"}, "key": "a/b", "tokens": 3}
    request = sent("a", "POST", "/items?next_token=abcdefgh", body=body, headers={"Accept": "*/*"})
    event = events(made([request], [request]))[0]
    assert json.loads(event["body"]) == body
    assert event["queryStringParameters"] == {"next_token": "abcdefgh"}
    assert event["headers"]["Accept"] == "*/*"


def test_the_form_of_a_rest_api() -> None:
    """As AWS documents payload 1.0; a path of no resource goes to the greedy one."""
    request = sent(
        "a", "POST", "/other/x?a=1&a=2", body={"n": 1}, headers={"Content-Type": "application/json"}
    )
    event = events(made([request], [request]))[0]
    assert event["resource"] == "/{proxy+}"
    assert event["path"] == "/other/x"
    assert event["pathParameters"] == {"proxy": "other/x"}
    assert event["queryStringParameters"] == {"a": "2"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert event["requestContext"]["path"] == "/v1/other/x"
    assert event["requestContext"]["stage"] == "v1"
    assert event["headers"]["Host"] == "abc123.execute-api.eu-west-1.amazonaws.com"
    assert (event["body"], event["isBase64Encoded"]) == ('{"n": 1}', False)


def test_the_form_of_an_http_api_and_of_a_function_url() -> None:
    """Payload 2.0: names of headers in small letters, cookies apart, no empty keys."""
    request = sent("a", path="/items/7?b=1&b=2", base=HTTP.base_url, headers={"X-One": "1"})
    event = events(made([request], [request], form=HTTP))[0]
    assert event["version"] == "2.0"
    assert event["routeKey"] == "GET /items/{id}"
    assert event["rawPath"] == "/items/7"
    assert event["rawQueryString"] == "b=1&b=2"
    assert event["queryStringParameters"] == {"b": "1,2"}
    assert event["pathParameters"] == {"id": "7"}
    assert event["headers"]["x-one"] == "1"
    assert "body" not in event
    url = replace(HTTP, kind="url", routes=())
    event = events(made([request], [request], form=url))[0]
    assert event["routeKey"] == "$default"
    assert "pathParameters" not in event


def test_a_function_that_is_invoked_directly_gets_the_body() -> None:
    """Where the collection asks Lambda itself."""
    path = "/2015-03-31/functions/shop/invocations"
    request = sent(
        "a", "POST", path, base="https://lambda.eu-west-1.amazonaws.com", body={"operation": "list"}
    )
    assert events(made([request], [request])) == [{"operation": "list"}]


def test_bytes_are_sent_as_bytes() -> None:
    """What is no text is base64, as API Gateway has it."""
    request = sent("a", "POST", body=b"\xff\xd8\xff")
    event = events(made([request], [request]))[0]
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\xd8\xff"


def test_only_what_is_safe_goes_to_real_data() -> None:
    """GET and HEAD, what is named, and nothing that was not answered well."""
    iteration = [
        sent("make", "POST", status=201),
        sent("list", "POST"),
        sent("read"),
        sent("lost", path="/items/nothing", status=404),
    ]
    found = made(iteration, iteration, safe=["list"])
    (entry,) = found.workload["requests"]
    assert [request["name"] for request in entry["sequence"]] == ["list", "read"]
    assert "2 requests not safe" in " ".join(found.notes)
    nothing = workload_of(Recording((tuple(iteration[:1]),)), REST, safe=[])
    assert nothing.workload == {"requests": []}


def test_other_hosts_and_lost_answers_are_left_out() -> None:
    """They are none of the function's."""
    iteration = [
        sent("token", "POST", base="https://login.example.com"),
        sent("dead", status=0),
        sent("read"),
    ]
    found = made(iteration, iteration)
    assert [request["name"] for request in found.workload["requests"]] == ["read"]
    assert "2 requests to other hosts" in " ".join(found.notes)


def test_a_status_that_does_not_repeat_is_not_held_against_anybody() -> None:
    """Created once, and there already the second time."""
    found = made([sent("make", "PUT", status=201)], [sent("make", "PUT", status=200)])
    assert found.workload["requests"][0]["status"] == 0


def test_iterations_that_differ_in_their_requests_are_read_by_ids_alone() -> None:
    """A script may go on elsewhere."""
    one = str(uuid.uuid4())
    first = [sent("make", "POST", body={"id": one}), sent("read", path=f"/items/{one}")]
    found = made(first, first[:1])
    assert [event["path"] for event in events(found)] == ["/items", "/items/{{$guid:1}}"]


def test_times_stay_and_other_values_are_made_like_them() -> None:
    """A random name is another one each time; a date need not be."""

    def iteration(name: str, second: int) -> list[Sent]:
        body = {"name": name, "at": f"2026-11-30T18:00:{second:02}.123Z", "n": 5}
        return [sent("make", "POST", body=body)]

    found = made(iteration("Rex77", 1), iteration("Ada12", 9))
    body = json.loads(events(found)[0]["body"])
    assert body == {"name": "{{$like:Rex77}}", "at": "2026-11-30T18:00:01.123Z", "n": 5}


def test_scenarios_have_their_weights_and_share_their_secrets() -> None:
    """A pass has each as often as its weight; one of which nothing is sent has no part in it."""
    browse = [sent("Browse / list"), sent("Browse / read", path="/items/1")]
    buy = [sent("Buy / make", "POST", body={"card": "hunter22hunter22"})]
    elsewhere = [sent("Other / ask", base="https://other.example")]
    recording = Recording(
        (tuple(browse),) * 2,
        weight=6,
        others=(
            Recording((tuple(buy),) * 2, ("hunter22hunter22",), weight=4),
            Recording((tuple(elsewhere),) * 2, weight=3),
        ),
    )
    found = workload_of(recording, REST)
    shown = [(entry["weight"], entry.get("name", "")) for entry in found.workload["requests"]]
    assert shown == [(3, ""), (2, "Buy / make")]
    assert "hunter22" not in json.dumps(found.workload)
    assert any("not in the workload: 1 request " in note for note in found.notes)
    assert Workload.parse(found.workload)
    (safe,) = workload_of(recording, REST, safe=["make"]).workload["requests"][1:]
    assert safe["name"] == "Buy / make"
