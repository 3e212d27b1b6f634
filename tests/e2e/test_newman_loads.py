"""Load tests with other people's collections: what is an error, what is counted, what ends."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.results import LoadResult, Sample
from lambda_dyno.core.samples import read_samples
from lambda_dyno.load import ceiling, load_test
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api
from tests.support import echo_server
from tests.support.echo_server import EchoServer
from tests.support.postman_files import collection, is_status, request, script, write
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.e2e


@pytest.fixture
def api() -> Iterator[EchoServer]:
    with echo_server.running() as server:
        yield server


def load(
    url: str, files: CollectionFiles | Path, folder: Path, **settings: Any
) -> tuple[LoadResult, list[Sample]]:
    """Load an API for a second; return the result and its samples."""
    given = {"virtual_users": 1, "ramp_up_s": 0.0, "duration_s": 1.0, "pacing_ms": 100} | settings
    result = load_test.run(
        LoadSettings(**given),
        Api(url, "eu-west-1"),
        files if isinstance(files, CollectionFiles) else CollectionFiles(files),
        label="current",
        memory_mb=128,
        folder=folder / "load",
        ready_s=0.0,
    )
    return result, read_samples([folder / "load" / "current.jsonl"])


def test_errors_go_by_the_answer(api: EchoServer, tmp_path: Path) -> None:
    """A 4xx or 5xx is an error, unless an assertion about the status wants it.

    Neither does one about the time, nor one of a script before the request or about another
    answer; nor is a wanted status right if another assertion fails.
    """
    url = "{{baseUrl}}/status/"
    fast = script("test", "pm.test('fast', () => pm.expect(pm.response.responseTime).below(9e4));")
    asked = script(
        "prerequest",
        "pm.sendRequest(pm.variables.get('baseUrl') + '/status/404', (error, answer) =>",
        "  pm.test('status of another', () => pm.expect(answer.code).to.equal(404)));",
    )
    guarded = script(
        "test",
        "pm.test('fast', () => pm.expect(pm.response.responseTime).to.be.below(9e4));",
        "if (pm.response.code === 200) pm.test('body', () => pm.response.json());",
    )
    helper = script(
        "test",
        "const is = (code) => pm.test(`is ${code}`, () => pm.response.to.have.status(code));",
        "is(404);",
    )
    inherited = {"event": [is_status(403)], "item": [request("inherited 403", f"{url}403")]}
    wrong = script("test", "pm.test('body', () => pm.expect(pm.response.json()).to.eql(1));")
    files = write(
        tmp_path / "c.json",
        collection(
            request("no tests 500", f"{url}500"),
            request("no tests 404", f"{url}404"),
            request("no tests 204", f"{url}200"),
            request("fast 503", f"{url}503", fast),
            request("guarded 500", f"{url}500", guarded),
            request("another 500", f"{url}500", asked),
            request("wanted 404", f"{url}404", is_status(404)),
            request("wanted by a helper 404", f"{url}404", helper),
            inherited,
            request("wanted 404, wrong body", f"{url}404", is_status(404), wrong),
            request("200, wrong body", f"{url}200", wrong),
            request("broken script", f"{url}200", script("test", "nowhere();")),
            request("broken before", f"{url}200", script("prerequest", "nowhere();")),
            request("nobody", "http://127.0.0.1:9/"),
        ),
    )
    result, samples = load(api.url, files, tmp_path, pacing_ms=900)
    first = {sample.request: sample.error for sample in samples if sample.iteration == 0}
    assert first == {
        "no tests 500": "http_500",
        "no tests 404": "http_404",
        "no tests 204": "",
        "fast 503": "http_503",
        "guarded 500": "http_500",
        "another 500": "http_500",
        "wanted 404": "",
        "wanted by a helper 404": "",
        "inherited 403": "",
        "wanted 404, wrong body": "http_404",
        "200, wrong body": "assertion",
        "broken script": "script",
        "broken before": "script",
        "nobody": "connection_refused",
    }
    assert result.errors == sum(bool(sample.error) for sample in samples)
    assert result.requests == len(samples)


@pytest.mark.slow
def test_what_scripts_send_is_no_sample(api: EchoServer, tmp_path: Path) -> None:
    """Its time is nobody's latency, and that it fails is for the script to say; no name is none."""
    send = "pm.sendRequest(pm.variables.get('baseUrl') + '{}', {});"
    files = write(
        tmp_path / "c.json",
        collection(
            request(
                "",
                "{{baseUrl}}/auth/bearer",
                script(
                    "prerequest",
                    send.format("/token", "(e, r) => pm.variables.set('t', r.json().access_token)"),
                ),
                script("test", "pm.sendRequest('http://127.0.0.1:9/', () => {});"),
                is_status(200),
                auth={"type": "bearer", "bearer": [{"key": "token", "value": "{{t}}"}]},
            ),
        ),
    )
    result, samples = load(api.url, files, tmp_path)
    assert {sample.request for sample in samples} == {"GET /auth/bearer"}
    assert result.errors == 0
    asked = Counter(api.seen)
    assert asked["GET /auth/bearer"] == asked["GET /token"] == result.requests > 1


@pytest.mark.slow
def test_every_user_goes_through_the_rows(api: EchoServer, tmp_path: Path) -> None:
    """User i begins with row i; after the last row comes the first again."""
    files = CollectionFiles(
        write(tmp_path / "c.json", collection(request("{{row}}", "{{baseUrl}}/{{row}}"))),
        data=write(tmp_path / "d.json", [{"row": "a"}, {"row": "b"}, {"row": "c"}]),
    )
    _, samples = load(api.url, files, tmp_path, virtual_users=2, duration_s=1.5)
    assert {sample.error for sample in samples} == {""}
    asked = Counter(api.seen)
    assert {"GET /a", "GET /b", "GET /c"} == set(asked)
    assert max(asked.values()) <= min(asked.values()) + 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "errors"),
    [
        pytest.param("pm.execution.setNextRequest('poll')", set(), id="polls for ever"),
        pytest.param("setInterval(() => {}, 100)", {"script"}, id="waits for ever"),
    ],
)
def test_a_test_ends_on_time(api: EchoServer, tmp_path: Path, end: str, errors: set[str]) -> None:
    """Also with a collection that has no end; what warms the driver up does not run it."""
    poll = request("poll", "{{baseUrl}}/echo", is_status(200), script("test", end))
    files = write(tmp_path / "c.json", collection(poll))
    started = time.monotonic()
    result, samples = load(api.url, files, tmp_path, request_timeout_ms=500)
    assert time.monotonic() - started < HANGS_S
    assert {sample.error for sample in samples} - {"", "cut_off"} == errors
    assert len(api.seen) == result.requests


@pytest.mark.slow
def test_a_script_that_stops_its_process_is_named(api: EchoServer, tmp_path: Path) -> None:
    """Nothing can be measured beside it."""
    loop = request("counts", "{{baseUrl}}/echo", script("test", "while (true) {}"))
    files = write(tmp_path / "c.json", collection(loop))
    with pytest.raises(StepError, match="counts: Script execution timed out after 1500ms"):
        load(api.url, files, tmp_path, request_timeout_ms=500)


@pytest.mark.slow
def test_answers_that_do_not_end_are_time_outs(api: EchoServer, tmp_path: Path) -> None:
    """Nor does a file that nobody reads keep the next request from being sent."""
    (tmp_path / "up.bin").write_bytes(b"x" * 100_000)
    upload = {"mode": "file", "file": {"src": "up.bin"}}
    files = write(
        tmp_path / "c.json",
        collection(
            request("upload", "{{baseUrl}}/early", method="POST", body=upload),
            request("endless", "{{baseUrl}}/trickle"),
            request("after", "{{baseUrl}}/echo"),
        ),
    )
    _, samples = load(api.url, files, tmp_path, request_timeout_ms=500)
    errors = {sample.request: sample.error for sample in samples}
    assert errors["upload"] in ("", "connection_reset")  # as the server closes it
    assert errors["endless"] == "timeout"
    assert errors["after"] == ""


@pytest.mark.slow
def test_the_ceiling_asks_nobody_else(
    api: EchoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever address a collection names, by a proxy or not: the API's own load comes later."""
    monkeypatch.setattr(ceiling, "_SECONDS", 1.0)
    for name in ("HTTP_PROXY", "https_proxy"):
        monkeypatch.setenv(name, api.url)
    again = script("test", "pm.execution.setNextRequest('plain')")
    files = write(
        tmp_path / "c.json",
        collection(
            request(
                "plain", f"{api.url}/real", script("prerequest", f"pm.sendRequest('{api.url}');")
            ),
            request("secure", "https://shop.example/real", again),
        ),
    )
    found = ceiling.requests_per_s(tmp_path, CollectionFiles(files), signed=False)
    assert found is not None
    assert found > 1
    assert api.seen == []


def test_a_collection_that_is_none_is_named(tmp_path: Path) -> None:
    """Before anything is asked."""
    files = write(tmp_path / "c.json", [])
    with pytest.raises(UserError, match=r"c\.json: not a Postman collection: .* not a list"):
        load("http://127.0.0.1:9", files, tmp_path)
