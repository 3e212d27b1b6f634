"""Functions and APIs that nobody of this project has deployed: made with boto3, of each kind."""

from __future__ import annotations

from typing import Any

from lambda_dyno.emulator.boto_session import LocalSession

KINDS = ("REST API", "HTTP API", "function URL")


def api_of(session: LocalSession, function: str, kind: str) -> str:
    """Make an API of a kind in front of a function, and return its address as AWS gives it out.

    It has the path /items.
    """
    client = session.client("lambda")
    arn = client.get_function_configuration(FunctionName=function)["FunctionArn"]
    if kind == "function URL":
        client.add_permission(
            FunctionName=function,
            StatementId="url",
            Action="lambda:InvokeFunctionUrl",
            Principal="*",
            FunctionUrlAuthType="NONE",
        )
        made = client.create_function_url_config(FunctionName=function, AuthType="NONE")
        return str(made["FunctionUrl"])
    client.add_permission(
        FunctionName=function,
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    return _http_api(session, arn) if kind == "HTTP API" else _rest_api(session, arn)


def _http_api(session: LocalSession, arn: str) -> str:
    gateway = session.client("apigatewayv2")
    api_id = gateway.create_api(Name="theirs", ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    gateway.create_route(ApiId=api_id, RouteKey="GET /items", Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
    return f"https://{api_id}.execute-api.{session.region_name}.amazonaws.com/"


def _rest_api(session: LocalSession, arn: str) -> str:
    gateway = session.client("apigateway")
    api_id = gateway.create_rest_api(name="theirs")["id"]
    root = gateway.get_resources(restApiId=api_id)["items"][0]["id"]
    items = gateway.create_resource(restApiId=api_id, parentId=root, pathPart="items")["id"]
    where = {"restApiId": api_id, "resourceId": items, "httpMethod": "GET"}
    gateway.put_method(**where, authorizationType="NONE")
    service = f"arn:aws:apigateway:{session.region_name}:lambda:path"
    uri = f"{service}/2015-03-31/functions/{arn}/invocations"
    gateway.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    gateway.create_deployment(restApiId=api_id, stageName="v1")
    return f"https://{api_id}.execute-api.{session.region_name}.amazonaws.com/v1/"


def as_it_is(session: LocalSession, function: str) -> dict[str, Any]:
    """Return all of an account that a run could change or leave behind."""
    client = session.client("lambda")
    config = client.get_function_configuration(FunctionName=function)
    versions = client.list_versions_by_function(FunctionName=function)["Versions"]
    return {
        "function": {k: v for k, v in config.items() if k not in _CHANGING},
        "versions": [one["Version"] for one in versions],
        "aliases": client.list_aliases(FunctionName=function)["Aliases"],
        "policy": client.get_policy(FunctionName=function)["Policy"],
        "functions": sorted(one["FunctionName"] for one in client.list_functions()["Functions"]),
        "roles": sorted(one["RoleName"] for one in session.client("iam").list_roles()["Roles"]),
        "machines": session.client("stepfunctions").list_state_machines()["stateMachines"],
        "buckets": [one["Name"] for one in session.client("s3").list_buckets()["Buckets"]],
        "rest": [one["id"] for one in session.client("apigateway").get_rest_apis()["items"]],
        "http": [one["ApiId"] for one in session.client("apigatewayv2").get_apis()["Items"]],
    }


_CHANGING = ("ResponseMetadata", "RevisionId", "LastModified")
