"""A workload that somebody wrote: requests become events, and mistakes one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.aws.apis import ApiForm, Route
from lambda_dyno.core.errors import UserError
from lambda_dyno.tune import workload_file
from lambda_dyno.tuner_contract.workload import Replay, Workload

HTTP = ApiForm(
    "http",
    "https://x.example/",
    "$default",
    "x",
    (Route("GET", "/items/{id}"), Route("POST", "/items")),
)
CRUD: dict[str, Any] = {
    "requests": [
        {"name": "ping", "weight": 2, "event": {"source": "aws.events"}},
        {
            "sequence": [
                {
                    "name": "create",
                    "method": "POST",
                    "path": "/items",
                    "body": {"id": "{{$guid:i}}"},
                    "status": 201,
                },
                {
                    "name": "read",
                    "method": "GET",
                    "path": "/items/{{$response.create/body/id}}",
                    "query": {"a": "b c"},
                },
            ]
        },
        {"name": "look", "path": "/items/7", "headers": {"X-One": "1"}},
    ]
}


def read(tmp_path: Path, content: Any, **given: Any) -> dict[str, Any]:
    path = tmp_path / "w.json"
    path.write_text(json.dumps(content))
    return workload_file.read(path, "[tuning] workload: w.json", **given)


def test_requests_become_events_of_the_api_that_is_there(tmp_path: Path) -> None:
    """With their templates, which the tuner fills."""
    workload = Workload.parse(read(tmp_path, CRUD, form=HTTP))
    events = {request.name: request.event for request in workload.requests}
    assert events["ping"] == {"source": "aws.events"}
    assert events["create"]["routeKey"] == "POST /items"
    assert events["create"]["headers"]["content-type"] == "application/json"
    assert events["look"]["headers"]["x-one"] == "1"
    replay = Replay(workload, "arn", 128)
    create = [place.request for place in workload.places].index(1)
    made = json.loads(replay.event(create)["body"])
    replay.answered(create, json.dumps({"statusCode": 201, "body": json.dumps(made)}).encode())
    read_event = replay.event(create + 1)
    assert read_event["rawPath"] == f"/items/{made['id']}"
    assert read_event["pathParameters"] == {"id": made["id"]}
    assert read_event["queryStringParameters"] == {"a": "b c"}
    assert workload.requests[1].status == 201


def test_before_there_is_an_api_it_is_checked_all_the_same(tmp_path: Path) -> None:
    """As that of a REST API with a greedy resource."""
    events = [one["event"] for one in read(tmp_path, CRUD)["requests"] if "event" in one]
    assert events[1]["resource"] == "/{proxy+}"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"method": "FETCH", "path": "/"},
            r"requests\[0\].method: 'FETCH' is not one of GET, HEAD",
        ),
        ({"path": "items"}, r"requests\[0\].path: must begin with /, such as /items"),
        ({"method": "GET"}, r"requests\[0\].path: must begin with /"),
        ({"path": "/", "event": {}}, "give event, or method and path, not both"),
        ({"path": "/", "headers": {"a": 1}}, r"requests\[0\].headers: must be an object of texts"),
        ({"path": "/", "query": []}, r"requests\[0\].query: must be an object of texts"),
        ({"path": "/items/1", "payload": {}}, r"requests\[0\].payload: unknown key"),
        ({"method": "DELETE", "path": "/x"}, "the API has no route for DELETE /x"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    """It names the file, the key and what is allowed."""
    with pytest.raises(UserError, match=complaint) as caught:
        read(tmp_path, {"requests": [{"name": "a", **change}]}, form=HTTP)
    assert str(caught.value).startswith("[tuning] workload: w.json: ")
    assert "\n" not in str(caught.value)


def test_only_what_is_safe_is_left(tmp_path: Path) -> None:
    """A sequence goes as a whole: what reads in it needs what writes."""
    names = [one["name"] for one in read(tmp_path, CRUD, safe=["ping"])["requests"]]
    assert names == ["ping", "look"]
    assert len(read(tmp_path, CRUD, safe=["ping", "create"])["requests"]) == 3
    only = {"requests": CRUD["requests"][:2]}
    with pytest.raises(
        UserError, match=r"none of its requests may be repeated .* There are ping, create, read"
    ):
        read(tmp_path, only, safe=[])
