"""Look for what a teardown left behind: by name, service by service, and by tag.

A destroy that ends with status 0 says that Terraform is content, not that nothing is there:
a log group that a late log line made again is in no state file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import botocore.exceptions

from harness.results import Leftover

_Find = Callable[[Any, str], Iterator[Leftover]]


def find(session: Any, name_prefix: str, run_id: str) -> list[Leftover]:
    """Return all resources of a run that exist.

    Args:
        session: A boto3 session.
        name_prefix: First part of the names of everything in the environment.
        run_id: Value of the tag `dyno:run`.

    A service that cannot be asked is a leftover too: nobody knows.
    """
    found: list[Leftover] = []
    for kind, look in _LOOKS.items():
        try:
            found += look(session, name_prefix)
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            found.append(
                Leftover(f"unknown {kind}", f"{name_prefix}*", f"cannot be listed: {code}")
            )
    return found + _by_tag(session, name_prefix, run_id, {leftover.name for leftover in found})


def delete_log_groups(session: Any, leftovers: list[Leftover]) -> None:
    """Delete log groups that late log lines made again after Terraform had removed them."""
    logs = session.client("logs")
    for leftover in leftovers:
        if leftover.kind == "log group":
            logs.delete_log_group(logGroupName=leftover.name)


def _named(service: str, operation: str, rows: str, name: str, kind: str, remove: str) -> _Find:
    """Return a look at one service: list everything, keep what has the prefix."""

    def look(session: Any, name_prefix: str) -> Iterator[Leftover]:
        for page in session.client(service).get_paginator(operation).paginate():
            for row in page.get(rows, []):
                found = row[name] if name else row
                if found.startswith(f"{name_prefix}-") or found == name_prefix:
                    yield Leftover(kind, found, remove.format(**_fields(row, found)))

    return look


def _fields(row: Any, name: str) -> dict[str, Any]:
    return {"name": name, **(row if isinstance(row, dict) else {})}


def _log_groups(session: Any, name_prefix: str) -> Iterator[Leftover]:
    logs = session.client("logs")
    for home in ("/aws/lambda/", "/aws/vendedlogs/", "/aws/apigateway/", "/aws/states/"):
        pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=home)
        for page in pages:
            for group in page["logGroups"]:
                name = group["logGroupName"]
                if f"/{name_prefix}-" in name or name.endswith(f"/{name_prefix}"):
                    yield Leftover(
                        "log group", name, f"aws logs delete-log-group --log-group-name {name}"
                    )


def _buckets(session: Any, name_prefix: str) -> Iterator[Leftover]:
    for bucket in session.client("s3").list_buckets()["Buckets"]:
        name = bucket["Name"]
        if name.startswith(f"{name_prefix}-"):
            yield Leftover("s3 bucket", name, f"aws s3 rb --force s3://{name}")


_LOOKS: dict[str, _Find] = {
    "lambda function": _named(
        "lambda",
        "list_functions",
        "Functions",
        "FunctionName",
        "lambda function",
        "aws lambda delete-function --function-name {name}",
    ),
    "dynamodb table": _named(
        "dynamodb",
        "list_tables",
        "TableNames",
        "",
        "dynamodb table",
        "aws dynamodb delete-table --table-name {name}",
    ),
    "rest api": _named(
        "apigateway",
        "get_rest_apis",
        "items",
        "name",
        "rest api",
        "aws apigateway delete-rest-api --rest-api-id {id}",
    ),
    "state machine": _named(
        "stepfunctions",
        "list_state_machines",
        "stateMachines",
        "name",
        "state machine",
        "aws stepfunctions delete-state-machine --state-machine-arn {stateMachineArn}",
    ),
    "iam role": _named(
        "iam",
        "list_roles",
        "Roles",
        "RoleName",
        "iam role",
        "aws iam delete-role --role-name {name}  # its policies first",
    ),
    "event rule": _named(
        "events",
        "list_rules",
        "Rules",
        "Name",
        "event rule",
        "aws events delete-rule --force --name {name}  # its targets first",
    ),
    "log group": _log_groups,
    "s3 bucket": _buckets,
}


def _by_tag(session: Any, name_prefix: str, run_id: str, known: set[str]) -> list[Leftover]:
    """Return resources of kinds that nobody thought of, by their tag."""
    client = session.client("resourcegroupstaggingapi")
    try:
        pages = client.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": "dyno:run", "Values": [run_id]}]
        )
        arns = [row["ResourceARN"] for page in pages for row in page["ResourceTagMappingList"]]
    except botocore.exceptions.ClientError:
        return []  # no permission to ask by tag; the look by name has been made
    # The tagging index of AWS forgets slowly: what the services themselves no longer list
    # (their names carry the prefix) is gone.
    return [
        Leftover("tagged resource", arn, "see the ARN's service")
        for arn in arns
        if name_prefix not in arn and not any(name in arn for name in known)
    ]
