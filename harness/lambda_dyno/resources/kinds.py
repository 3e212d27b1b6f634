"""The kinds of resources that environments consist of: how to list, remove and name them.

One that is missing here is found by its tag only, and is then named and left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from lambda_dyno.core.results import Leftover

_BATCH = 1000  # objects that S3 deletes at once
_LOG_HOMES = ("/aws/lambda/", "/aws/vendedlogs/", "/aws/apigateway/", "/aws/states/")


@dataclass(frozen=True, slots=True)
class Found:
    """A resource that exists.

    Attributes:
        leftover: What it is, and the command that removes it.
        id: What its ARN has of it.
        delete: Removes it, or raises a ClientError.
    """

    leftover: Leftover
    id: str
    delete: Callable[[], object]


Look = Callable[[Any], Iterator[Found]]


def _rows(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page.get(key, ())


def _event_rules(session: Any) -> Iterator[Found]:
    client = session.client("events")
    for row in _rows(client, "list_rules", "Rules"):
        name = row["Name"]
        command = f"aws events delete-rule --force --name {name}  # its targets first"
        yield Found(
            Leftover("event rule", name, command), name, partial(_delete_rule, client, name)
        )


def _delete_rule(client: Any, name: str) -> None:
    rows = _rows(client, "list_targets_by_rule", "Targets", Rule=name)
    targets = [target["Id"] for target in rows]
    if targets:
        client.remove_targets(Rule=name, Ids=targets, Force=True)
    client.delete_rule(Name=name, Force=True)


def _state_machines(session: Any) -> Iterator[Found]:
    client = session.client("stepfunctions")
    for row in _rows(client, "list_state_machines", "stateMachines"):
        name, arn = row["name"], row["stateMachineArn"]
        command = f"aws stepfunctions delete-state-machine --state-machine-arn {arn}"
        yield Found(
            Leftover("state machine", name, command),
            name,
            partial(client.delete_state_machine, stateMachineArn=arn),
        )


def _rest_apis(session: Any) -> Iterator[Found]:
    client = session.client("apigateway")
    for row in _rows(client, "get_rest_apis", "items"):
        name, api_id = row["name"], row["id"]
        command = f"aws apigateway delete-rest-api --rest-api-id {api_id}"
        yield Found(
            Leftover("rest api", name, command),
            api_id,
            partial(client.delete_rest_api, restApiId=api_id),
        )


def _http_apis(session: Any) -> Iterator[Found]:
    """Yield HTTP and WebSocket APIs."""
    client = session.client("apigatewayv2")
    for row in _rows(client, "get_apis", "Items"):
        name, api_id = row["Name"], row["ApiId"]
        command = f"aws apigatewayv2 delete-api --api-id {api_id}"
        yield Found(
            Leftover("http api", name, command), api_id, partial(client.delete_api, ApiId=api_id)
        )


def _functions(session: Any) -> Iterator[Found]:
    client = session.client("lambda")
    for row in _rows(client, "list_functions", "Functions"):
        name = row["FunctionName"]
        command = f"aws lambda delete-function --function-name {name}"
        yield Found(
            Leftover("lambda function", name, command),
            name,
            partial(client.delete_function, FunctionName=name),
        )


def _roles(session: Any) -> Iterator[Found]:
    client = session.client("iam")
    for row in _rows(client, "list_roles", "Roles"):
        name = row["RoleName"]
        command = f"aws iam delete-role --role-name {name}  # its policies first"
        yield Found(Leftover("iam role", name, command), name, partial(_delete_role, client, name))


def _delete_role(client: Any, name: str) -> None:
    for policy in _rows(client, "list_role_policies", "PolicyNames", RoleName=name):
        client.delete_role_policy(RoleName=name, PolicyName=policy)
    rows = _rows(client, "list_attached_role_policies", "AttachedPolicies", RoleName=name)
    for policy in list(rows):
        client.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    client.delete_role(RoleName=name)


def _tables(session: Any) -> Iterator[Found]:
    client = session.client("dynamodb")
    for name in _rows(client, "list_tables", "TableNames"):
        command = f"aws dynamodb delete-table --table-name {name}"
        yield Found(
            Leftover("dynamodb table", name, command),
            name,
            partial(client.delete_table, TableName=name),
        )


def _buckets(session: Any) -> Iterator[Found]:
    client = session.client("s3")
    for row in client.list_buckets()["Buckets"]:
        name = row["Name"]
        command = f"aws s3 rb --force s3://{name}"
        yield Found(
            Leftover("s3 bucket", name, command), name, partial(_delete_bucket, client, name)
        )


def _delete_bucket(client: Any, name: str) -> None:
    keys = [
        {"Key": row["Key"]} for row in _rows(client, "list_objects_v2", "Contents", Bucket=name)
    ]
    for start in range(0, len(keys), _BATCH):
        client.delete_objects(Bucket=name, Delete={"Objects": keys[start : start + _BATCH]})
    client.delete_bucket(Bucket=name)


def _log_groups(session: Any) -> Iterator[Found]:
    return _listed_log_groups(session, [{"logGroupNamePrefix": home} for home in _LOG_HOMES])


def log_groups_with(session: Any, parts: Iterable[str]) -> Iterator[Found]:
    """Yield the log groups whose names have one of these parts.

    Accounts have thousands of log groups, and CloudWatch lists 50 at a time, ten times a second.
    """
    return _listed_log_groups(session, [{"logGroupNamePattern": part} for part in parts])


def _listed_log_groups(session: Any, questions: Iterable[dict[str, str]]) -> Iterator[Found]:
    client = session.client("logs")
    names: set[str] = set()
    for question in questions:
        rows = _rows(client, "describe_log_groups", "logGroups", **question)
        names |= {row["logGroupName"] for row in rows}
    for name in sorted(names):
        command = f"aws logs delete-log-group --log-group-name {name}"
        yield Found(
            Leftover("log group", name, command),
            name,
            partial(client.delete_log_group, logGroupName=name),
        )


# In the order in which they can go: what makes others make something comes first, log groups
# come last, because a function that still works makes its own again.
KINDS: dict[str, Look] = {
    "event rule": _event_rules,
    "state machine": _state_machines,
    "rest api": _rest_apis,
    "http api": _http_apis,
    "lambda function": _functions,
    "iam role": _roles,
    "dynamodb table": _tables,
    "s3 bucket": _buckets,
    "log group": _log_groups,
}

# What a list of KINDS decides, by an ARN from its service on. Rules of other buses than the
# default one and log groups outside of the homes above are in no list, so they are not here.
_LISTED = {
    "event rule": r"events:[^:]*:\d*:rule/([^/]+)",
    "state machine": r"states:[^:]*:\d*:stateMachine:([^:]+).*",
    "rest api": r"apigateway:[^:]*:\d*:/restapis/([^/]+).*",
    "http api": r"apigateway:[^:]*:\d*:/apis/([^/]+).*",
    "lambda function": r"lambda:[^:]*:\d*:function:([^:]+).*",
    "iam role": r"iam::\d*:role/(?:.*/)?([^/]+)",
    "dynamodb table": r"dynamodb:[^:]*:\d*:table/([^/]+).*",
    "s3 bucket": r"s3:::([^/]+)",
    "log group": rf"logs:[^:]*:\d*:log-group:((?:{'|'.join(_LOG_HOMES)})[^:]+).*",
}


def listed_as(arn: str) -> tuple[str, str] | None:
    """Return by which of KINDS, and as which `Found.id`, an ARN's resource is listed if it exists.

    A part of a resource, such as an API's stage, is there when the resource is. None is a kind
    that no list decides.
    """
    of_service = arn.split(":", 2)[-1]
    for kind, pattern in _LISTED.items():
        match = re.fullmatch(pattern, of_service)
        if match is not None:
            return kind, match[1]
    return None
