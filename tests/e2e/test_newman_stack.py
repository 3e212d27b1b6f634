"""The collections against the CRUD function behind a REST API of the embedded AWS."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.samples import read_samples
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.load import collection_files, load_test
from lambda_dyno.load.driver import Api, ApiCredentials
from lambda_dyno.load.drivers import newman
from tests.support import crud_stack
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def aws_session(embedded_aws: Any) -> LocalSession:
    """The server's own account: MiniStack looks there for the API of an unsigned request."""
    return LocalSession(embedded_aws)


@pytest.fixture(scope="module")
def deploy(aws_session: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A function that deploys the CRUD API, once per kind of authorization."""
    made: dict[str, crud_stack.CrudStack] = {}

    def get(authorization: str) -> crud_stack.CrudStack:
        if authorization not in made:
            folder = tmp_path_factory.mktemp("packages")
            made[authorization] = crud_stack.deploy(
                aws_session, folder, authorization=authorization
            )
        return made[authorization]

    return get


def keys(session: Any, stack: crud_stack.CrudStack, name: str, action: str) -> ApiCredentials:
    """Return the keys of a new role that may do one action on the API."""
    made = crud_stack.caller(session, stack, name, action)
    return ApiCredentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


def smoke(stack: crud_stack.CrudStack, credentials: ApiCredentials | None, folder: Path) -> Any:
    return newman.smoke(
        Api(stack.base_url, "us-east-1", credentials),
        collection_files.own("smoke"),
        log=folder / "smoke.log",
        timeout_s=HANGS_S,
    )


def items_in(session: Any, stack: crud_stack.CrudStack) -> int:
    return int(session.resource("dynamodb").Table(stack.table_name).scan(Select="COUNT")["Count"])


@pytest.mark.slow
@pytest.mark.parametrize("authorization", ["NONE", "AWS_IAM"])
def test_smoke_holds_and_cleans_up(
    authorization: str, deploy: Any, aws_session: Any, tmp_path: Path
) -> None:
    """Every operation and refusal of both forms, signed or not; no item is left."""
    stack = deploy(authorization)
    credentials = None
    if authorization == "AWS_IAM":
        credentials = keys(aws_session, stack, "smoke", "execute-api:Invoke")
    result = smoke(stack, credentials, tmp_path)
    assert result.failures == ()
    assert result.passed
    assert result.requests >= 50
    assert result.assertions > result.requests
    assert items_in(aws_session, stack) == 0


@pytest.mark.slow
def test_smoke_notices_an_api_that_answers_everybody(
    deploy: Any, aws_session: Any, tmp_path: Path
) -> None:
    """Whoever has keys expects that requests without them are refused."""
    stack = deploy("NONE")
    result = smoke(stack, keys(aws_session, stack, "trusting", "execute-api:Invoke"), tmp_path)
    (failure,) = result.failures
    assert failure.request == "an unsigned request"
    assert failure.assertion == "is refused where requests are signed"


@pytest.mark.slow
def test_smoke_names_what_does_not_hold(
    deploy: Any, aws_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function whose table is gone answers 500: the failures say where and what."""
    monkeypatch.setattr("lambda_dyno.load.driver._READY_HERE_S", 5.0)
    stack = deploy("NONE")
    lambdas = aws_session.client("lambda")
    lambdas.update_function_configuration(
        FunctionName=stack.function_name, Environment={"Variables": {"TABLE_NAME": "gone"}}
    )
    try:
        result = smoke(stack, None, tmp_path)
    finally:
        lambdas.update_function_configuration(
            FunctionName=stack.function_name,
            Environment={"Variables": {"TABLE_NAME": stack.table_name}},
        )
    assert not result.passed
    assert {failure.request for failure in result.failures} == {"the API answers"}
    assert "500" in result.failures[0].message


@pytest.mark.slow
def test_load_of_a_signed_api(deploy: Any, aws_session: Any, tmp_path: Path) -> None:
    """A short load test: no error, each user's items made and removed again."""
    stack = deploy("AWS_IAM")
    credentials = keys(aws_session, stack, "load", "execute-api:Invoke")
    result = load_test.run(
        LoadSettings(virtual_users=2, ramp_up_s=0.2, duration_s=1.0, pacing_ms=500),
        Api(stack.base_url, "us-east-1", credentials),
        collection_files.own("load"),
        label="current",
        memory_mb=1024,
        folder=tmp_path / "load",
    )
    assert result.errors_by_kind == {}
    samples = read_samples([tmp_path / "load" / "current.jsonl"])
    assert len(samples) == result.requests
    asked = Counter(sample.request for sample in samples)
    assert len(asked) == 10
    assert len(set(asked.values())) == 1, "every iteration was finished"
    assert items_in(aws_session, stack) == 0


@pytest.mark.slow
def test_load_without_permission_is_all_errors(
    deploy: Any, aws_session: Any, tmp_path: Path
) -> None:
    """Keys that may not invoke the API: refused with 403, which is no good answer."""
    stack = deploy("AWS_IAM")
    stranger = keys(aws_session, stack, "stranger", "s3:ListAllMyBuckets")

    api = Api(stack.base_url, "us-east-1", stranger)
    # who waits until the API is ready is told what it says
    log = tmp_path / "smoke.log"
    (failure,) = newman.smoke(
        api, collection_files.own("load"), log=log, timeout_s=HANGS_S, ready_s=1.5
    ).failures
    assert re.search(r"not ready .* 403 .*not authorized to perform", failure.message)
    result = load_test.run(
        LoadSettings(virtual_users=1, ramp_up_s=0.0, duration_s=0.5, pacing_ms=200),
        api,
        collection_files.own("load"),
        label="current",
        memory_mb=1024,
        folder=tmp_path / "load",
        ready_s=0.0,
    )
    assert result.error_ratio == 1
    assert set(result.errors_by_kind) == {"http_403"}
