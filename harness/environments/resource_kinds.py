"""The kinds of resources that environments consist of: how to list, remove and name them.

One that is missing here is found by its tag only, and is then named and left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.results import Leftover

_BATCH = 1000  # objects that S3 deletes at once


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


Wanted = Callable[[str], bool]
Look = Callable[[Any, Wanted], Iterator[Found]]


def _rows(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page.get(key, ())


def _event_rules(session: Any, wanted: Wanted) -> Iterator[Found]:
    client = session.client("events")
    for row in _rows(client, "list_rules", "Rules"):
        name = row["Name"]
        if wanted(name):
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


def _state_machines(session: Any, wanted: Wanted) -> Iterator[Found]:
    client = session.client("stepfunctions")
    for row in _rows(client, "list_state_machines", "stateMachines"):
        name, arn = row["name"], row["stateMachineArn"]
        if wanted(name):
            command = f"aws stepfunctions delete-state-machine --state-machine-arn {arn}"
            yield Found(
                Leftover("state machine", name, command),
                name,
                partial(client.delete_state_machine, stateMachineArn=arn),
            )


def _rest_apis(session: Any, wanted: Wanted) -> Iterator[Found]:
    client = session.client("apigateway")
    for row in _rows(client, "get_rest_apis", "items"):
        name, api_id = row["name"], row["id"]
        if wanted(name):
            command = f"aws apigateway delete-rest-api --rest-api-id {api_id}"
            yield Found(
                Leftover("rest api", name, command),
                api_id,
                partial(client.delete_rest_api, restApiId=api_id),
            )


def _functions(session: Any, wanted: Wanted) -> Iterator[Found]:
    client = session.client("lambda")
    for row in _rows(client, "list_functions", "Functions"):
        name = row["FunctionName"]
        if wanted(name):
            command = f"aws lambda delete-function --function-name {name}"
            yield Found(
                Leftover("lambda function", name, command),
                name,
                partial(client.delete_function, FunctionName=name),
            )


def _roles(session: Any, wanted: Wanted) -> Iterator[Found]:
    client = session.client("iam")
    for row in _rows(client, "list_roles", "Roles"):
        name = row["RoleName"]
        if wanted(name):
            command = f"aws iam delete-role --role-name {name}  # its policies first"
            yield Found(
                Leftover("iam role", name, command), name, partial(_delete_role, client, name)
            )


def _delete_role(client: Any, name: str) -> None:
    for policy in _rows(client, "list_role_policies", "PolicyNames", RoleName=name):
        client.delete_role_policy(RoleName=name, PolicyName=policy)
    rows = _rows(client, "list_attached_role_policies", "AttachedPolicies", RoleName=name)
    for policy in list(rows):
        client.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    client.delete_role(RoleName=name)


def _tables(session: Any, wanted: Wanted) -> Iterator[Found]:
    client = session.client("dynamodb")
    for name in _rows(client, "list_tables", "TableNames"):
        if wanted(name):
            command = f"aws dynamodb delete-table --table-name {name}"
            yield Found(
                Leftover("dynamodb table", name, command),
                name,
                partial(client.delete_table, TableName=name),
            )


def _buckets(session: Any, wanted: Wanted) -> Iterator[Found]:
    client = session.client("s3")
    for row in client.list_buckets()["Buckets"]:
        name = row["Name"]
        if wanted(name):
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


def _log_groups(session: Any, wanted: Wanted) -> Iterator[Found]:
    client = session.client("logs")
    for home in ("/aws/lambda/", "/aws/vendedlogs/", "/aws/apigateway/", "/aws/states/"):
        for row in _rows(client, "describe_log_groups", "logGroups", logGroupNamePrefix=home):
            name = row["logGroupName"]
            if wanted(name):
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
    "lambda function": _functions,
    "iam role": _roles,
    "dynamodb table": _tables,
    "s3 bucket": _buckets,
    "log group": _log_groups,
}
