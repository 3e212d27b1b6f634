"""An API in an account of its own on a shared embedded AWS, and the driver's own ceiling."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.emulator.server import LocalServer
from lambda_dyno.load import ceiling, collection_files
from lambda_dyno.load.driver import Api, ApiCredentials
from lambda_dyno.load.drivers import newman
from lambda_dyno.load.machine import usable_cores
from tests.support import crud_stack
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.e2e


def test_a_signature_says_whose_api_is_meant(
    embedded_aws: LocalServer, aws_session: LocalSession, tmp_path: Path
) -> None:
    """Unsigned requests only reach the server's own account; signed ones the worker's."""
    stack = crud_stack.deploy(aws_session, tmp_path, authorization="NONE")

    keys = ApiCredentials(aws_session.account_id, embedded_aws.secret)
    result = newman.smoke(
        Api(stack.base_url, "us-east-1", keys),
        collection_files.own("smoke"),
        log=tmp_path / "smoke.log",
        timeout_s=HANGS_S,
    )
    assert result.failures == ()
    assert result.passed
    assert requests.get(f"{stack.base_url}/items", timeout=HANGS_S).status_code == 404


@pytest.mark.slow
def test_the_ceiling_is_measured_once_per_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some hundred requests per second and core, kept for the next time."""
    monkeypatch.setattr(ceiling, "_SECONDS", 1.0)
    collection = collection_files.own("load")
    found = ceiling.requests_per_s(tmp_path, collection, signed=False)
    assert found is not None
    assert 20 < found / usable_cores() < 2000
    (kept,) = json.loads((tmp_path / "driver-ceiling.json").read_text()).values()
    assert kept["requests_per_s"] == found
    kept["requests_per_s"] = 4711.0
    (key,) = json.loads((tmp_path / "driver-ceiling.json").read_text())
    (tmp_path / "driver-ceiling.json").write_text(json.dumps({key: kept}))
    assert ceiling.requests_per_s(tmp_path, collection, signed=False) == 4711.0
