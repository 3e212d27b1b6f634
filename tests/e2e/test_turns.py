"""The load driver in turns, against two small real servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.compare.interleaved_driver import InterleavedDriver
from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.load import collection_files
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api
from lambda_dyno.load.drivers import newman
from tests.support import asked_server, postman_files
from tests.support.asked_server import AskedServer

pytestmark = pytest.mark.e2e

VERSIONS = {"baseline": 0.0, "candidate": 0.03}  # seconds that each takes to answer


@pytest.fixture
def servers() -> Iterator[dict[str, AskedServer]]:
    """Two versions of an API, one slower than the other."""
    with ExitStack() as stack:
        found = {}
        for name, seconds in VERSIONS.items():
            server = found[name] = stack.enter_context(asked_server.running())
            server.behaviour = lambda _, seconds=seconds: (seconds, 200)
        yield found


@pytest.mark.slow
def test_each_turn_loads_one_version_and_then_waits(
    servers: dict[str, AskedServer], tmp_path: Path
) -> None:
    """The same users, each on a connection of its own, at their pace; then the other's turn."""
    with running(servers, tmp_path, users=2) as driver:
        turns = [
            (name, driver.turn(name, 2.0, f"turn-{number}"))
            for number, name in enumerate(["baseline", "candidate", "candidate", "baseline"])
        ]
    for name, turn in turns:
        assert {sample.error for sample in turn.samples} == {""}
        assert {sample.user for sample in turn.samples} == {0, 1}
        assert all(s.latency_ms >= 1000 * VERSIONS[name] for s in turn.samples)
        # user i begins i halves of the pace after the turn, and never before
        begins = {s.user: s.start_ms for s in reversed(turn.samples)}
        assert all(begins[user] >= 500 * user for user in begins)
    for name, server in servers.items():
        seen = sum(len(turn.samples) for whose, turn in turns if whose == name)
        ready = 5  # answers before the first turn
        assert len(server.seen) == ready + seen  # nobody asks out of turn
    assert list((tmp_path / "load").iterdir()) == []


def test_a_driver_that_dies_is_a_sentence(
    servers: dict[str, AskedServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it."""
    monkeypatch.setattr(newman, "COMMAND", ("node", "-e", "process.exit(1)"))
    with (
        pytest.raises(StepError, match="the Newman driver ended before its time"),
        running(servers, tmp_path),
    ):
        pass


def test_a_collection_that_is_not_there_is_named(
    servers: dict[str, AskedServer], tmp_path: Path
) -> None:
    """Before the driver starts."""
    with (
        pytest.raises(UserError, match=r"none\.json: cannot be read"),
        running(servers, tmp_path, tmp_path / "none.json"),
    ):
        pass


@pytest.mark.slow
def test_each_version_has_its_own_address(servers: dict[str, AskedServer], tmp_path: Path) -> None:
    """By whatever name a collection has for it, in every scope."""
    own = "pm.test('own', () => pm.expect(pm.collectionVariables.get('base_url')).to.equal(at));"
    at = "const at = pm.variables.replaceIn('{{base_url}}');"
    path = postman_files.write(
        tmp_path / "theirs.json",
        postman_files.collection(
            postman_files.request("r", "{{base_url}}/r", postman_files.script("test", at, own)),
            variable=[{"key": "base_url", "value": "http://stale.invalid"}],
        ),
    )
    with running(servers, tmp_path, path, users=1) as driver:
        for name, server in servers.items():
            turn = driver.turn(name, 0.5, name)
            assert {sample.error for sample in turn.samples} == {""}
            assert len(server.seen) == 5 + len(turn.samples)


@pytest.mark.slow
def test_a_version_that_does_not_become_ready_is_named(
    servers: dict[str, AskedServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither version is loaded before both answer."""
    monkeypatch.setattr("lambda_dyno.load.driver._READY_HERE_S", 10.0)
    servers["candidate"].behaviour = lambda _: (0.0, 403)
    with (
        pytest.raises(StepError, match=r"the API is not ready after .* bad answer: 403"),
        running(servers, tmp_path, users=1),
    ):
        pass
    assert len(servers["baseline"].seen) == 5


def running(
    servers: dict[str, AskedServer],
    folder: Path,
    collection: Path | None = None,
    *,
    users: int = 4,  # two of them may be two processes
) -> Any:
    """Start the driver."""
    return InterleavedDriver.running(
        LoadSettings(virtual_users=users, pacing_ms=1000, request_timeout_ms=5000),
        {name: Api(server.url, "eu-west-1") for name, server in servers.items()},
        CollectionFiles(collection) if collection else collection_files.own("load"),
        folder=folder / "load",
        log=folder / "log",
    )
