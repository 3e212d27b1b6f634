"""What lets a test in, and does not last: secrets, tokens that end in 2 s, keys that rotate."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lambda_dyno.core.asked_settings import OAuth2Settings
from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.load import load_test
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api, ApiCredentials
from lambda_dyno.load.drivers import newman
from tests.support import token_server
from tests.support.postman_files import auth, collection, is_status, request, script, write
from tests.support.token_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    REFRESH,
    USER,
    TokenServer,
)
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.e2e

SLOW = pytest.mark.slow
BEARER = auth("bearer", token="{{token}}")


@pytest.fixture
def api() -> Iterator[TokenServer]:
    with token_server.running() as server:
        yield server


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    monkeypatch.setenv("SHOP_REFRESH", REFRESH)


def load(api: TokenServer, files: CollectionFiles, folder: Path, **settings: Any) -> Any:
    asked: dict[str, Any] = {"virtual_users": 1, "ramp_up_s": 0.0, "duration_s": 3.0}
    credentials, ready_s = settings.pop("credentials", None), settings.pop("ready_s", 5.0)
    return load_test.run(
        LoadSettings(**asked | {"pacing_ms": 50} | settings),
        Api(api.url, "eu-west-1", credentials),
        files,
        label="current",
        memory_mb=128,
        folder=folder / "load",
        ready_s=ready_s,
    )


def smoke(api: TokenServer, files: CollectionFiles, folder: Path) -> Any:
    return newman.smoke(
        Api(api.url, "eu-west-1"), files, log=folder / "smoke.log", timeout_s=HANGS_S, ready_s=5.0
    )


def oauth2(api: TokenServer, **keys: str) -> dict[str, OAuth2Settings]:
    of_client = {"client_id": CLIENT_ID, "client_secret": "env:SHOP_SECRET"}
    return {"token": OAuth2Settings(token_url=f"{api.url}/token", **{**of_client, **keys})}  # type: ignore[arg-type]


def items(*, of: str = "/items", **others: Any) -> dict[str, Any]:
    return collection(request("list", f"{{{{baseUrl}}}}{of}", is_status(200)), **others)


GRANTS: dict[str, dict[str, str]] = {
    "client_credentials": {"scope": "read write", "audience": "shop"},
    # pragma: allowlist nextline secret: where it is
    "password": {"grant": "password", "username": USER, "password": "env:SHOP_PASSWORD"},
    "refresh_token": {"grant": "refresh_token", "refresh_token": "env:SHOP_REFRESH"},
}


@pytest.mark.parametrize(
    "grant",
    [name if name == "refresh_token" else pytest.param(name, marks=SLOW) for name in GRANTS],
)
def test_tokens_that_live_2_s_are_renewed_under_load(
    api: TokenServer, tmp_path: Path, grant: str
) -> None:
    """No request goes with one that is over, and a refresh token that is used up is not used."""
    files = CollectionFiles(
        write(tmp_path / "mine.json", items(auth=BEARER)), oauth2=oauth2(api, **GRANTS[grant])
    )
    result = load(api, files, tmp_path)
    assert result.requests > 10
    assert result.errors == 0, result.errors_by_kind
    assert {given for given, _ in api.given} == {grant}
    assert len(api.given) >= 3
    require_nowhere(tmp_path, api)


@SLOW
@pytest.mark.parametrize("client_authentication", ["header", "body"])
def test_a_collections_own_oauth2_is_carried_out(
    api: TokenServer, tmp_path: Path, client_authentication: str
) -> None:
    """As Postman does it, and Newman does not: a token server, and no token."""
    own = auth(
        "oauth2",
        accessTokenUrl="{{baseUrl}}/token",
        grant_type="client_credentials",
        clientId=CLIENT_ID,
        clientSecret="{{shopSecret}}",
        client_authentication=client_authentication,
        addTokenTo="header",
    )
    # pragma: allowlist nextline secret: where it is
    secrets = {"shopSecret": "env:SHOP_SECRET"}
    files = CollectionFiles(write(tmp_path / "mine.json", items(auth=own)), secrets=secrets)
    assert smoke(api, files, tmp_path).passed
    result = load(api, files, tmp_path)
    assert (result.errors, len(api.given) >= 3) == (0, True)
    require_nowhere(tmp_path, api)


def test_a_token_that_is_not_to_be_had_is_said(api: TokenServer, tmp_path: Path) -> None:
    """With the server's answer, and without any secret."""
    api.refuse = True
    files = CollectionFiles(write(tmp_path / "mine.json", items(auth=BEARER)), oauth2=oauth2(api))
    with pytest.raises(StepError, match=r"no token from http://.*/token: 401 invalid_client") as e:
        smoke(api, files, tmp_path)
    assert CLIENT_SECRET not in str(e.value)
    require_nowhere(tmp_path, api)


@SLOW
def test_a_server_that_fails_for_a_while_is_asked_again(api: TokenServer, tmp_path: Path) -> None:
    """The requests meanwhile are what they are: refused, and counted."""
    files = CollectionFiles(write(tmp_path / "mine.json", items(auth=BEARER)), oauth2=oauth2(api))
    api.strict, api.missed = True, 3
    result = load(api, files, tmp_path, duration_s=8.0, ready_s=0.0)
    assert set(result.errors_by_kind) == {"http_401"}
    assert result.errors_by_kind["http_401"] >= 3
    assert len(api.given) >= 2
    said = (tmp_path / "load" / "current.log").read_text()
    assert "503 temporarily_unavailable; trying again" in said


@pytest.mark.parametrize("kept", [pytest.param(False, marks=SLOW), True])
def test_keys_that_rotate_sign_all_requests(
    api: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    """A role's end after an hour, these after a second; the driver has new ones without a stop."""
    numbers = iter(range(1, 1000))

    def newest() -> ApiCredentials:
        number = next(numbers)
        keys = ApiCredentials(f"AKID{number}", f"s3cret-key-{number}", f"t0ken-of-{number}", newest)
        api.keys = {f"AKID{number}", f"AKID{number - 1}"}  # AWS's own overlap, too
        return keys

    monkeypatch.setattr(newman, "_RENEW_S", 0.5)
    sigv4 = auth(
        "awsv4",
        accessKey="{{accessKey}}",
        secretKey="{{secretKey}}",
        sessionToken="{{sessionToken}}",
        region="{{region}}",
        service="execute-api",
    )
    files = CollectionFiles(write(tmp_path / "mine.json", items(of="/signed", auth=sigv4)))
    credentials = newest()
    if kept:
        with newman.prepared(Api(api.url, "eu-west-1", credentials)):
            result = load(api, files, tmp_path, credentials=credentials, duration_s=2.0)
    else:
        result = load(api, files, tmp_path, credentials=credentials, duration_s=3.0)
    assert result.requests > 10
    assert result.errors == 0, result.errors_by_kind
    assert next(numbers) > 3
    written = everything_in(tmp_path)
    assert [one for one in ("s3cret-key-", "t0ken-of-") if one in written] == []


def test_a_secret_is_in_nothing_that_is_written(
    api: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failing assertions quote it, a path has it, a script prints it; processes do not name it."""
    secret = "s3cret of/the+shop%"  # pragma: allowlist secret
    monkeypatch.setenv("SHOP_TOKEN", secret)
    quoting = script(
        "test",
        "console.error(pm.variables.get('token'));",
        "pm.test('token ' + pm.variables.get('token'), () =>",
        "  pm.expect(pm.variables.get('token')).to.eql('x'));",
        "throw new Error(encodeURIComponent(pm.variables.get('token')));",
    )
    nameless = request("", "{{baseUrl}}/open/{{token}}?t={{token}}")
    whole = collection(request("quotes", "{{baseUrl}}/open/list", quoting), nameless)
    environment = write(tmp_path / "env.json", {"values": [{"key": "token", "value": "theirs"}]})
    files = CollectionFiles(
        write(tmp_path / "mine.json", whole),
        environment=environment,
        secrets={"token": "env:SHOP_TOKEN"},
    )
    arguments: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            for process in psutil.Process().children(recursive=True):
                try:
                    arguments.update(process.cmdline())
                except psutil.Error:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        found = smoke(api, files, tmp_path)
        result = load(api, files, tmp_path, duration_s=1.0)
        told = newman.record(
            Api(api.url, "eu-west-1"), files, log=tmp_path / "r.log", timeout_s=HANGS_S, ready_s=0.0
        )
    finally:
        over.set()
        watcher.join()
    assert any("/open/" in path and path != "/open/list" for path, _ in api.answers)
    assert "<token>" in json.dumps([failure.message for failure in found.failures])
    assert result.errors_by_kind.keys() == {"assertion"}
    assert secret in told.secrets  # so that it is taken out of the workload
    shown = f"{found}{result}{arguments}{everything_in(tmp_path)}"
    assert "open/list" in everything_in(tmp_path) or "quotes" in everything_in(tmp_path)
    for form in (secret, "s3cret of", "s3cret%20of", "of/the+shop", "of%2Fthe%2Bshop"):
        assert form not in shown


def test_a_secret_that_is_missing_is_one_line_before_anything_is_asked(
    api: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names table, key and variable."""
    monkeypatch.delenv("SHOP_SECRET")
    files = CollectionFiles(write(tmp_path / "mine.json", items(auth=BEARER)), oauth2=oauth2(api))
    with pytest.raises(UserError) as caught:
        smoke(api, files, tmp_path)
    assert str(caught.value) == (
        "dyno.toml: [oauth2.token] client_secret: the environment variable SHOP_SECRET is not set"
    )
    assert api.answers == api.given == []


def everything_in(folder: Path) -> str:
    """Return the names and texts of all files in a folder, but for what the test itself wrote."""
    own = ("mine.json", "env.json")
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in own]
    return "\n".join(f"{path}\n{path.read_bytes().decode('utf-8', 'replace')}" for path in files)


def require_nowhere(folder: Path, api: TokenServer) -> None:
    """Make sure that no secret and no token is in what was written."""
    written = everything_in(folder)
    secrets = [CLIENT_SECRET, PASSWORD, REFRESH, *api.tokens, os.environ["SHOP_SECRET"]]
    assert [secret for secret in secrets if secret in written] == []
