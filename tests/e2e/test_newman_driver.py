"""The Newman driver against a small real server: latencies, failures, users, and its end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from lambda_dyno.core.config import LoadSettings, LoadStage
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.samples import read_samples
from lambda_dyno.load import collection_files, load_test
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api, NotReady
from lambda_dyno.load.drivers import newman
from tests.support import asked_server, aws_answers, postman_files
from tests.support.asked_server import AskedServer
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
REQUESTS_PER_ITERATION = 10


@pytest.fixture
def api() -> Iterator[AskedServer]:
    """A server that says yes to everything at once, unless told otherwise."""
    with asked_server.running() as server:
        yield server


def load(
    url: str,
    folder: Path,
    *,
    stages: Sequence[tuple[float, float]] = (),
    files: CollectionFiles | None = None,
    on_wait: Any = lambda _: None,
    ready_s: float = 0.0,
    meanwhile: Any = lambda: None,
    **settings: Any,
) -> Any:
    """Run a short load test of one user: each further one may be a process."""
    asked: dict[str, Any] = {"virtual_users": 1, "ramp_up_s": 0.0, "duration_s": 1.0}
    if stages:
        asked = {"stages": [LoadStage(level=level, duration_s=s) for level, s in stages]}
    return load_test.run(
        LoadSettings(**asked | settings),
        Api(url, "eu-west-1"),
        files or collection_files.own("load"),
        label="current",
        memory_mb=512,
        folder=folder / "load",
        on_wait=on_wait,
        ready_s=ready_s,
        meanwhile=meanwhile,
    )


def smoke(url: str, folder: Path, collection: Path | None = None, **arguments: Any) -> Any:
    """Run the smoke test."""
    return newman.smoke(
        Api(url, "eu-west-1"),
        CollectionFiles(collection) if collection else collection_files.own("smoke"),
        log=folder / "smoke.log",
        timeout_s=HANGS_S,
        **arguments,
    )


def samples_of(folder: Path) -> list[Any]:
    return read_samples([folder / "load" / "current.jsonl"])


def drivers() -> list[psutil.Process]:
    """Return every driver process that this test process started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if any(str(ROOT / "postman") in part for part in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
def test_one_driver_has_all_jobs(api: AskedServer, tmp_path: Path) -> None:
    """Smoke test, recording and load tests, the users' processes too; each test begins anew."""
    with newman.prepared(Api(api.url, "eu-west-1")) as get_ready:
        get_ready()
        assert smoke(api.url, tmp_path, ready_s=0.0).requests > 50
        told = newman.record(
            Api(api.url, "eu-west-1"),
            collection_files.own("load"),
            log=tmp_path / "record.log",
            timeout_s=HANGS_S,
        )
        assert [len(one) for one in told.iterations] == [REQUESTS_PER_ITERATION] * 2
        processes, began = set(), []
        for users in (2, 1):
            before = len(api.seen)
            result = load(
                api.url,
                tmp_path,
                virtual_users=users,
                meanwhile=lambda: began.append(len(api.seen)),
            )
            assert began.pop() == before  # it asks nothing before it is told
            samples = samples_of(tmp_path)
            assert result.requests == len(samples) == len(api.seen) - before
            assert {sample.user for sample in samples} == set(range(users))
            assert min(sample.iteration for sample in samples) == 0
            assert min(sample.start_ms for sample in samples) >= 0
            processes |= {process.pid for process in drivers()}
        # guard, driver and a process for each core
        assert len(processes) <= 2 + len(os.sched_getaffinity(0))
    assert drivers() == []


def test_latencies_are_the_servers(
    api: AskedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes 50 ms is measured at 50 ms or more, and never at more than was waited.

    Neither the user's proxy nor the user's keys have a part in it.
    """
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    api.behaviour = lambda _: (0.05, 200)
    result = load(api.url, tmp_path)
    assert result.errors == 0
    assert result.latency_ms.p50 >= 50
    assert not any("Authorization" in headers for _, _, headers in api.seen)
    samples = samples_of(tmp_path)
    assert len(samples) == result.requests == len(api.seen)
    assert all(sample.latency_ms >= 50 for sample in samples)
    # one user asks one after the other: no latency has a part of another one
    ends = [sample.start_ms + sample.latency_ms for sample in samples]
    assert all(end <= after.start_ms + 1 for end, after in zip(ends, samples[1:], strict=False))
    assert result.samples_path == "load/current.jsonl"
    assert 0 < result.driver_cpu_ratio < 1
    assert 0 < result.machine_cpu_ratio <= 1


@pytest.mark.slow
def test_users_come_at_their_pace_each_on_a_connection_and_go(
    api: AskedServer, tmp_path: Path
) -> None:
    """One user, then three who come one after the other, then one: the two come late and go early.

    With 200 ms a user and iteration, a user makes five of them in a second, not fifty.
    """
    stages = [(1, 0), (1, 1), (3, 0.5), (3, 1), (1, 0), (1, 1)]
    # one request an iteration: ten take a busy machine longer than a stage
    one = postman_files.collection(postman_files.request("create", "{{baseUrl}}/items"))
    files = CollectionFiles(postman_files.write(tmp_path / "one.json", one))
    load(api.url, tmp_path, stages=stages, files=files, pacing_ms=200)
    samples = samples_of(tmp_path)
    starts = {user: [s.start_ms for s in samples if s.user == user] for user in range(3)}
    assert sum(map(len, starts.values())) == len(samples)
    assert len({port for port, _, _ in api.seen}) == 3
    # a busy machine makes users late, never early, and fewer iterations, never more
    for user, first_ms in enumerate((0, 1000, 1250)):
        assert all(at >= first_ms + 200 * n - 5 for n, at in enumerate(sorted(starts[user])))
    assert min(starts[0]) < 1000
    assert max(starts[0]) > 2500
    assert all(0 < max(starts[user]) < 2500 + 200 for user in (1, 2))
    assert [s.iteration for s in samples if s.user == 0] == list(range(len(starts[0])))


@pytest.mark.slow
def test_an_open_loop_counts_waits_and_who_never_came(api: AskedServer, tmp_path: Path) -> None:
    """Eight iterations in 2 s, each taking three or more, are too many for two users.

    Those that find nobody wait, and what they waited is part of their latency; those that are
    still waiting one request time-out after the end are errors.
    """
    api.behaviour = lambda _: (0.3, 200)
    asked = {"loop": "open", "virtual_users": 2, "request_timeout_ms": 2500}
    result = load(api.url, tmp_path, stages=[(4, 0), (4, 2)], **asked)
    samples = samples_of(tmp_path)
    never = [s for s in samples if s.error == "unserved"]
    begun = [s for s in samples if s.request == "create"]
    assert len(begun) + len(never) == 8
    # a busy machine lets fewer begin, never more: in 4.5 s each user ends one at most
    assert result.errors_by_kind["unserved"] == len(never) >= 4
    assert all(s.wait_ms > 2500 for s in never)
    assert all(s.wait_ms > 3000 - 2000 for s in begun[2:])  # until a user has ended its first
    assert result.latency_ms.max == max(s.response_ms for s in samples if s.answered)
    assert all(s.wait_ms == 0 for s in samples if s.answered and s.request != "create")


def test_what_counts_after_the_warm_up_is_told_once_when_that_is_over(
    api: AskedServer, tmp_path: Path
) -> None:
    """Within a second, which is how often a driver tells how far it is."""
    asked_before: list[int] = []
    result = load_test.run(
        LoadSettings(virtual_users=1, ramp_up_s=0, duration_s=2.5, warm_up_s=0.8, pacing_ms=100),
        Api(api.url, "eu-west-1"),
        collection_files.own("load"),
        label="current",
        memory_mb=512,
        folder=tmp_path,
        ready_s=0.0,
        on_warm=lambda: asked_before.append(len(api.seen)),
    )
    assert len(asked_before) == 1
    assert result.warm_up_requests <= asked_before[0] < len(api.seen)


@pytest.mark.slow
def test_bad_answers_are_errors_with_a_latency(api: AskedServer, tmp_path: Path) -> None:
    """A bad answer is counted by its status, its latency kept.

    The eleventh answer is to the second iteration's first create: what rests on the item that
    was not made is not asked, nor counted as an error.
    """
    api.behaviour = lambda number: (0.0, {4: 503, 11: 500}.get(number, 200))
    result = load(api.url, tmp_path, virtual_users=1, duration_s=6.0, pacing_ms=1000)
    samples = samples_of(tmp_path)
    bad = [s for s in samples if s.error]
    assert [(s.request, s.status, s.iteration) for s in bad] == [
        ("update", 503, 0),
        ("create", 500, 1),
    ]
    assert result.errors_by_kind == {"http_500": 1, "http_503": 1}
    assert all(s.latency_ms > 0 for s in bad)
    assert [s.request for s in samples if s.iteration == 1] == ["create"]
    assert [s.request for s in samples if s.iteration == 2][:2] == ["create", "create item"]


@pytest.mark.slow
def test_timeouts_are_errors_without_a_latency(api: AskedServer, tmp_path: Path) -> None:
    """A server that hangs: each request is given up at its time-out, and the test ends."""
    api.behaviour = lambda _: (30.0, 200)
    result = load(api.url, tmp_path, request_timeout_ms=300)
    assert result.errors == result.requests > 0
    assert set(result.errors_by_kind) == {"timeout"}
    assert result.latency_ms is None
    assert all(300 <= s.latency_ms < 300_000 and s.status == 0 for s in samples_of(tmp_path))


@pytest.mark.slow  # one of several requests: test_newman_loads.py
def test_a_closed_port_is_refused_connections(tmp_path: Path) -> None:
    """Nobody listens: every request is an error, and users do not spin on it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        result = load(url, tmp_path, pacing_ms=200)
    assert set(result.errors_by_kind) == {"connection_refused"}
    assert result.latency_ms is None


@pytest.mark.slow
def test_an_iteration_under_way_is_finished(api: AskedServer, tmp_path: Path) -> None:
    """After the duration no iteration begins; the one that has begun comes to its end."""
    api.behaviour = lambda _: (0.12, 200)
    result = load(api.url, tmp_path, virtual_users=1, duration_s=0.5)
    samples = samples_of(tmp_path)
    assert len(samples) == REQUESTS_PER_ITERATION
    assert samples[-1].start_ms > 500
    assert result.duration_s >= 1.2


@pytest.mark.slow
def test_progress_is_told(api: AskedServer, tmp_path: Path) -> None:
    """About every second: how far, how many requests, errors and users."""
    told: list[Any] = []
    load_test.run(
        LoadSettings(virtual_users=2, ramp_up_s=0.0, duration_s=2.5, pacing_ms=100),
        Api(api.url, "eu-west-1"),
        collection_files.own("load"),
        label="current",
        memory_mb=512,
        folder=tmp_path / "load",
        on_progress=told.append,
    )
    assert len(told) >= 2
    assert told[-1].requests > told[0].requests >= 0
    assert max(progress.active_users for progress in told) == 2
    assert told[-1].duration_s == 2.5
    assert 0 < told[0].elapsed_s < told[-1].elapsed_s < 20


def test_smoke_against_nobody_is_one_failure(tmp_path: Path) -> None:
    """An API that does not answer is one failure that says so, not fifty time-outs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = smoke(f"http://127.0.0.1:{taken.getsockname()[1]}", tmp_path, ready_s=2.0)
    (failure,) = result.failures
    assert (failure.request, failure.kind) == ("the API answers", "request")
    assert re.match(r"the API is not ready after \d+ s: .* ECONNREFUSED", failure.message)
    assert re.fullmatch(r"\d+ requests?, 0 assertions hold", result.counts)


# --- an API that is not ready yet ----------------------------------------------------------

# The refusals of API Gateway itself, as they are recorded.
ANSWERS = json.loads((aws_answers.ANSWERS / "young-api.json").read_text())["answers"]["execute-api"]
BODIES = {
    answer["status"]: json.dumps(answer["body"], separators=(",", ":")).encode()
    for answer in reversed(ANSWERS)
}
YOUNG = BODIES[403]


def begin(api: AskedServer, *statuses: int) -> None:
    """Let the API answer so at first, and well from then on; 0 is a closed connection."""
    api.bodies = BODIES
    api.behaviour = lambda number: (0.0, (*statuses, 200)[min(number - 1, len(statuses))])


@pytest.mark.slow
def test_smoke_waits_until_a_new_api_is_ready(api: AskedServer, tmp_path: Path) -> None:
    """Ready are five good answers in a row over new connections; one bad one starts them anew."""
    bad = (403, 200, 0, 200, 200, 200, 200, 500, 200, 404, 429)
    begin(api, *bad)
    seen: list[NotReady] = []
    result = smoke(f"{api.url}/v1/", tmp_path, on_wait=seen.append, ready_s=30.0)
    assert [one.last.split(" ECONN")[0].split(": ")[0] for one in seen] == [
        '403 {"message":"Missing Authentication Token"}',
        "no answer",
        '500 {"message":"Internal server error"}',
        '404 {"message":"Not Found"}',
        '429 {"message":"Too Many Requests"}',
    ]
    asked = len(bad) + 5
    assert {path for _, path, _ in api.seen[:asked]} == {"/v1/items?limit=1"}
    assert len({port for port, _, _ in api.seen[:asked]}) == asked
    # its answer "{}" is no page of items, but it is a 200
    of_first = [f.assertion for f in result.failures if f.request == "the API answers"]
    assert of_first == ["is a page of items"]
    assert result.requests > 50


@pytest.mark.slow
def test_an_api_that_is_ready_is_asked_five_times_more(api: AskedServer, tmp_path: Path) -> None:
    """And nobody is told of a wait, since there is none."""
    asked = []
    waits: list[object] = []
    for ready_s in (0.0, 90.0):
        smoke(api.url, tmp_path, ready_s=ready_s, on_wait=waits.append)
        asked.append(len(api.seen))
        api.seen.clear()
    assert asked[1] - asked[0] == 5
    assert waits == []


@pytest.mark.slow
@pytest.mark.parametrize("pattern", [(403,), (200, 200, 200, 500)])
def test_an_api_that_never_becomes_ready(
    api: AskedServer, tmp_path: Path, pattern: tuple[int, ...]
) -> None:
    """One failure with the last answer, and nothing else was asked."""
    api.bodies = {403: YOUNG, 500: YOUNG}
    api.behaviour = lambda number: (0.0, pattern[number % len(pattern)])
    (failure,) = smoke(api.url, tmp_path, ready_s=2.5).failures
    words = r"the API is not ready after \d+ s: `{}` was not answered well 5 times.*: \d+ {}"
    last = re.escape(YOUNG.decode())
    assert re.fullmatch(words.format("the API answers", last), failure.message)
    assert {path for _, path, _ in api.seen} == {"/items?limit=1"}
    api.seen.clear()
    with pytest.raises(StepError, match=words.format("list items", last)):
        load(api.url, tmp_path, ready_s=2.5)
    # what only reads is asked, though the collection begins with what makes an item
    assert {path for _, path, _ in api.seen} == {"/items?limit=10"}
    assert not drivers()


@pytest.mark.slow
def test_a_load_test_waits_as_well(api: AskedServer, tmp_path: Path) -> None:
    """What was answered before is in no figure."""
    begin(api, 403, 200, 0)
    seen: list[NotReady] = []
    result = load(api.url, tmp_path, on_wait=seen.append, ready_s=30.0)
    assert len(seen) == 2
    assert result.errors == 0
    assert result.probe is not None  # one request made its connection
    assert result.requests == len(api.seen) - 8 - (result.probe.count + 1)
    assert 0 < result.round_trip_ms < 100  # of those answers' connections
    assert load(api.url, tmp_path).round_trip_ms is None  # when nobody waited


@pytest.mark.slow
def test_nothing_is_asked_meanwhile(api: AskedServer, tmp_path: Path) -> None:
    """The driver starts, and waits; what it waits for is no part of the API's time.

    What fails there ends the driver.
    """
    begin(api, 403)
    before = {process.pid for process in drivers()}

    def deploy() -> None:
        assert {process.pid for process in drivers()} - before
        time.sleep(8.0)
        assert not api.seen

    assert load(api.url, tmp_path, ready_s=8.0, meanwhile=deploy).requests
    api.seen.clear()

    def fail() -> None:
        raise StepError("terraform", "no")

    with pytest.raises(StepError, match="no"):
        load(api.url, tmp_path, meanwhile=fail)
    assert not api.seen
    assert {process.pid for process in drivers()} <= before


@pytest.mark.slow
def test_any_collection_is_waited_for(api: AskedServer, tmp_path: Path) -> None:
    """Its first request is asked if none only reads, with the scripts and the folder it is in.

    A refusal is a good answer where the collection's own assertions want one.
    """
    collection = tmp_path / "mine.postman_collection.json"

    def test_of(status: int) -> list[dict[str, Any]]:
        lines = [f"pm.test('status', () => pm.response.to.have.status({status}))"]
        return [{"listen": "test", "script": {"exec": lines}}]

    request = {"method": "POST", "url": "{{baseUrl}}/orders/{{$guid}}"}
    read = {"method": "GET", "url": "{{baseUrl}}/orders/{{order}}"}  # needs one of before
    items = [{"name": "order", "request": request}, {"name": "read", "request": read}]
    folder = {"name": "orders", "item": items, "event": test_of(404)}
    collection.write_text(json.dumps({"info": {"name": "mine"}, "item": [folder]}))
    api.behaviour = lambda number: (0.0, 404 if number != 2 else 403)
    seen: list[NotReady] = []
    assert smoke(api.url, tmp_path, collection=collection, on_wait=seen.append, ready_s=30.0).passed
    assert [one.last for one in seen] == ["403 {}"]
    assert [path.split("/")[1] for _, path, _ in api.seen] == ["orders"] * 9


INTERRUPTED = """
import sys
from pathlib import Path
from lambda_dyno.core.config import LoadSettings
from lambda_dyno.load import collection_files, load_test
from lambda_dyno.load.driver import Api
load_test.run(
    LoadSettings(virtual_users=3, ramp_up_s=0.0, duration_s=60.0, pacing_ms=50),
    Api(sys.argv[1], "eu-west-1"), collection_files.own("load"),
    label="current", memory_mb=512, folder=Path(sys.argv[2]),
    on_progress=lambda _: print("going", flush=True),
)
"""


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param("ctrl-c", marks=pytest.mark.slow),
        "kill -9",
        pytest.param("worker killed", marks=pytest.mark.slow),
    ],
)
def test_no_process_is_left(api: AskedServer, tmp_path: Path, ending: str) -> None:
    """However a load test is broken off: the driver ends, and its samples are on disk."""
    before = {process.pid for process in drivers()}
    harness = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, api.url, str(tmp_path / "load")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert harness.stdout is not None
    assert harness.stdout.readline() == "going\n"
    mine = [process for process in drivers() if process.pid not in before]
    workers = [p for p in mine if "worker.mjs" in " ".join(p.cmdline())]
    assert workers
    {
        "ctrl-c": lambda: harness.send_signal(signal.SIGINT),
        "kill -9": harness.kill,
        "worker killed": lambda: os.kill(workers[0].pid, signal.SIGKILL),
    }[ending]()
    _out, err = harness.communicate(timeout=HANGS_S)
    gone, alive = psutil.wait_procs(mine, timeout=HANGS_S)
    assert not alive, (ending, gone)
    assert harness.returncode != 0
    if ending == "kill -9":  # nobody was left to merge them
        kept = sorted((tmp_path / "load").glob("current-*.part.jsonl"))
    else:
        kept = [tmp_path / "load" / "current.jsonl"]
        assert ("KeyboardInterrupt" if ending == "ctrl-c" else "StepError") in err
    assert read_samples(kept)  # how many there are by then, the machine says


@pytest.mark.parametrize("test", [smoke, load])
def test_a_broken_collection_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, test: Callable[[str, Path], Any]
) -> None:
    """No driver starts."""
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({"item": "nothing"})[:-3])
    monkeypatch.setattr(collection_files, "own", lambda _: CollectionFiles(broken))
    with pytest.raises(UserError, match=rf"{broken}: not JSON"):
        test("http://127.0.0.1:9", tmp_path)
    assert not drivers()
