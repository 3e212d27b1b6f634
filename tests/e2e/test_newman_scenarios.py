"""Folders and collections as scenarios: each as often as its weight, with files of its own."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.samples import read_samples
from lambda_dyno.load import load_test
from lambda_dyno.load.collection_files import CollectionFiles, Scenario
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


def shop() -> dict[str, Any]:
    """A collection with two folders, one of them deep, and auth on the way to it."""
    browse = {
        "name": "Browse",
        "item": [
            request("list", "{{baseUrl}}/browse/list", is_status(200)),
            request("read", "{{baseUrl}}/browse/{{item}}", is_status(200)),
        ],
    }
    buy = {
        "name": "Buy",
        "auth": auth("basic", username="user", password="word"),
        "item": [request("list", "{{baseUrl}}/auth/basic", is_status(200))],
    }
    return collection(
        {"name": "Shop", "item": [browse, {"name": "Inner", "item": [buy]}]},
        request("stray", "{{baseUrl}}/stray"),
        event=[script("prerequest", "pm.variables.set('asked', 1)")],
    )


@pytest.fixture
def files(tmp_path: Path) -> CollectionFiles:
    """Browsing three times as often as buying, each with rows of its own."""
    theirs = write(tmp_path / "shop.json", shop())
    rows = write(tmp_path / "rows.json", [{"item": "a"}, {"item": "b"}])
    other = write(tmp_path / "other.json", collection(request("other", "{{baseUrl}}/other")))
    return CollectionFiles(
        theirs,
        scenarios=(
            Scenario("Browse", theirs, folder="Browse", weight=3, data=rows),
            Scenario("Buy", theirs, folder="Buy"),
            Scenario("other", other, weight=1),
        ),
    )


def load(api: EchoServer, files: CollectionFiles, folder: Path, **settings: Any) -> Any:
    asked: dict[str, Any] = {"ramp_up_s": 0.0, "duration_s": 2.5, "virtual_users": 2}
    return load_test.run(
        LoadSettings(**asked | settings),
        Api(api.url, "eu-west-1"),
        files,
        label="current",
        memory_mb=128,
        folder=folder / "load",
        ready_s=5.0,
    )


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"pacing_ms": 100, "virtual_users": 1}, id="closed"),
        pytest.param({"pacing_ms": 200}, id="two processes", marks=SLOW),
        pytest.param({"loop": "open", "arrivals_per_s": 20.0}, id="open", marks=SLOW),
        pytest.param({"pacing_ms": 0}, id="unpaced", marks=SLOW),
    ],
)
def test_each_scenario_is_made_as_often_as_its_weight(
    api: EchoServer, files: CollectionFiles, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Iterations, not requests; whole ones, one after the other, by all users and processes."""
    result = load(api, files, tmp_path, **settings)
    assert result.errors == 0, result.errors_by_kind
    samples = read_samples([tmp_path / "load" / "current.jsonl"])
    of = {(one.user, one.iteration): one.request.partition(" / ")[0] for one in samples}
    made = Counter(of.values())
    total = sum(made.values())
    assert total >= 8
    # to one of each process's users, who may be at any place of their turns
    for name, share in (("Browse", 0.6), ("Buy", 0.2), ("other", 0.2)):
        assert abs(made[name] - share * total) <= 4, made
    iterations: dict[tuple[int, int], list[str]] = {}
    for one in samples:
        iterations.setdefault((one.user, one.iteration), []).append(one.request)
    allowed = (["Browse / list", "Browse / read"], ["Buy / list"], ["other / other"])
    wrong = [names for names in iterations.values() if names not in allowed]
    assert len(wrong) <= 2, wrong  # cut off at the end
    assert {one.name for one in result.by_request} == {
        *("Browse / list", "Browse / read", "Buy / list", "other / other")
    }
    assert "GET /stray" not in api.seen
    assert {"GET /browse/a", "GET /browse/b"} <= set(api.seen)


@pytest.mark.parametrize("beside_newman", [False, pytest.param(True, marks=SLOW)])
def test_a_smoke_test_asks_one_after_the_other_and_counts_as_newman_does(
    api: EchoServer, files: CollectionFiles, tmp_path: Path, beside_newman: bool
) -> None:
    """Each scenario is `newman run --folder`, with its own rows."""
    found = newman.smoke(
        Api(api.url, "eu-west-1"), files, log=tmp_path / "log", timeout_s=55.0, ready_s=5.0
    )  # less than a script may take: what is left is its limit
    assert [found.requests, found.assertions, len(found.failures)] == [6, 5, 0]
    assert found.names == ("Browse / list", "Browse / read", "Buy / list", "other / other")
    if beside_newman:
        counts = [counted_by_newman(api.url, scenario, tmp_path) for scenario in files.scenarios]
        assert [sum(column) for column in zip(*counts, strict=True)] == [6, 5, 0]


@SLOW
def test_a_recording_has_each_scenario_with_its_weight(
    api: EchoServer, files: CollectionFiles, tmp_path: Path
) -> None:
    """Two iterations of each; what is safe may be named with its scenario or without."""

    def record(**arguments: Any) -> Any:
        return newman.record(
            Api(api.url, "eu-west-1"),
            files,
            log=tmp_path / "log",
            timeout_s=HANGS_S,
            ready_s=0.0,
            **arguments,
        )

    told = record()
    assert [one.weight for one in told.scenarios] == [3, 1, 1]
    names = [[sent.name for sent in one.iterations[0]] for one in told.scenarios]
    # an iteration for each row: a smoke test and a recording see all of them
    assert names == [["Browse / list", "Browse / read"] * 2, ["Buy / list"], ["other / other"]]
    posting = write(
        tmp_path / "posting.json",
        collection(
            {"name": "A", "item": [request("make", "{{baseUrl}}/a", method="POST")]},
            {"name": "B", "item": [request("make", "{{baseUrl}}/b", method="POST")]},
        ),
    )
    both = tuple(Scenario(name, posting, folder=name) for name in "AB")
    files = replace(files, collection=posting, scenarios=both)
    for safe, asked in ((["make"], ["/a", "/b"]), (["B / make"], ["/b"]), ([], [])):
        api.seen.clear()
        record(safe=safe)
        assert set(api.seen) == {f"POST {path}" for path in asked}


def counted_by_newman(url: str, scenario: Scenario, folder: Path) -> tuple[int, int, int]:
    """Return requests, assertions and failures of Newman's command line."""
    out = folder / "newman.json"
    command = [
        *("node", "--no-deprecation", str(NEWMAN), "run", str(scenario.collection)),
        *(("--folder", scenario.folder) if scenario.folder else ()),
        *(("-d", str(scenario.data)) if scenario.data else ()),
        *("--env-var", f"baseUrl={url}"),
        *("--reporters", "json", "--reporter-json-export", str(out)),
    ]
    for _ in range(3):  # now and then Newman itself waits for ever
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, timeout=100, check=False)
            break
    run = json.loads(out.read_text(encoding="utf-8"))["run"]
    stats = run["stats"]
    return stats["requests"]["total"], stats["assertions"]["total"], len(run["failures"])
