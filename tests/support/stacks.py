"""CloudFormation stacks on the embedded AWS, as `aws cloudformation deploy` makes them.

What SAM, CDK and the Serverless Framework deploy is a template with code in S3, so this is how all
of them are deployed here.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.waiting import HANGS_S


def zipped(folder: Path) -> bytes:
    """Return a function's folder as a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.py")):
            archive.write(path, path.relative_to(folder).as_posix())
    return buffer.getvalue()


def upload(session: Any, bucket: str, content: bytes) -> dict[str, str]:
    """Put code into a bucket, made if it is missing; return where it is."""
    s3 = session.client("s3")
    if bucket not in {one["Name"] for one in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="code.zip", Body=content)
    return {"S3Bucket": bucket, "S3Key": "code.zip"}


def with_code(template: dict[str, Any], code: Mapping[str, str]) -> dict[str, Any]:
    """Return a template whose functions all have the same code, wherever theirs was."""
    changed: dict[str, Any] = json.loads(json.dumps(template))
    for resource in changed["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Code"] = dict(code)
    return changed


def with_routes(template: dict[str, Any]) -> dict[str, Any]:
    """Return a template whose HTTP APIs have routes in the place of an OpenAPI `Body`.

    That is how SAM declares them, and the embedded AWS's CloudFormation reads no `Body`.
    """
    changed: dict[str, Any] = json.loads(json.dumps(template))
    for name, resource in template["Resources"].items():
        body = resource["Properties"].get("Body", {})
        if resource["Type"] != "AWS::ApiGatewayV2::Api" or not body:
            continue
        properties = {"Name": body["info"]["title"], "ProtocolType": "HTTP"}
        changed["Resources"][name]["Properties"] = properties
        operations = [
            (path, method, operation)
            for path, methods in body["paths"].items()
            for method, operation in methods.items()
        ]
        for number, (path, method, operation) in enumerate(operations):
            found = operation["x-amazon-apigateway-integration"]
            changed["Resources"][f"{name}Integration{number}"] = {
                "Type": "AWS::ApiGatewayV2::Integration",
                "Properties": {
                    "ApiId": {"Ref": name},
                    "IntegrationType": found["type"].upper(),
                    "IntegrationUri": found["uri"],
                    "PayloadFormatVersion": found["payloadFormatVersion"],
                },
            }
            changed["Resources"][f"{name}Route{number}"] = {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {
                    "ApiId": {"Ref": name},
                    "RouteKey": f"{method.upper()} {path}",
                    "Target": {"Fn::Sub": f"integrations/${{{name}Integration{number}}}"},
                },
            }
    return changed


def deploy(
    session: Any, name: str, body: str, parameters: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Create a stack, wait until it is there, and return its outputs."""
    client = session.client("cloudformation")
    client.create_stack(
        StackName=name,
        TemplateBody=body,
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in (parameters or {}).items()
        ],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    stack = _ended(client, name)
    assert stack["StackStatus"] == "CREATE_COMPLETE", _why(client, name)
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())}


def delete(session: Any, name: str) -> None:
    """Delete a stack and wait until it is gone."""
    client = session.client("cloudformation")
    arn = client.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    client.delete_stack(StackName=name)
    assert _ended(client, arn)["StackStatus"] == "DELETE_COMPLETE", _why(client, arn)


def _ended(client: Any, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + HANGS_S
    while time.monotonic() < deadline:
        stack: dict[str, Any] = client.describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        time.sleep(0.1)
    raise AssertionError(f"{name} is not there after {HANGS_S} s")


def _why(client: Any, name: str) -> list[str]:
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    return [
        f"{one['LogicalResourceId']}: {one.get('ResourceStatusReason')}"
        for one in events
        if "FAILED" in one["ResourceStatus"]
    ]
