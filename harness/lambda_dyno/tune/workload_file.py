"""A workload that somebody wrote: requests as events, or as they are sent to the API.

    {"requests": [
      {"name": "list", "weight": 9, "method": "GET", "path": "/items", "query": {"limit": "10"}},
      {"weight": 1, "sequence": [
        {"name": "create", "method": "POST", "path": "/items", "body": {"id": "{{$guid:item}}"}},
        {"name": "read", "method": "GET", "path": "/items/{{$response.create/body/id}}"}]}]}

tuner_contract.workload says what else a workload has.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from lambda_dyno.aws.apis import ApiForm
from lambda_dyno.core.config import SETTINGS_FILE, load_env
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.reading import read_json
from lambda_dyno.tune.api_events import READING, HttpRequest, event_of
from lambda_dyno.tune.request import CommandLine
from lambda_dyno.tune.tuner_input import PAYLOADS
from lambda_dyno.tuner_contract.values import WrongValueError
from lambda_dyno.tuner_contract.workload import Workload

_OF_HTTP = ("method", "path", "query", "headers", "body")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# What is checked before there is an API.
SOME_API = ApiForm("rest", "https://api.invalid/v1", "v1")


def read(
    path: Path, where: str, form: ApiForm = SOME_API, *, safe: Collection[str] | None = None
) -> dict[str, Any]:
    """Return the workload of a file, all of it as events.

    Args:
        path: The file.
        where: What names it, for messages.
        form: How the API calls its function.
        safe: Names of requests that may be repeated with real data, beside those that only read;
            others are left out, and with them the sequences that they are in. None: all may.

    Raises:
        UserError: It cannot be read, or is no workload: what is wrong, and what is allowed.
    """
    content = read_json(path, where=where)
    try:
        made = _with_events(content, form)
        Workload.parse(made)
    except WrongValueError as error:
        raise UserError(f"{where}: {error}") from error
    if safe is None:
        return made
    kept = [
        as_event
        for as_event, raw in zip(made["requests"], content["requests"], strict=True)
        if all(_is_safe(one, safe) for one in raw.get("sequence") or [raw])
    ]
    if not kept:
        raise UserError(f"{where}: {none_is_safe(request['name'] for request in _all(made))}")
    return {**made, "requests": kept}


def with_file_of_env(root: Path, line: CommandLine) -> CommandLine:
    """Return a command line with the workload that its environment's settings name.

    The function is not the run's own: what writes is left out.

    Raises:
        UserError: The file is no workload, or nothing in it is safe.
    """
    if line.env is None or line.input_file or PAYLOADS & line.flags.keys():
        return line
    env = load_env(root, line.env)
    path, tuning = env.workload_file, env.settings.tuning
    if path is None:
        return line
    where = f"envs/{env.name}/{SETTINGS_FILE}: [tuning] workload: {brief(tuning.workload)}"
    made = read(path, where, safe=tuning.safe)
    return replace(line, flags={**line.flags, "workload": made})


def none_is_safe(names: Iterable[str]) -> str:
    """Return what is wrong with a workload of which nothing may be repeated with real data."""
    return (
        "none of its requests may be repeated with the real data of a deployed function: GET and "
        f"HEAD may, and what [tuning] safe names. There are {', '.join(names) or 'none'}"
    )


def _is_safe(request: Mapping[str, Any], safe: Collection[str]) -> bool:
    reads = "event" not in request and request.get("method", "GET") in READING
    return reads or request["name"] in safe


def _all(made: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for entry in made["requests"]:
        yield from entry.get("sequence") or [entry]


def _with_events(content: Any, form: ApiForm) -> dict[str, Any]:
    entries = content.get("requests") if isinstance(content, Mapping) else None
    if not isinstance(entries, list):
        Workload.parse(content)  # says what is wrong
    assert isinstance(entries, list)
    made = []
    for index, entry in enumerate(entries):
        where = f"requests[{index}]"
        sequence = entry.get("sequence") if isinstance(entry, Mapping) else None
        if isinstance(sequence, list):
            steps = [
                _request(one, f"{where}.sequence[{place}]", form)
                for place, one in enumerate(sequence)
            ]
            made.append({**entry, "sequence": steps})
        else:
            made.append(_request(entry, where, form))
    return {**content, "requests": made}


def _request(raw: Any, where: str, form: ApiForm) -> Any:
    """Return a request as an event; one that is none yet is looked at by `Workload.parse`."""
    if not isinstance(raw, Mapping) or not {"method", "path"} & raw.keys():
        return raw
    if "event" in raw:
        raise WrongValueError(f"{where}: give event, or method and path, not both")
    method, path = raw.get("method", "GET"), raw.get("path")
    if method not in _METHODS:
        raise WrongValueError(
            f"{where}.method: {brief(repr(method))} is not one of {', '.join(_METHODS)}"
        )
    if not isinstance(path, str) or not path.startswith("/"):
        raise WrongValueError(f"{where}.path: must begin with /, such as /items")
    headers, query = (_texts(raw.get(name), f"{where}.{name}") for name in ("headers", "query"))
    body = raw.get("body", "")
    if not isinstance(body, str):
        body = json.dumps(body)
        if "content-type" not in {name.lower() for name in headers}:
            headers["Content-Type"] = "application/json"
    search = f"?{urlencode(query, safe='{}$:/|.')}" if query else ""
    request = HttpRequest(method, f"{form.base_url}{path}{search}", tuple(headers.items()), body)
    event = event_of(request, form)
    if event is None:
        raise WrongValueError(f"{where}: the API has no route for {method} {brief(path)}")
    return {key: value for key, value in raw.items() if key not in _OF_HTTP} | {"event": event}


def _texts(value: Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value.values()):
        raise WrongValueError(f"{where}: must be an object of texts")
    return {str(key): text for key, text in value.items()}
