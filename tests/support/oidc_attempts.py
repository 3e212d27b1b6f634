"""What each role of GitHub's workflows is asked for, and must not do, as calls to try."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

# What IAM was asked in real runs, by role; test_oidc_roles.py writes it with DYNO_RECORD=1.
ASKED = Path(__file__).with_name("oidc_asked.json")

# Granted, and not asked in these runs: why, each.
_SIX = "AWS provider 6.23 and later has tags of buckets by S3 Control; 5.100 runs here"
OF_PROVIDER_SIX = dict.fromkeys(
    ("s3:ListTagsForResource", "s3:TagResource", "s3:UntagResource"), _SIX
)
NOT_ASKED = {
    "gate": {
        "cloudwatch:GetMetricStatistics": "a run that reckons with what CloudWatch counted",
        "lambda:GetAccountSettings": "a run in an account of AWS; an embedded one has no quotas",
        "lambda:InvokeFunction": "a run with a baseline invokes both versions for their cost",
        "lambda:ListAliases": "a run that is interrupted while it tunes looks what is left",
        "s3:DeleteObjectVersion": "a bucket in which an object is left is emptied by versions",
        "s3:ListBucketVersions": "a bucket in which an object is left is emptied by versions",
        **OF_PROVIDER_SIX,
        "states:StopExecution": "a run that is interrupted while it tunes stops that",
    },
    "deploy": {
        "dynamodb:UpdateContinuousBackups": "a release that protects the table",
        "dynamodb:UpdateTable": "a release that protects the table",
        "states:UpdateStateMachine": "a release with another tuner; here the tuner goes",
        **OF_PROVIDER_SIX,
    },
    "plan": {
        "s3:ListTagsForResource": OF_PROVIDER_SIX["s3:ListTagsForResource"],
        "states:ValidateStateMachineDefinition": "a plan with a new or another tuner; here it goes",
    },
    "tune": {
        "cloudwatch:GetMetricStatistics": "a tuning that reckons with CloudWatch's invocations",
        "lambda:GetAccountSettings": "a tuning in an account of AWS; an embedded one has no quotas",
        "lambda:ListAliases": "a tuning that is interrupted looks what is left",
        "lambda:ListVersionsByFunction": "a tuning that is interrupted looks what is left",
        "states:StopExecution": "a tuning that is interrupted stops the execution",
    },
}

Attempt = tuple[str, str, dict[str, Any]]  # service, operation, parameters

# Looks like an ephemeral environment's name; there is no such run.
GATE_RUN = "dyno-251120-0915-k3f9"
STANDING = "dyno-dev"

_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
_ALL = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
)


def _function(name: str, role: str, tags: Mapping[str, str]) -> Attempt:
    return (
        "lambda",
        "create_function",
        {
            "FunctionName": name,
            "Role": role,
            "Code": {"ZipFile": b"zip"},
            "Runtime": "python3.13",
            "Handler": "a.b",
            "Tags": dict(tags),
        },
    )


def _role(name: str, boundary: str | None, tags: Mapping[str, str]) -> Attempt:
    parameters: dict[str, Any] = {
        "RoleName": name,
        "AssumeRolePolicyDocument": _TRUST,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    if boundary:
        parameters["PermissionsBoundary"] = boundary
    return ("iam", "create_role", parameters)


def _of_nobody(names: Mapping[str, str]) -> Iterator[Attempt]:
    """What none of the roles may do."""
    bucket = names["bucket"]
    yield "iam", "create_user", {"UserName": "mallory"}
    yield "iam", "create_access_key", {"UserName": "mallory"}
    yield "iam", "list_users", {}
    own = {"RoleName": names["role"]}
    yield "iam", "put_role_policy", {**own, "PolicyName": "all", "PolicyDocument": _ALL}
    yield "iam", "delete_role_policy", {**own, "PolicyName": "own-work"}
    yield "iam", "update_assume_role_policy", {**own, "PolicyDocument": _TRUST}
    yield "iam", "delete_role", own
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    for role in (names["role"], f"{GATE_RUN}-crud-api", f"{STANDING}-crud-api"):
        yield "iam", "attach_role_policy", {"RoleName": role, "PolicyArn": admin}
        yield "iam", "delete_role_permissions_boundary", {"RoleName": role}
        yield (
            "iam",
            "put_role_permissions_boundary",
            {"RoleName": role, "PermissionsBoundary": admin},
        )
    if names["boundary"]:
        changed = {"PolicyArn": names["boundary"], "PolicyDocument": _ALL, "SetAsDefault": True}
        yield "iam", "create_policy_version", changed
        yield "iam", "delete_policy", {"PolicyArn": names["boundary"]}
    arn = names["deploy_role_arn"]
    yield "sts", "assume_role", {"RoleArn": arn, "RoleSessionName": "mallory"}

    yield "s3", "delete_bucket", {"Bucket": bucket}
    yield "s3", "put_bucket_policy", {"Bucket": bucket, "Policy": _ALL}
    yield (
        "s3",
        "put_bucket_versioning",
        {
            "Bucket": bucket,
            "VersioningConfiguration": {"Status": "Suspended"},
        },
    )
    key = "lambda-dyno/bootstrap/dev.tfstate"
    yield "s3", "get_object", {"Bucket": bucket, "Key": key}
    yield "s3", "put_object", {"Bucket": bucket, "Key": key, "Body": b"{}"}
    yield "s3", "delete_object", {"Bucket": bucket, "Key": key, "VersionId": "null"}
    yield "s3", "create_bucket", {"Bucket": "acme-data"}
    yield "s3", "list_objects_v2", {"Bucket": "acme-data"}

    yield "lambda", "invoke", {"FunctionName": "shop-orders"}
    yield "lambda", "delete_function", {"FunctionName": "shop-orders"}
    yield (
        "lambda",
        "update_function_configuration",
        {
            "FunctionName": "shop-orders",
            "MemorySize": 128,
        },
    )
    yield "dynamodb", "scan", {"TableName": "shop-orders"}
    yield "dynamodb", "scan", {"TableName": f"{STANDING}-items"}
    yield "dynamodb", "delete_table", {"TableName": "shop-orders"}
    yield "logs", "delete_log_group", {"logGroupName": "/aws/lambda/shop-orders"}
    yield "events", "delete_rule", {"Name": "shop-nightly"}
    machine = f"arn:aws:states:us-east-1:{names['account']}:stateMachine:shop"
    yield "stepfunctions", "start_execution", {"stateMachineArn": machine}
    api = names["foreign_api"]
    yield "apigateway", "get_rest_api", {"restApiId": api}
    yield "apigateway", "delete_rest_api", {"restApiId": api}
    yield "apigateway", "create_deployment", {"restApiId": api}
    yield "apigateway", "create_rest_api", {"name": f"{GATE_RUN}-api"}
    yield (
        "apigateway",
        "tag_resource",
        {
            "resourceArn": f"arn:aws:apigateway:us-east-1::/restapis/{api}",
            "tags": {"dyno:env": "dev", "dyno:expires": "2026-11-20T12:00:00+00:00"},
        },
    )
    # pragma: allowlist nextline secret: a name
    yield "secretsmanager", "get_secret_value", {"SecretId": "shop"}
    yield "ssm", "get_parameter", {"Name": "/shop/password"}
    yield "ec2", "describe_instances", {}


def _of_gate(names: Mapping[str, str]) -> Iterator[Attempt]:
    yield from _of_nobody(names)
    yield from _of_makers(names, GATE_RUN, {"dyno:env": "dev", "dyno:expires": "2026"})
    # what is deployed to stay
    yield from _touching(names, STANDING)
    yield (
        "lambda",
        "update_function_code",
        {
            "FunctionName": f"{GATE_RUN}-crud-api",
            "ZipFile": b"zip",
        },
    )


def _of_deploy(names: Mapping[str, str]) -> Iterator[Attempt]:
    yield from _of_nobody(names)
    yield from _of_makers(names, STANDING, {"dyno:env": "dev"})
    # what a pull request tries
    yield from _touching(names, GATE_RUN)


def _of_makers(names: Mapping[str, str], prefix: str, tags: dict[str, str]) -> Iterator[Attempt]:
    """What a role must not make under its own names."""
    roles = f"arn:aws:iam::{names['account']}:role"
    yield _function(f"{prefix}-mine", f"{roles}/admin", tags)
    yield _function(f"{prefix}-mine", f"{roles}/{prefix}-mine", {})
    yield _function(f"{prefix}-mine", f"{roles}/{prefix}-mine", {**tags, "dyno:env": "prod"})
    yield _function("shop-orders", f"{roles}/{prefix}-mine", tags)
    yield _role(f"{prefix}-mine", None, tags)
    yield _role(f"{prefix}-mine", "arn:aws:iam::aws:policy/AdministratorAccess", tags)
    yield _role(f"{prefix}-mine", names["boundary"], {})
    yield _role("admin", names["boundary"], tags)
    yield (
        "dynamodb",
        "create_table",
        {
            "TableName": f"{prefix}-items",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )
    yield "logs", "create_log_group", {"logGroupName": f"/aws/lambda/{prefix}-mine"}


def _touching(names: Mapping[str, str], prefix: str) -> Iterator[Attempt]:
    """What belongs to the environment of another role, seen or changed."""
    key = {
        STANDING: "lambda-dyno/dev/deployed.tfstate",
        GATE_RUN: f"lambda-dyno/dev/{GATE_RUN.removeprefix('dyno-')}.tfstate",
    }[prefix]
    state = {"Bucket": names["bucket"], "Key": key}
    yield "s3", "get_object", state
    yield "s3", "put_object", {**state, "Body": b"{}"}
    yield "s3", "delete_object", state
    yield "s3", "list_objects_v2", {"Bucket": f"{prefix}-packages-{names['account']}"}
    yield "lambda", "get_function", {"FunctionName": f"{prefix}-crud-api"}
    yield (
        "lambda",
        "update_function_configuration",
        {
            "FunctionName": f"{prefix}-crud-api",
            "MemorySize": 128,
        },
    )
    yield "dynamodb", "describe_table", {"TableName": f"{prefix}-items"}
    yield "dynamodb", "delete_table", {"TableName": f"{prefix}-items"}
    yield "iam", "get_role", {"RoleName": f"{prefix}-crud-api"}
    yield (
        "iam",
        "put_role_policy",
        {
            "RoleName": f"{prefix}-crud-api",
            "PolicyName": "own-work",
            "PolicyDocument": _ALL,
        },
    )
    yield "events", "delete_rule", {"Name": f"{prefix}-tuner-ended"}
    yield "logs", "delete_log_group", {"logGroupName": f"/aws/lambda/{prefix}-crud-api"}
    machine = f"arn:aws:states:us-east-1:{names['account']}:stateMachine:{prefix}-tuner"
    yield "stepfunctions", "start_execution", {"stateMachineArn": machine}
    yield "stepfunctions", "delete_state_machine", {"stateMachineArn": machine}


def _of_plan(names: Mapping[str, str]) -> Iterator[Attempt]:
    yield from _of_nobody(names)
    yield from _of_makers(names, STANDING, {"dyno:env": "dev"})
    yield from _touching(names, GATE_RUN)
    # it reads the standing environment, and writes nothing but the lock of its state
    read = {
        "get_function",
        "get_role",
        "describe_table",
        "list_objects_v2",
    }
    for service, operation, parameters in _touching(names, STANDING):
        if operation not in read and (service, operation) != ("s3", "get_object"):
            yield service, operation, parameters


def _of_tune(names: Mapping[str, str]) -> Iterator[Attempt]:
    yield from _of_nobody(names)
    yield from _of_makers(names, STANDING, {"dyno:env": "dev"})
    yield from _touching(names, GATE_RUN)
    # it reads the state of the standing environment and starts its tuner
    own = {"get_object", "start_execution"}
    for service, operation, parameters in _touching(names, STANDING):
        if operation not in own:
            yield service, operation, parameters
    # the tuner does this with a role of its own
    function = {"FunctionName": f"{STANDING}-crud-api"}
    yield "lambda", "invoke", function
    yield "lambda", "publish_version", function
    yield "lambda", "delete_function", {**function, "Qualifier": "1"}
    yield "lambda", "update_function_code", {**function, "ZipFile": b"zip"}
    yield "lambda", "update_alias", {**function, "Name": "live", "FunctionVersion": "1"}
    yield "dynamodb", "scan", {"TableName": f"{STANDING}-items"}
    lock = "lambda-dyno/dev/deployed.tfstate.tflock"
    yield "s3", "put_object", {"Bucket": names["bucket"], "Key": lock, "Body": b"{}"}


REFUSED: dict[str, Callable[[Mapping[str, str]], Iterator[Attempt]]] = {
    "gate": _of_gate,
    "deploy": _of_deploy,
    "plan": _of_plan,
    "tune": _of_tune,
}
