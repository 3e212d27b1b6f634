"""A workload recorded by Newman from real APIs, and what the function makes of its events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from lambda_dyno.aws import accounts, apis
from lambda_dyno.compare.events import Events
from lambda_dyno.compare.invocations import invoke
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.emulator.meter import AnswerCount, set_mode
from lambda_dyno.emulator.server import LocalServer
from lambda_dyno.load import collection_files
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api
from lambda_dyno.load.drivers import newman
from lambda_dyno.tune.recorded_workload import Made, workload_of
from lambda_dyno.tuner_contract.workload import Workload
from tests.conftest import DeployFunction
from tests.support import crud_stack
from tests.support.asked_server import AskedServer, running
from tests.support.postman_files import auth, collection, request, script, write
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.e2e

# What it is sent is its answer.
ECHO = """
import json

def handler(event, context):
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"},
            "body": json.dumps({"event": event})}
"""
KINDS = ["REST API", "HTTP API", "a stage of an HTTP API", "function URL"]
MADE_BY_THE_API = {"headers", "multiValueHeaders", "cookies", "requestContext", "stageVariables"}
BODY = {"mode": "raw", "raw": '{"n": 1}', "options": {"raw": {"language": "json"}}}


@pytest.fixture(scope="module")
def session(embedded_aws: LocalServer) -> LocalSession:
    """Unsigned requests reach the server's own account only."""
    return LocalSession(embedded_aws)


@pytest.fixture(scope="module")
def account(embedded_aws: LocalServer) -> accounts.Account:
    return accounts.embedded(embedded_aws.environment(), embedded_aws.account_id, "us-east-1")


@pytest.fixture(scope="module")
def urls(session: LocalSession, deploy_function: DeployFunction) -> dict[str, str]:
    """The echo behind each kind of API."""
    deploy_function(session, "echo", ECHO)
    function = session.client("lambda")
    arn = function.get_function(FunctionName="echo")["Configuration"]["FunctionArn"]
    function.add_permission(
        FunctionName="echo",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    function.add_permission(
        FunctionName="echo",
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    url = function.create_function_url_config(FunctionName="echo", AuthType="NONE")["FunctionUrl"]
    gateway = session.client("apigatewayv2")
    api_id = gateway.create_api(Name="echo", ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    for key in ("GET /things/{id}", "$default"):
        gateway.create_route(ApiId=api_id, RouteKey=key, Target=f"integrations/{integration}")
    for stage in ("$default", "v1"):
        gateway.create_stage(ApiId=api_id, StageName=stage, AutoDeploy=True)
    host = f"https://{api_id}.execute-api.{session.region_name}.amazonaws.com"
    rest = rest_api(session, arn)
    return dict(zip(KINDS, [rest, f"{host}/", f"{host}/v1", url], strict=True))


def rest_api(session: LocalSession, arn: str) -> str:
    gateway = session.client("apigateway")
    api_id = gateway.create_rest_api(name="echo")["id"]
    root = gateway.get_resources(restApiId=api_id)["items"][0]["id"]
    things = gateway.create_resource(restApiId=api_id, parentId=root, pathPart="things")["id"]
    thing = gateway.create_resource(restApiId=api_id, parentId=things, pathPart="{id}")["id"]
    rest = gateway.create_resource(restApiId=api_id, parentId=root, pathPart="{proxy+}")["id"]
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    for resource in (thing, rest):
        where = {"restApiId": api_id, "resourceId": resource, "httpMethod": "ANY"}
        gateway.put_method(**where, authorizationType="NONE")
        gateway.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    gateway.create_deployment(restApiId=api_id, stageName="v1")
    return f"{session.endpoint}/_aws/execute-api/{api_id}/v1"


def recorded(url: str, account: accounts.Account, files: Path, folder: Path, **given: Any) -> Made:
    reached = account.reachable(url)
    log = folder / "workload.log"
    recording = newman.record(
        Api(reached, "us-east-1"), CollectionFiles(files), log=log, timeout_s=HANGS_S, **given
    )
    return workload_of(recording, apis.form_of(reached, account), safe=given.get("safe"))


def leave_to_the_embedded_aws(event: dict[str, Any]) -> None:
    """Take out in what it differs from AWS: it decodes paths, and sorts queries.

    A REST API of AWS tells no version, and of several values the last; an HTTP API tells its stage.
    """
    for name in ("path", "rawPath"):
        if name in event:
            event[name] = unquote(event[name]).removeprefix("/v1")
    if event.get("pathParameters"):
        values = event["pathParameters"].items()
        event["pathParameters"] = {name: unquote(value) for name, value in values}
    if "resource" in event:
        event.pop("version", None)
        event.pop("queryStringParameters")
        event["requestContext"]["path"] = unquote(event["requestContext"]["path"])
    elif event["rawQueryString"]:
        event["rawQueryString"] = sorted(event["rawQueryString"].split("&"))
    if "http" in event["requestContext"]:
        event["requestContext"]["http"]["path"] = event["rawPath"]


@pytest.mark.parametrize(
    "kind",
    [KINDS[0], *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:3]), KINDS[3]],
)
def test_an_event_is_what_the_api_sends(
    urls: dict[str, str], account: accounts.Account, kind: str, tmp_path: Path
) -> None:
    """GIVEN a function that answers with its event THEN the recorded event is the same one."""
    items = [
        request(
            "thing", "{{baseUrl}}/things/a%20b?x=1&y=&x=2", header=[{"key": "X-One", "value": "1"}]
        ),
        request("other", "{{baseUrl}}/deep/er", method="POST", body=BODY),
        request(
            "form",
            "{{baseUrl}}/form",
            method="PUT",
            body={"mode": "urlencoded", "urlencoded": [{"key": "a", "value": "b c"}]},
        ),
    ]
    path = write(tmp_path / "c.json", collection(*items))
    reached = account.reachable(urls[kind])
    recording = newman.record(
        Api(reached, "us-east-1"), CollectionFiles(path), log=tmp_path / "x.log", timeout_s=HANGS_S
    )
    made = workload_of(recording, apis.form_of(reached, account))
    (sequence,) = made.workload["requests"]
    for sent, one in zip(recording.iterations[0], sequence["sequence"], strict=True):
        real, event = json.loads(sent.answer)["event"], one["event"]
        for one_of in (real, event):
            leave_to_the_embedded_aws(one_of)
        for key in real.keys() - MADE_BY_THE_API:
            assert event.get(key) == real[key], (one["name"], key)
        assert event.keys() - MADE_BY_THE_API <= real.keys()
        context, real_context = event["requestContext"], real["requestContext"]
        for key in ("stage", "resourcePath", "httpMethod", "path", "routeKey", "apiId"):
            assert context.get(key) == real_context.get(key), (one["name"], key)
        if "http" in real_context:
            assert context["http"]["method"] == real_context["http"]["method"]
            assert context["http"]["path"] == real_context["http"]["path"]
        names = {name.lower(): value for name, value in event["headers"].items()}
        real_names = {name.lower(): value for name, value in real["headers"].items()}
        for name in ("x-one", "content-type", "accept", "user-agent"):
            assert names.get(name) == real_names.get(name), (one["name"], name)


def test_the_load_of_this_project_touches_items_of_its_own(
    session: LocalSession, account: accounts.Account, tmp_path: Path
) -> None:
    """GIVEN the recorded iteration WHEN it is invoked 40 times THEN all is well and gone again."""
    stack = crud_stack.deploy(session, tmp_path, authorization="NONE")
    files = collection_files.own("load").collection
    made = recorded(stack.base_url, account, files, tmp_path)
    assert made.notes == ()
    workload = Workload.parse(made.workload)
    assert len(workload.requests) == 10
    client, events = session.client("lambda"), Events(None, workload)
    assert len(invoke(client, stack.function_name, events, 31)) == 40
    table = session.resource("dynamodb").Table(stack.table_name)
    assert table.scan(Select="COUNT")["Count"] == 0


@pytest.fixture
def server() -> Iterator[AskedServer]:
    with running() as found:
        yield found


SECRETIVE = collection(
    request(
        "login",
        "{{baseUrl}}/login",
        script("test", "pm.environment.set('token', pm.response.json().token);"),
        method="POST",
        body={"mode": "raw", "raw": '{"user": "me", "password": "{{password}}"}'},
    ),
    request("mine", "{{baseUrl}}/mine", auth=auth("bearer", token="{{token}}")),
    request("keyed", "{{baseUrl}}/keyed", auth=auth("apikey", key="X-Team", value="{{apiKey}}")),
    variable=[
        {"key": "password", "value": "p4ssw0rd-of-mine", "type": "secret"},
        {"key": "apiKey", "value": "k3y-of-mine", "type": "secret"},
    ],
)


def test_no_secret_reaches_the_workload_or_a_log(
    server: AskedServer, account: accounts.Account, tmp_path: Path
) -> None:
    """The server was told all of it; the files of the run know none of it."""
    server.bodies[200] = b'{"token": "t0k3n-of-the-login"}'
    made = recorded(server.url, account, write(tmp_path / "c.json", SECRETIVE), tmp_path)
    told = json.dumps([headers for _, _, headers in server.seen])
    assert "t0k3n-of-the-login" in told
    assert "k3y-of-mine" in told
    text = json.dumps([made.workload, made.notes])
    text += (tmp_path / "workload.log").read_text()
    for secret in ("p4ssw0rd-of-mine", "k3y-of-mine", "t0k3n-of-the-login"):
        assert secret not in text
    (sequence,) = made.workload["requests"]
    header = sequence["sequence"][1]["event"]["headers"]["Authorization"]
    assert header == "Bearer {{$response.0/body/token}}"


def test_nothing_that_writes_reaches_a_function_of_others(
    server: AskedServer, account: accounts.Account, tmp_path: Path
) -> None:
    """Not by a request, not by a script; what is named may."""
    sneaky = script(
        "prerequest",
        "const url = pm.environment.get('baseUrl') + '/by-script';",
        "pm.sendRequest({url, method: 'POST'}, () => {});",
    )
    items = [
        request("make", "{{baseUrl}}/make", method="POST"),
        request("list", "{{baseUrl}}/list", method="POST"),
        request("read", "{{baseUrl}}/read", sneaky),
    ]
    path = write(tmp_path / "c.json", collection(*items))
    made = recorded(server.url, account, path, tmp_path, safe=["list"])
    assert {path for _, path, _ in server.seen} == {"/list", "/read"}
    (sequence,) = made.workload["requests"]
    assert [one["name"] for one in sequence["sequence"]] == ["list", "read"]
    only = write(tmp_path / "d.json", collection(items[0]))
    assert recorded(server.url, account, only, tmp_path, safe=[]).workload == {"requests": []}


BUSY = """
import time

def handler(event, context):
    if event.get("rawPath") == "/late":
        end = time.perf_counter() + 0.05
        while time.perf_counter() < end:
            time.sleep(0)
    return {"statusCode": 200, "body": "{}"}
"""


def test_late_answers_are_counted(
    embedded_aws: LocalServer, session: LocalSession, deploy_function: DeployFunction
) -> None:
    """An answer cannot come before this machine has it: at 10,240 MB the model is as fast."""
    deploy_function(session, "busy", BUSY, MemorySize=128)
    client = session.client("lambda")
    count = AnswerCount(embedded_aws.home, "busy")
    for _ in range(5):
        client.invoke(FunctionName="busy", Payload=b"{}")
    found = count.since()
    assert (found.counted, found.cold) == (5, 1)
    assert found.late <= 1
    count.begin()
    client.invoke(FunctionName="busy", Payload=b"{}")
    assert (count.since().counted, count.since().cold) == (1, 0)
    set_mode(embedded_aws.home, "reported")
    try:
        client.invoke(FunctionName="busy", Payload=b"{}")
    finally:
        set_mode(embedded_aws.home, "felt")
    assert count.since().counted == 1  # nobody waits in this mode, so nobody waits too long


PASS = "Lambda-1769"  # pragma: allowlist secret


@pytest.fixture(scope="module")
def token(session: LocalSession) -> tuple[str, str, str]:
    """A user pool, and the token of a user who is in two groups."""
    cognito = session.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="people")["UserPool"]["Id"]
    client = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="web", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    person = {"UserPoolId": pool, "Username": "ann"}
    cognito.admin_create_user(
        **person, UserAttributes=[{"Name": "email", "Value": "ann@example.com"}]
    )
    cognito.admin_set_user_password(**person, Password=PASS, Permanent=True)
    for group in ("admins", "staff"):
        cognito.create_group(UserPoolId=pool, GroupName=group)
        cognito.admin_add_user_to_group(**person, GroupName=group)
    parameters = {"USERNAME": "ann", "PASSWORD": PASS}
    answer = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=client,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters=parameters,
    )
    return pool, client, str(answer["AuthenticationResult"]["IdToken"])


def with_authorizer(session: LocalSession, kind: str, url: str, pool: str, client: str) -> None:
    """Let an API take tokens of a user pool only."""
    if kind == "REST API":
        gateway = session.client("apigateway")
        api_id = url.split("/")[-2]
        made = gateway.create_authorizer(
            restApiId=api_id,
            name="people",
            type="COGNITO_USER_POOLS",
            identitySource="method.request.header.Authorization",
            providerARNs=[f"arn:aws:cognito-idp:us-east-1:{session.account_id}:userpool/{pool}"],
        )["id"]
        for resource in gateway.get_resources(restApiId=api_id)["items"]:
            for method in resource.get("resourceMethods") or {}:
                values = {"/authorizationType": "COGNITO_USER_POOLS", "/authorizerId": made}
                gateway.update_method(
                    restApiId=api_id,
                    resourceId=resource["id"],
                    httpMethod=method,
                    patchOperations=[
                        {"op": "replace", "path": path, "value": value}
                        for path, value in values.items()
                    ],
                )
        gateway.create_deployment(restApiId=api_id, stageName="v1")
        return
    gateway = session.client("apigatewayv2")
    api_id = url.removeprefix("https://").split(".")[0]
    made = gateway.create_authorizer(
        ApiId=api_id,
        Name="people",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={
            "Audience": [client],
            "Issuer": f"https://cognito-idp.us-east-1.amazonaws.com/{pool}",
        },
    )["AuthorizerId"]
    for route in gateway.get_routes(ApiId=api_id)["Items"]:
        gateway.update_route(
            ApiId=api_id,
            RouteId=route["RouteId"],
            AuthorizationType="JWT",
            AuthorizerId=made,
        )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["REST API", "HTTP API"])
def test_the_claims_of_a_token_are_those_that_the_api_passes_on(
    urls: dict[str, str],
    session: LocalSession,
    account: accounts.Account,
    token: tuple[str, str, str],
    kind: str,
    tmp_path: Path,
) -> None:
    """And the token is in no event."""
    pool, client, own = token
    with_authorizer(session, kind, urls[kind], pool, client)
    items = [request("thing", "{{baseUrl}}/things/a", auth=auth("bearer", token=own))]
    path = write(tmp_path / "c.json", collection(*items))
    reached = account.reachable(urls[kind])
    recording = newman.record(
        Api(reached, "us-east-1"), CollectionFiles(path), log=tmp_path / "x.log", timeout_s=HANGS_S
    )
    made = workload_of(recording, apis.form_of(reached, account))
    real = json.loads(recording.iterations[0][0].answer)["event"]["requestContext"]["authorizer"]
    (one,) = made.workload["requests"]
    found = one["event"]["requestContext"]["authorizer"]
    if kind == "HTTP API":
        real, found = real["jwt"], found["jwt"]
    assert found["claims"] == real["claims"]
    assert found["claims"]["email"] == "ann@example.com"
    assert found["claims"]["cognito:groups"] == "[admins staff]"
    assert own not in json.dumps(made.workload)
