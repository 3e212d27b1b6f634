"""The seam between a test and what asks the API: any driver will do, and all is measured alike."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from lambda_dyno.compare.interleaved_driver import InterleavedDriver
from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.samples import read_samples
from lambda_dyno.load import ceiling, drivers, load_test
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api, ApiCredentials, LoadDriver
from tests.support import asked_server, plain_driver
from tests.support.asked_server import AskedServer

PROFILE = LoadSettings(virtual_users=2, ramp_up_s=0.0, duration_s=0.5, pacing_ms=50)
PRODUCT = Path(__file__).parents[3] / "harness"


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line of `load.drivers` names another driver."""
    monkeypatch.setattr(drivers, "DRIVER", plain_driver)


@pytest.fixture
def api() -> Iterator[AskedServer]:
    with asked_server.running() as server:
        yield server


@pytest.fixture
def files(tmp_path: Path) -> CollectionFiles:
    """Two requests, one in a folder."""
    make = {"method": "POST", "url": "{{baseUrl}}/items", "body": {"raw": "{}"}}
    read = {"name": "read", "request": {"method": "GET", "url": {"raw": "{{baseUrl}}/items/1"}}}
    items: list[dict[str, Any]] = [
        {"name": "make", "request": make},
        {"name": "items", "item": [read]},
    ]
    path = tmp_path / "mine.postman_collection.json"
    path.write_text(json.dumps({"info": {"name": "mine"}, "item": items}))
    return CollectionFiles(path)


@pytest.mark.parametrize("name", [name for name in vars(LoadDriver) if not name.startswith("_")])
def test_each_driver_has_the_functions_of_the_protocol(name: str) -> None:
    """With the same parameters; mypy holds the one that is used against their types."""
    wanted = list(inspect.signature(getattr(LoadDriver, name)).parameters)[1:]
    for driver in (drivers.newman, plain_driver):
        assert list(inspect.signature(getattr(driver, name)).parameters) == wanted


@pytest.mark.parametrize(
    ("url", "is_here", "ready_s"),
    [
        ("http://127.0.0.1:4566/v1", True, 60.0),
        ("http://[::1]:4566/v1", True, 60.0),
        ("http://x.localhost:4566/v1", True, 60.0),
        ("https://x.execute-api.eu-west-1.amazonaws.com/v1", False, 90.0),
    ],
)
def test_an_api_on_aws_gets_more_time_to_become_ready(
    url: str, is_here: bool, ready_s: float
) -> None:
    """One of this machine has one host, which knows a deployment at once."""
    api = Api(url, "eu-west-1")
    assert (api.is_here, api.ready_s) == (is_here, ready_s)


@pytest.mark.parametrize("token", ["t", None])
def test_keys_are_those_that_a_session_has_now(token: str | None) -> None:
    """With the token of a role, and without one of a user's."""
    session = boto3.Session("AKIA", "secret", token)
    assert ApiCredentials.of(session) == ApiCredentials("AKIA", "secret", token or "")


def test_another_driver_loads_an_api(
    api: AskedServer, files: CollectionFiles, tmp_path: Path
) -> None:
    """Its requests are summed up and kept as all drivers' are."""
    api.behaviour = lambda number: (0.01, 503 if number == 9 else 200)
    told: list[Any] = []
    result = load_test.run(
        PROFILE, Api(api.url, "eu-west-1"), files,
        label="current", memory_mb=128, folder=tmp_path / "load", on_progress=told.append,
    )  # fmt: skip
    samples = read_samples([tmp_path / result.samples_path])
    assert result.requests == len(samples) == len(api.seen) - 5  # that it was ready with
    assert result.errors_by_kind == {"http_503": 1}
    assert {sample.user for sample in samples} == {0, 1}
    assert result.latency_ms is not None
    assert result.latency_ms.p50 >= 10
    assert told
    assert [path.name for path in (tmp_path / "load").iterdir()] == ["current.jsonl"]


def test_another_driver_waits_for_an_api(
    api: AskedServer, files: CollectionFiles, tmp_path: Path
) -> None:
    """And says what it answers if that was in vain."""
    api.behaviour = lambda _: (0.0, 403)
    arguments: dict[str, Any] = {"label": "x", "memory_mb": 128, "folder": tmp_path / "load"}
    with pytest.raises(StepError, match=r"the API is not ready after .* bad answer: 403"):
        load_test.run(PROFILE, Api(api.url, "eu-west-1"), files, ready_s=0.2, **arguments)
    smoke = drivers.DRIVER.smoke(
        Api(api.url, "eu-west-1"), files, log=tmp_path / "log", timeout_s=5, ready_s=0.2
    )
    assert "the API is not ready" in smoke.first_failure


def test_another_driver_asks_everything_once(
    api: AskedServer, files: CollectionFiles, tmp_path: Path
) -> None:
    """As a smoke test does."""
    api.behaviour = lambda number: (0.0, 404 if number == 2 else 200)
    smoke = drivers.DRIVER.smoke(
        Api(api.url, "eu-west-1"), files, log=tmp_path / "log", timeout_s=5, ready_s=0.0
    )
    assert (smoke.requests, smoke.first_failure) == (2, "read: has a good status: it is 404")


def test_another_driver_takes_turns(
    api: AskedServer, files: CollectionFiles, tmp_path: Path
) -> None:
    """Two versions, one at a time."""
    apis = {name: Api(f"{api.url}/{name}", "eu-west-1") for name in ("baseline", "candidate")}
    with InterleavedDriver.running(
        PROFILE, apis, files, folder=tmp_path / "load", log=tmp_path / "log"
    ) as driver:
        asked = len(api.seen)
        turn = driver.turn("candidate", 0.2, "turn-1")
    assert len(turn.samples) == len(api.seen) - asked > 0
    assert all(path.startswith("/candidate/") for _, path, _ in api.seen[asked:])
    assert list((tmp_path / "load").iterdir()) == []


def test_the_ceiling_is_that_of_the_driver(
    files: CollectionFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept by its version: another driver has another one."""
    monkeypatch.setattr(ceiling, "_SECONDS", 0.3)
    assert ceiling.requests_per_s(tmp_path, files, signed=False)
    (key,) = json.loads((tmp_path / "driver-ceiling.json").read_text())
    assert key.startswith(plain_driver.check())


def test_nobody_names_the_driver_but_the_line_that_chooses_it() -> None:
    """So that a second one is a file and a line; one artefact is known by the first one's name."""
    folder = PRODUCT / "lambda_dyno"
    naming = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if "newman" in path.read_text(encoding="utf-8").lower()
    }
    known = {"artefacts/smoke_page.py"}
    assert naming == {"load/drivers/__init__.py", "load/drivers/newman.py"} | known
