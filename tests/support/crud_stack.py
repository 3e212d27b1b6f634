"""The CRUD API on the embedded AWS, deployed by boto3: Terraform would take 15 times as long."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_dyno.terraform.packages import build

ROOT = Path(__file__).parents[2]
STAGE = "v1"


@dataclass(frozen=True, slots=True)
class CrudStack:
    """What `deploy` made."""

    base_url: str
    table_name: str
    function_name: str
    api_arn: str  # start of the ARNs that execute-api:Invoke policies name


def deploy(session: Any, folder: Path, *, authorization: str, memory_mb: int = 1024) -> CrudStack:
    """Deploy table, function and REST API with the routes that modules/service gives it."""
    # of its own: which tests share a server is the scheduler's business
    name = f"crud-{authorization.lower().replace('_', '-')}-{secrets.token_hex(3)}"
    session.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    function_arn = _function(session, name, folder, memory_mb)
    api_id = _api(session, name, function_arn, authorization)
    region = session.region_name
    return CrudStack(
        base_url=f"{session.endpoint}/_aws/execute-api/{api_id}/{STAGE}",
        table_name=name,
        function_name=name,
        api_arn=f"arn:aws:execute-api:{region}:{session.account_id}:{api_id}/{STAGE}",
    )


def _function(session: Any, name: str, folder: Path, memory_mb: int) -> str:
    package = build(ROOT / "lambda" / "crud_api", folder / "crud_api.zip")
    iam = session.client("iam")
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=_trust({"Service": "lambda.amazonaws.com"})
    )
    iam.put_role_policy(RoleName=name, PolicyName="table", PolicyDocument=allow("dynamodb:*", "*"))
    function = session.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="crud_api.handler.handler",
        Code={"ZipFile": package.path.read_bytes()},
        MemorySize=memory_mb,
        Timeout=30,
        Environment={"Variables": {"TABLE_NAME": name}},
    )
    return str(function["FunctionArn"])


def _api(session: Any, name: str, function_arn: str, authorization: str) -> str:
    gateway = session.client("apigateway")
    api_id = str(gateway.create_rest_api(name=name)["id"])
    (root,) = gateway.get_resources(restApiId=api_id)["items"]
    ids = {"": root["id"]}
    routes = json.loads((ROOT / "modules" / "service" / "routes.json").read_text(encoding="utf-8"))
    for path in sorted(routes):
        parent, _, last = path.rpartition("/")
        made = gateway.create_resource(restApiId=api_id, parentId=ids[parent], pathPart=last)
        ids[path] = made["id"]
        where = {"restApiId": api_id, "resourceId": made["id"], "httpMethod": "ANY"}
        gateway.put_method(**where, authorizationType=authorization)
        gateway.put_integration(
            **where,
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:{session.region_name}:lambda:path/2015-03-31/functions/"
            f"{function_arn}/invocations",
        )
    gateway.create_deployment(restApiId=api_id, stageName=STAGE)
    session.client("lambda").add_permission(
        FunctionName=name,
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    return api_id


def caller(session: Any, stack: CrudStack, name: str, action: str) -> dict[str, str]:
    """Make a role that may do one action on the API; return its session's keys."""
    iam = session.client("iam")
    principal = {"AWS": f"arn:aws:iam::{session.account_id}:root"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_trust(principal))
    policy = allow(action, f"{stack.api_arn}/*")
    iam.put_role_policy(RoleName=name, PolicyName="api", PolicyDocument=policy)
    assumed = session.client("sts").assume_role(
        RoleArn=role["Role"]["Arn"], RoleSessionName="newman"
    )
    return dict(assumed["Credentials"])


def allow(action: str, resource: str) -> str:
    """Return a policy of one statement."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _trust(principal: dict[str, str]) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
