"""HTTP APIs and function URLs on the embedded AWS, by the addresses that AWS gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from lambda_dyno.aws import accounts
from lambda_dyno.core.config import LoadSettings
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.emulator.server import LocalServer
from lambda_dyno.load import load_test
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api, ApiCredentials
from lambda_dyno.load.drivers import newman
from tests.conftest import DeployFunction
from tests.support.postman_files import auth, collection, request, script, write
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.e2e

FUNCTION = """
import json

def handler(event, context):
    path = event["rawPath"]
    return {"statusCode": 404 if path == "/nothing" else 200, "body": json.dumps({"path": path})}
"""
KINDS = ["HTTP API", "its stage", "a named stage", "function URL"]


@pytest.fixture(scope="module")
def addresses(embedded_aws: LocalServer, deploy_function: DeployFunction) -> dict[str, str]:
    """What Terraform's resources give out: `api_endpoint`, `invoke_url`, `function_url`."""
    session = LocalSession(embedded_aws)  # unsigned requests reach the server's own account only
    deploy_function(session, "web", FUNCTION)
    function = session.client("lambda")
    for action, of_url in (
        ("InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
        ("InvokeFunction", {}),
    ):
        function.add_permission(
            FunctionName="web",
            StatementId=action,
            Action=f"lambda:{action}",
            Principal="*" if of_url else "apigateway.amazonaws.com",
            **of_url,
        )
    url = function.create_function_url_config(FunctionName="web", AuthType="NONE")["FunctionUrl"]
    endpoint, api_id = http_api(session)
    host = f"https://{api_id}.execute-api.{session.region_name}.amazonaws.com"
    return dict(zip(KINDS, [endpoint, f"{host}/", f"{host}/v1", url], strict=True))


def http_api(session: LocalSession, authorization: str = "NONE") -> tuple[str, str]:
    """Make an HTTP API before the function, with the default and a named stage.

    Returns:
        Its `api_endpoint` and its id.
    """
    arn = session.client("lambda").get_function(FunctionName="web")["Configuration"]["FunctionArn"]
    gateway = session.client("apigatewayv2")
    api = gateway.create_api(Name="web", ProtocolType="HTTP")
    where = {"ApiId": api["ApiId"]}
    integration = gateway.create_integration(
        **where, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    gateway.create_route(
        **where,
        RouteKey="$default",
        Target=f"integrations/{integration}",
        AuthorizationType=authorization,
    )
    for stage in ("$default", "v1"):
        gateway.create_stage(**where, StageName=stage, AutoDeploy=True)
    return str(api["ApiEndpoint"]), str(api["ApiId"])


def asks(path: Path, **others: Any) -> Path:
    """Write a collection that asks below the address, and the address itself."""
    says = "pm.test('path', () => pm.expect(pm.response.json().path).to.equal('{}'));"
    items = [
        request("below", "{{baseUrl}}/a/b?c=d", script("test", says.format("/a/b"))),
        request("itself", "{{baseUrl}}", script("test", says.format("/"))),
    ]
    return write(path, collection(*items, **others))


@pytest.fixture
def reached(embedded_aws: LocalServer, addresses: dict[str, str], kind: str) -> str:
    """An address as the harness asks it."""
    account = accounts.embedded(embedded_aws.environment(), embedded_aws.account_id, "us-east-1")
    return account.reachable(addresses[kind])


@pytest.mark.parametrize(
    "kind", [KINDS[0], *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])]
)
def test_an_address_is_reached(embedded_aws: LocalServer, reached: str, tmp_path: Path) -> None:
    """By plain requests, and by the smoke test, which waits until it is ready."""
    assert reached.startswith(f"{embedded_aws.endpoint}/_aws/")
    assert requests.get(reached, timeout=HANGS_S).json() == {"path": "/"}
    assert requests.get(f"{reached.rstrip('/')}/nothing", timeout=HANGS_S).status_code == 404
    result = newman.smoke(
        Api(reached, "us-east-1"),
        CollectionFiles(asks(tmp_path / "c.json")),
        log=tmp_path / "smoke.log",
        timeout_s=HANGS_S,
    )
    assert result.passed, result.first_failure
    assert result.requests == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["HTTP API", "function URL"])
def test_an_address_is_loaded(reached: str, tmp_path: Path) -> None:
    """With the time there and back."""
    result = load_test.run(
        LoadSettings(virtual_users=1, ramp_up_s=0.0, duration_s=1.0, pacing_ms=200),
        Api(reached, "us-east-1"),
        CollectionFiles(asks(tmp_path / "c.json")),
        label="x",
        memory_mb=128,
        folder=tmp_path / "load",
    )
    assert result.errors == 0 < result.requests
    assert result.round_trip_ms is not None


def test_a_signed_http_api_is_reached(
    aws_session: LocalSession,
    embedded_aws: LocalServer,
    deploy_function: DeployFunction,
    tmp_path: Path,
) -> None:
    """A signature is of the address as it is reached."""
    deploy_function(aws_session, "web", FUNCTION)
    endpoint, _ = http_api(aws_session, "AWS_IAM")
    aws_session.client("lambda").add_permission(
        FunctionName="web",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    account = accounts.embedded(embedded_aws.environment(), aws_session.account_id, "us-east-1")
    url = account.reachable(endpoint)
    keys = {
        name: f"{{{{{name}}}}}" for name in ("accessKey", "secretKey", "sessionToken", "region")
    }
    collection = asks(tmp_path / "c.json", auth=auth("awsv4", service="execute-api", **keys))
    result = newman.smoke(
        Api(url, "us-east-1", ApiCredentials(aws_session.account_id, embedded_aws.secret)),
        CollectionFiles(collection),
        log=tmp_path / "smoke.log",
        timeout_s=HANGS_S,
    )
    assert result.passed, result.first_failure
