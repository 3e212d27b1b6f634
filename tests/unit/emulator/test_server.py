"""What a tool needs to reach an embedded AWS."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.emulator import server
from lambda_dyno.emulator.loopback import check_port
from lambda_dyno.runs.identity import identity

LOCAL = server.LocalServer("http://127.0.0.1:4566", 1, "000000000000", "eu-west-1", Path("home"))


def test_environment_points_at_the_server_and_its_account() -> None:
    """Endpoint, region and keys are all there; the access key is the account."""
    environment = LOCAL.environment()

    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert environment["AWS_ACCESS_KEY_ID"] == "000000000000"
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert LOCAL.environment("123456789012")["AWS_ACCESS_KEY_ID"] == "123456789012"


def test_environment_keeps_tools_from_other_credentials() -> None:
    """No instance metadata and none of the user's AWS files are asked."""
    environment = LOCAL.environment()

    assert environment["AWS_EC2_METADATA_DISABLED"] == "true"
    assert environment["AWS_CONFIG_FILE"] == "/dev/null"
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"


@pytest.mark.parametrize("account", ["", "12345678901", "1234567890123", "12345678901a"])
def test_wrong_account_is_refused(account: str) -> None:
    """An account id that is not 12 digits is the user's mistake."""
    with pytest.raises(UserError, match="12 digits"):
        server.check_account(account)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_concurrency_out_of_range_is_refused(tmp_path: Path, limit: int) -> None:
    """So many invocations at once cannot be, and nothing is started."""
    with pytest.raises(UserError, match=r"concurrency .*: must be 1 to 1000"):
        server.start(tmp_path / "home", account_concurrency=limit)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_port_out_of_range_is_refused(port: int) -> None:
    """A port that cannot exist is refused with the range."""
    with pytest.raises(UserError, match="1 to 65535"):
        check_port(port)


def test_folder_without_a_server_has_no_status(tmp_path: Path) -> None:
    """No folder, no state file or a broken one: no server, and nothing to stop."""
    assert server.status(tmp_path / "absent") is None
    assert server.stop(tmp_path / "absent") is False
    (tmp_path / "server.json").write_text("{half")
    assert server.status(tmp_path) is None
    assert server.stop(tmp_path) is False


def test_server_of_another_version_has_a_status(tmp_path: Path) -> None:
    """A state file with a key more or a key less is still that of a running server."""
    me = {"pid": os.getpid(), "identity": identity(os.getpid())}
    supervisor = {"supervisor_pid": me["pid"], "supervisor_identity": me["identity"]}
    where = {"endpoint": "http://127.0.0.1:1", "port": 1, "account_id": "0" * 12, "region": "r"}
    owner = {"owner_pid": None, "owner_identity": None}
    content = {**where, **me, **supervisor, **owner, "new": True}
    (tmp_path / "server.json").write_text(json.dumps(content))
    found = server.status(tmp_path)
    assert found is not None
    assert (found.pid, found.account_concurrency) == (me["pid"], server.ACCOUNT_CONCURRENCY)
    assert found.environment()["AWS_SECRET_ACCESS_KEY"] == server.UNCHECKED, "it checks none"


def test_the_secret_is_told_where_it_is_asked_for_and_nowhere_else() -> None:
    """In the environment of whoever is to use the server; not in what may be printed."""
    word = "of-this-server"
    local = replace(LOCAL, secret=word)
    assert local.environment("123456789012")["AWS_SECRET_ACCESS_KEY"] == word
    assert word not in repr(local) + json.dumps(local.to_json())


def test_log_tail_gives_the_last_lines(tmp_path: Path) -> None:
    """The end of the log, or nothing when there is none."""
    assert server.log_tail(tmp_path, 5) == ""
    (tmp_path / "server.log").write_text("one\ntwo\nthree\n")
    assert server.log_tail(tmp_path, 2) == "two\nthree"
