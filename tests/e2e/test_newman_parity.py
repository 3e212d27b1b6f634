"""Smoke tests of other people's collections: the same counts as Newman's own command line."""

from __future__ import annotations

import codecs
import contextlib
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambda_dyno.core.results import SmokeResult
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api
from lambda_dyno.load.drivers import newman
from tests.support import echo_server
from tests.support.echo_server import EchoServer
from tests.support.postman_files import auth, collection, is_status, request, script, write
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.e2e

SLOW = pytest.mark.slow
NEWMAN = Path(__file__).parents[2] / "node_modules" / "newman" / "bin" / "newman.js"


@pytest.fixture
def api() -> Iterator[EchoServer]:
    with echo_server.running() as server:
        yield server


def smoke(url: str, files: CollectionFiles, folder: Path, **arguments: float) -> SmokeResult:
    return newman.smoke(
        Api(url, "eu-west-1"),
        files,
        log=folder / "smoke.log",
        **{"timeout_s": HANGS_S, "ready_s": 5.0} | arguments,
    )


def counted(result: SmokeResult) -> tuple[int, int, int]:
    return result.requests, result.assertions, len(result.failures)


def counted_by_newman(url: str, files: CollectionFiles, folder: Path) -> tuple[int, int, int]:
    """Return requests, assertions and failures of Newman's command line."""
    out = folder / "newman.json"
    letters = {"environment": "-e", "globals": "-g", "data": "-d"}
    paths = {name: path for name, path in files.paths().items() if name in letters}
    name = files.api_variable or "baseUrl"
    command = [
        *("node", "--no-deprecation", str(NEWMAN), "run", str(files.collection)),
        *(part for name, path in paths.items() for part in (letters[name], str(path))),
        *("--env-var", f"{name}={url}"),
        *("--reporters", "json", "--reporter-json-export", str(out)),
    ]
    for _ in range(3):  # now and then Newman itself waits for ever, for an answer that it has
        with contextlib.suppress(subprocess.TimeoutExpired):
            # failures are its status 1
            subprocess.run(
                command, cwd=files.collection.parent, capture_output=True, timeout=100, check=False
            )
            break
    run = json.loads(out.read_text(encoding="utf-8"))["run"]
    stats = run["stats"]
    return stats["requests"]["total"], stats["assertions"]["total"], len(run["failures"])


def test_scripts_and_auth_of_every_kind(api: EchoServer, tmp_path: Path) -> None:
    """What people have in collections: auth by level, requests of scripts, jumps, no names."""
    (tmp_path / "up.txt").write_text("up")
    send = "pm.sendRequest({url: pm.environment.get('baseUrl') + '%s', method: 'POST'}, %s);"
    answers = "pm.test('{0}', () => pm.expect(pm.response.json().{0}).to.eql({{a: '1'}}));".format
    pairs = [{"key": "a", "value": "1"}, {"key": "b", "value": "2", "disabled": True}]
    skip = script("prerequest", "pm.execution.skipRequest()")
    keep = "(e, r) => pm.environment.set('token', r.json().access_token)"
    refused = "(e) => pm.test('refused', () => pm.expect(e).to.be.ok)"
    bearer = auth("bearer", token="{{token}}")
    sigv4 = auth("awsv4", accessKey="AKIDOFTHEIRS", secretKey="s", region="r", service="s")
    folder = {
        "name": "folder",
        "auth": auth("basic", username="user", password="word"),
        "item": [
            request("inherits the folder's", "{{baseUrl}}/auth/basic", is_status(200)),
            request(
                "key",
                "{{baseUrl}}/auth/apikey",
                is_status(200),
                auth=auth("apikey", key="x-api-key", value="k3y"),
            ),
            request("none", "{{baseUrl}}/auth/none", is_status(200), auth={"type": "noauth"}),
            request("their keys", "{{baseUrl}}/auth/sigv4", is_status(200), auth=sigv4),
            request(
                "digest",
                "{{baseUrl}}/digest",
                is_status(200),
                auth=auth("digest", username="u", password="p"),
            ),
        ],
    }
    files = CollectionFiles(
        write(
            tmp_path / "theirs.json",
            collection(
                request(
                    "token first",
                    "{{baseUrl}}/auth/bearer",
                    script("prerequest", send % ("/token", keep)),
                    is_status(200),
                ),
                request("inherits", "{{baseUrl}}/auth/bearer", is_status(200)),
                folder,
                request("", "{{baseUrl}}/nameless", is_status(200), auth={"type": "noauth"}),
                request(
                    "asks after it, and somebody who is not there",
                    "{{baseUrl}}/echo",
                    script(
                        "test",
                        send % ("/status/500", "() => {}"),
                        f"pm.sendRequest('http://127.0.0.1:9/', {refused});",
                    ),
                ),
                request(
                    "fails in every way",
                    "{{baseUrl}}/status/500",
                    script("prerequest", "pm.test('before', () => {}); nowhere();"),
                    script(
                        "test",
                        "pm.test('is 200', () => pm.response.to.have.status(200));",
                        "pm.test.skip('left out', () => {});",
                        "tests['old way'] = responseCode.code === 500;",
                        "throw new Error('boom');",
                    ),
                ),
                request(
                    "a file",
                    "{{baseUrl}}/early",
                    method="POST",
                    body={"mode": "file", "file": {"src": "up.txt"}},
                ),
                request(
                    "a form",
                    "{{baseUrl}}/echo",
                    script("test", answers("form")),
                    method="POST",
                    body={"mode": "urlencoded", "urlencoded": pairs},
                ),
                request(
                    "a cookie",
                    "{{baseUrl}}/set-cookie",
                    script("test", answers("cookies"), "pm.execution.setNextRequest('last')"),
                ),
                request("jumped over", "{{baseUrl}}/status/500"),
                request("not sent", "{{baseUrl}}/echo", skip),
                request("last", "{{baseUrl}}/status/404", is_status(404)),
                auth=bearer,
            ),
        )
    )
    result = smoke(api.url, files, tmp_path)
    assert counted(result) == counted_by_newman(api.url, files, tmp_path)
    assert {(f.request, f.kind, f.assertion) for f in result.failures} == {
        ("GET /", "request", "an answer arrives"),  # what a script sends has no name
        ("fails in every way", "assertion", "is 200"),
        ("fails in every way", "script", "its script runs to the end"),
    }
    assert result.skipped == 1
    assert result.held == result.assertions - 2


@pytest.mark.parametrize(
    "form", [pytest.param(form, marks=SLOW) for form in ("v1", "v2.0", "v2.1 in a wrapper")]
)
def test_files_as_they_are_exported(api: EchoServer, tmp_path: Path, form: str) -> None:
    """Every format, byte order marks and UTF-16, with the values of all four files.

    Rows of data come before the environment, that before the collection and its globals.
    """
    names = ("own", "env", "glob", "row")
    values = ", ".join(f"{name}: pm.variables.get('{name}')" for name in names)
    test = (
        f"const args = pm.response.json().args; const all = {{{values}}};"
        "pm.test('sent as in scripts', () => pm.expect(args).to.eql("
        "Object.fromEntries(Object.entries(all).map(([k, v]) => [k, String(v)]))));"
        "pm.test('env', () => pm.expect(all.env).to.equal('of the environment'));"
        "pm.test('glob', () => pm.expect(all.glob).to.equal('of the globals'));"
        "pm.test('row', () => pm.expect([1, 2]).to.include(all.row));"
        "pm.test('address', () => pm.expect(pm.variables.get('base_url')).to.not.include('stale'));"
    )
    url = "{{base_url}}/echo?" + "&".join(f"{name}={{{{{name}}}}}" for name in names)
    variables = [
        {"key": "own", "value": "of the collection"},
        {"key": "base_url", "value": "http://stale.invalid"},
    ]
    contents = {
        "v1": {
            "id": "c",
            "name": "old",
            "order": ["r"],
            "requests": [{"id": "r", "name": "echo", "url": url, "method": "GET", "tests": test}],
            "variables": variables,
        },
        "v2.0": {
            "info": {
                "name": "c",
                "schema": "https://schema.getpostman.com/json/collection/v2.0.0/",
            },
            "auth": {"type": "bearer", "bearer": {"token": "t0ken"}},
            "variable": variables,
            "item": [
                request("echo", url, script("test", test)),
                request("auth", "{{base_url}}/auth/bearer", is_status(200)),
                {"name": "text alone", "request": "{{base_url}}/auth/bearer"},
            ],
        },
        "v2.1 in a wrapper": {
            "collection": collection(
                {"name": "f", "item": [{"item": [request("", url, script("test", test))]}]},
                variable=variables,
            )
        },
    }
    environment = {"values": [{"key": "env", "value": "of the environment", "enabled": True}]}
    files = CollectionFiles(
        write(tmp_path / "c.json", contents[form], prefix=codecs.BOM_UTF8),
        write(tmp_path / "e.json", environment, prefix=codecs.BOM_UTF16_LE, encoding="utf-16-le"),
        write(tmp_path / "g.json", {"values": [{"key": "glob", "value": "of the globals"}]}),
        write(tmp_path / "d.csv", "row\n1\n2\n", prefix=codecs.BOM_UTF8),
        "base_url",
    )
    result = smoke(api.url, files, tmp_path)
    assert result.failures == ()
    assert counted(result) == counted_by_newman(api.url, files, tmp_path)


@pytest.mark.slow
def test_no_answer_is_one_failure_and_the_rest_is_asked(api: EchoServer, tmp_path: Path) -> None:
    """Other hosts are not waited for; nor does a request that nobody asserts speak for the API."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        files = CollectionFiles(
            write(
                tmp_path / "theirs.json",
                collection(
                    request("closed", closed, is_status(200)),
                    request("unknown", "{{nobody}}/x"),
                    request("broken, and nobody minds", "{{baseUrl}}/status/503"),
                    request("after", "{{baseUrl}}/echo", is_status(200)),
                ),
            )
        )
        for ready_s in (0.0, 2.0):
            result = smoke(api.url, files, tmp_path, ready_s=ready_s)
            assert [f.request for f in result.failures] == ["closed", "closed", "unknown"]
        assert counted(result) == counted_by_newman(api.url, files, tmp_path)


@pytest.mark.parametrize("word", ["base", pytest.param("api", marks=SLOW)])
def test_the_address_is_told_and_no_keys_are_made_up(
    api: EchoServer, tmp_path: Path, word: str
) -> None:
    """Variables spelled like baseUrl hold the API's address in every scope; keys stay theirs.

    So do those spelled like apiUrl, but not beside one that is spelled like baseUrl.

    Where nothing is signed, a signature without a key is left out, whichever level has it, and one
    with a key of their own is not.
    """
    empty = auth("awsv4", accessKey="{{accessKey}}", secretKey="{{secretKey}}", region="{{region}}")
    theirs = auth("awsv4", accessKey="{{AccessKey}}", secretKey="s", region="r", service="s")
    says = "pm.test('region', () => pm.expect(pm.variables.get('region')).to.equal('north'));"
    upper = f"{word.upper()}_URL"
    others = [{"key": "apiUrl", "value": "http://third.invalid"}] if word == "base" else []
    kept = "pm.test('third', () => pm.expect(pm.variables.get('apiUrl')).to.include('third'));"
    own = "pm.test('own', () => pm.expect(pm.{}.get('{}')).to.include('127.0.0.1'));"
    files = CollectionFiles(
        write(
            tmp_path / "theirs.json",
            collection(
                request(
                    "none",
                    f"{{{{{upper}}}}}/auth/none",
                    is_status(200),
                    script(
                        "test",
                        says,
                        own.format("collectionVariables", upper),
                        *(kept for _ in others),
                    ),
                ),
                request("none", f"{{{{{word}-url}}}}/auth/none", is_status(200), auth=empty),
                request("theirs", f"{{{{{word}URL}}}}/auth/sigv4", is_status(200), auth=theirs),
                auth=empty,
                variable=[{"key": upper, "value": "http://stale.invalid"}, *others],
            ),
        ),
        write(
            tmp_path / "e.json",
            {
                "values": [
                    {"key": "region", "value": "north"},
                    {"key": "AccessKey", "value": "AKIDOFTHEIRS"},
                    {"key": f"{word}-url", "value": "http://stale.invalid"},
                ]
            },
        ),
    )
    result = smoke(api.url, files, tmp_path)
    assert result.failures == ()
    assert counted(result) == (3, 5 + len(others), 0)


@SLOW
@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("pm.execution.setNextRequest('poll')", "it still asks after 3 s"),
        ("setInterval(() => {}, 100)", "it still asks after 3 s"),
        ("while (true) {}", "Script execution timed out after 3000ms"),
    ],
    ids=["polls for ever", "waits for ever", "counts for ever"],
)
def test_what_does_not_end_is_ended(api: EchoServer, tmp_path: Path, end: str, said: str) -> None:
    """In a line that names the request, while waiting for the API as well."""
    poll = request("poll", "{{baseUrl}}/echo", is_status(200), script("test", end))
    files = CollectionFiles(write(tmp_path / "c.json", collection(poll)))
    result = smoke(api.url, files, tmp_path, timeout_s=3, ready_s=0.0 if "poll" not in end else 5.0)
    assert {failure.request for failure in result.failures} == {"poll"}
    assert said in [failure.message for failure in result.failures]


@pytest.mark.slow
def test_an_answer_without_an_end_is_no_answer(
    api: EchoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newman's own time-out ends when the answer begins."""
    monkeypatch.setattr(newman, "_SMOKE_REQUEST_TIMEOUT_MS", 700)
    files = CollectionFiles(
        write(
            tmp_path / "c.json",
            collection(
                request("endless", "{{baseUrl}}/trickle"),
                request("never", "{{baseUrl}}/never"),
                request("after", "{{baseUrl}}/echo", is_status(200)),
            ),
        )
    )
    result = smoke(api.url, files, tmp_path, ready_s=0.0)
    # a third one is late only where the machine is
    assert [(f.request, f.kind) for f in result.failures[:2]] == [
        ("endless", "request"),
        ("never", "request"),
    ]
    assert "no whole answer within 700 ms" in result.failures[0].message
    assert api.seen == ["GET /trickle", "GET /never", "GET /echo"]


@pytest.mark.slow
def test_each_request_is_told_with_what_held(api: EchoServer, tmp_path: Path) -> None:
    """The driver tells what Newman's own report has: the requests, scripts' too, and assertions."""
    exec_ = [
        "pm.test('ok', () => pm.response.to.have.status(200));",
        "pm.test('bad', () => pm.expect(1).to.eql(2)); pm.test.skip('later', () => {});",
    ]
    send = "pm.sendRequest(pm.variables.get('baseUrl') + '/status/200', () => {})"
    item = {
        "name": "one",
        "request": {"method": "GET", "url": "{{baseUrl}}/status/200"},
        "event": [
            {"listen": "prerequest", "script": {"exec": [send]}},
            {"listen": "test", "script": {"exec": exec_}},
        ],
    }
    schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"info": {"name": "c", "schema": schema}, "item": [item]}))
    of_script, one = smoke(api.url, CollectionFiles(file), tmp_path).asked
    assert (of_script.request, of_script.method, of_script.assertions) == (
        "script of one",
        "GET",
        (),
    )
    assert (one.request, one.method) == ("one", "GET") and (one.latency_ms or 0) > 0
    told = [(x.assertion, x.outcome) for x in one.assertions]
    assert told[1:] == [("bad", "failed"), ("later", "skipped")] and told[0][0] == "ok"
    assert "equal 2" in one.assertions[1].message
