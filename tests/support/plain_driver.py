"""A load driver in plain Python: the smallest that there can be, and the example of docs/recipes.

It sends the requests of a Postman collection with their bodies, but runs no scripts and signs
nothing, so what it holds an API to are the answers' statuses.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import requests

from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.recording import Recording, Sent
from lambda_dyno.core.results import Sample, SmokeFailure, SmokeResult
from lambda_dyno.core.samples import write_samples
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import (
    Api,
    DriverReport,
    DriverUsage,
    LoadProgress,
    LoadTest,
    Need,
    NotReady,
    OnProgress,
    OnWait,
)
from lambda_dyno.load.machine import MachineMeter
from lambda_dyno.load.schedule import ClosedSchedule

_READY_ANSWERS = 5
_TIMEOUT_S = 15.0


def check() -> str:
    """Return the version; it needs nothing that is not there."""
    return f"plain {requests.__version__}"


def needs() -> Iterator[Need]:
    """Yield nothing: a library that is there."""
    yield from ()


@contextmanager
def prepared(api: Api) -> Iterator[Callable[[], None]]:
    """Be ready at any time."""
    yield lambda: None


def smoke(
    api: Api,
    files: CollectionFiles,
    *,
    log: Path,
    timeout_s: float,
    on_wait: OnWait = lambda _: None,
    ready_s: float | None = None,
) -> SmokeResult:
    """Send each request once; a status of 400 or more is a failure."""
    asked = _requests_of(files)
    late = _wait_until_ready(api, asked[0], api.ready_s if ready_s is None else ready_s, on_wait)
    if late:
        failure = SmokeFailure(late.request, "the API is ready", str(late), "request")
        return SmokeResult(0, 0, (failure,))
    with requests.Session() as session:
        answers = [_ask(session, api, one, timeout_s, {}) for one in asked]
    failures = [
        SmokeFailure(one["name"], "has a good status", f"it is {status or error}")
        for one, (status, error) in zip(asked, answers, strict=True)
        if error
    ]
    return SmokeResult(len(asked), len(asked), tuple(failures))


def record(
    api: Api,
    files: CollectionFiles,
    *,
    log: Path,
    timeout_s: float,
    on_wait: OnWait = lambda _: None,
    ready_s: float | None = None,
    safe: Sequence[str] | None = None,
) -> Recording:
    """Send each request twice and keep what came back; it makes nothing anew but ids."""
    asked = _requests_of(files)
    if safe is not None:
        asked = [x for x in asked if x["request"]["method"] == "GET" or x["name"] in safe]
    iterations = []
    with requests.Session() as session:
        for _ in range(2):
            variables: dict[str, str] = {}
            iterations.append(tuple(_sent(session, api, x, timeout_s, variables) for x in asked))
    return Recording(tuple(iterations))


def _sent(
    session: requests.Session,
    api: Api,
    asked: Mapping[str, Any],
    timeout_s: float,
    variables: dict[str, str],
) -> Sent:
    request = _request(api, asked, variables)
    answer = session.send(request, timeout=timeout_s)
    return Sent(
        name=asked["name"],
        method=str(request.method),
        url=str(request.url),
        headers=tuple(request.headers.items()),
        body=request.body if isinstance(request.body, bytes) else str(request.body or "").encode(),
        status=answer.status_code,
        answer_headers=tuple(answer.headers.items()),
        answer=answer.text,
    )


def load(test: LoadTest, on_progress: OnProgress, on_wait: OnWait) -> DriverReport:
    """Run a thread for each user of a closed loop."""
    test.meanwhile()
    asked = _requests_of(test.files)
    late = _wait_until_ready(test.api, asked[0], test.ready_s, on_wait)
    if late:
        raise StepError("load", str(late))
    if not isinstance(test.schedule, ClosedSchedule):
        raise StepError("load", "the plain driver has closed loops only")
    lifetimes = test.schedule.lifetimes_s
    path = test.folder / f"{test.name}-0.part.jsonl"
    pace = partial(_user, test.api, asked, test.pacing_ms / 1000, test.request_timeout_ms / 1000)
    samples, report = _measured(
        [partial(pace, number, *life) for number, life in enumerate(lifetimes)]
    )
    write_samples(samples, path)
    errors = sum(bool(sample.error) for sample in samples)
    on_progress(LoadProgress(report.elapsed_s, test.schedule.duration_s, len(samples), errors, 0))
    return report


@dataclass
class _Turns:
    apis: Mapping[str, Api]
    asked: list[dict[str, Any]]
    profile: LoadSettings
    folder: Path

    def turn(
        self, version: str, duration_s: float, name: str, *, warm_up_s: float = 0.0
    ) -> DriverReport:
        pacing_s, timeout_s = self.profile.pacing_ms / 1000, self.profile.request_timeout_ms / 1000
        user = partial(_user, self.apis[version], self.asked, pacing_s, timeout_s)
        users = range(self.profile.virtual_users)
        samples, report = _measured([partial(user, number, 0.0, duration_s) for number in users])
        write_samples(samples, self.folder / f"{name}-0.part.jsonl")
        return report


@contextmanager
def turns(
    profile: LoadSettings,
    apis: Mapping[str, Api],
    files: CollectionFiles,
    *,
    folder: Path,
    log: Path,
) -> Iterator[_Turns]:
    """Wait until all versions are ready; the users are new in each turn."""
    asked = _requests_of(files)
    for api in apis.values():
        late = _wait_until_ready(api, asked[0], api.ready_s, lambda _: None)
        if late:
            raise StepError("compare", str(late))
    yield _Turns(apis, asked, profile, folder)


def _requests_of(files: CollectionFiles) -> list[dict[str, Any]]:
    files.check()
    return list(_leaves(json.loads(files.collection.read_text(encoding="utf-8"))))


def _leaves(node: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for item in node["item"]:
        if "item" in item:
            yield from _leaves(item)
        else:
            yield item


def _ask(
    session: requests.Session,
    api: Api,
    asked: Mapping[str, Any],
    timeout_s: float,
    variables: Mapping[str, str],
) -> tuple[int, str]:
    """Return the status (0 without an answer), and what is wrong or an empty string."""
    try:
        answer = session.send(_request(api, asked, variables), timeout=timeout_s)
    except requests.RequestException as error:
        return 0, type(error).__name__
    return answer.status_code, f"http_{answer.status_code}" if answer.status_code >= 400 else ""


def _request(
    api: Api, asked: Mapping[str, Any], variables: Mapping[str, str]
) -> requests.PreparedRequest:
    """Return a collection's request with its variables in place."""
    values = {"baseUrl": api.url.rstrip("/"), **variables}

    def filled(text: str) -> str:
        return re.sub(r"\{\{(\$?\w+)\}\}", lambda m: values.get(m[1]) or str(uuid.uuid4()), text)

    request = asked["request"]
    url = request["url"] if isinstance(request["url"], str) else request["url"]["raw"]
    body = filled((request.get("body") or {}).get("raw", ""))
    headers = {one["key"]: filled(one["value"]) for one in request.get("header") or ()}
    made = requests.Request(request["method"], filled(url), data=body, headers=headers)
    return made.prepare()


def _wait_until_ready(
    api: Api, asked: Mapping[str, Any], ready_s: float, on_wait: OnWait
) -> NotReady | None:
    """Ask until five answers in a row are good; return what is wrong if they are not in time."""
    began, good = time.monotonic(), 0
    while ready_s and good < _READY_ANSWERS:
        with requests.Session() as session:
            status, error = _ask(session, api, asked, _TIMEOUT_S, {})
        good = 0 if error else good + 1
        if error:
            bad = NotReady(
                asked["name"], f"{status or error}", time.monotonic() - began, timeout_s=ready_s
            )
            on_wait(bad)
            if bad.elapsed_s > ready_s:
                return bad
            time.sleep(0.1)
    return None


def _user(
    api: Api,
    asked: list[dict[str, Any]],
    pacing_s: float,
    timeout_s: float,
    number: int,
    begin_s: float,
    end_s: float,
    began: float,
    samples: list[Sample],
) -> None:
    """Work through the collection again and again, on a connection of its own."""
    time.sleep(begin_s)
    with requests.Session() as session:
        for iteration in count():
            start_s = time.monotonic() - began
            if start_s >= end_s:
                return
            for one in asked:
                at = time.monotonic()
                status, error = _ask(session, api, one, timeout_s, {})
                took_ms = 1000 * (time.monotonic() - at)
                sample = (1000 * (at - began), took_ms, number, iteration, one["name"], status)
                samples.append(Sample(*sample, error))
            time.sleep(max(0.0, start_s + pacing_s - (time.monotonic() - began)))


def _measured(users: list[Callable[..., None]]) -> tuple[list[Sample], DriverReport]:
    """Run all users to their end."""
    samples: list[Sample] = []
    machine, began, cpu_s = MachineMeter(), time.monotonic(), time.process_time()
    machine.start()
    threads = [threading.Thread(target=user, args=(began, samples)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    machine.stop()
    elapsed_s = time.monotonic() - began
    usage = DriverUsage((time.process_time() - cpu_s) / elapsed_s, 0.0)
    return samples, DriverReport(elapsed_s, (usage,), machine.busy_ratio)
