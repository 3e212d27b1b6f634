"""What of a state from the bucket may be destroyed: what is surely the run's, and nothing else."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from lambda_dyno.environments import adopted_state
from lambda_dyno.environments.adopted_state import is_of_run

PREFIX = "dyno-260101-1000-kkkk"
AWS = 'provider["registry.terraform.io/hashicorp/aws"]'
WHERE = "s3://states/lambda-dyno/dev/260101-1000-kkkk.tfstate"
KNOWN = {"a1b2c3", "arn:aws:sqs:us-east-1:111122223333:tagged"}


def resource(kind: str, provider: str = AWS, **attributes: Any) -> dict[str, Any]:
    return {
        "mode": "managed",
        "type": kind,
        "name": "this",
        "provider": provider,
        "instances": [{"schema_version": 0, "attributes": attributes}],
    }


def take(*resources: Any, **state: Any) -> tuple[list[str], list[str]]:
    """Return the types that may be destroyed, and the reasons for the others."""
    content = {"version": 4, "resources": list(resources), **state}
    taken = adopted_state.take(json.dumps(content).encode(), WHERE, PREFIX, KNOWN)
    mine = json.loads(taken.state)["resources"] if taken.state else []
    return [one["type"] for one in mine], [one.remove for one in taken.foreign]


HONEST = [
    resource("aws_dynamodb_table", id=f"{PREFIX}-items", name=f"{PREFIX}-items"),
    resource("aws_iam_role", id=f"{PREFIX}-crud", name=f"{PREFIX}-crud"),
    resource("aws_iam_role_policy", id=f"{PREFIX}-crud:own", role=f"{PREFIX}-crud"),
    resource("aws_lambda_function", id=f"{PREFIX}-api", function_name=f"{PREFIX}-api"),
    resource(
        "aws_lambda_alias",
        arn=f"arn:aws:lambda:us-east-1:111122223333:function:{PREFIX}-api:live",
        function_name=f"arn:aws:lambda:us-east-1:111122223333:function:{PREFIX}-api",
    ),
    resource(
        "aws_cloudwatch_log_group", id=f"/aws/lambda/{PREFIX}-api", name=f"/aws/lambda/{PREFIX}-api"
    ),
    resource(
        "aws_sfn_state_machine",
        id=f"arn:aws:states:us-east-1:111122223333:stateMachine:{PREFIX}-tuner",
        arn=f"arn:aws:states:us-east-1:111122223333:stateMachine:{PREFIX}-tuner",
    ),
    resource("aws_api_gateway_rest_api", id="a1b2c3"),
    resource("aws_api_gateway_stage", id="ags-a1b2c3-v1", rest_api_id="a1b2c3"),
    resource("aws_s3_bucket", id=f"{PREFIX}-packages-1", bucket=f"{PREFIX}-packages-1"),
    resource("aws_s3_object", id="code.zip", bucket=f"{PREFIX}-packages-1"),
    resource("terraform_data", 'provider["terraform.io/builtin/terraform"]', id="x"),
    resource(
        "aws_sqs_queue",
        f"module.q.{AWS}",
        id=f"https://sqs.us-east-1.amazonaws.com/1/{PREFIX}-q",
        url=f"https://sqs.us-east-1.amazonaws.com/1/{PREFIX}-q",
    ),
]


def test_all_of_an_honest_state_is_taken_but_what_only_reads() -> None:
    """In its order; outputs and data sources are of no use to a destroy."""
    data = {**resource("aws_caller_identity", id="1"), "mode": "data"}
    mine, foreign = take(*HONEST, data, outputs={"x": {"value": "y"}}, terraform_version="1.11.4")
    assert mine == [one["type"] for one in HONEST]
    assert foreign == []


FORGED = [
    pytest.param(
        resource("aws_dynamodb_table", id="dyno-prod-items", name="dyno-prod-items"),
        id="production",
    ),
    pytest.param(
        resource("aws_dynamodb_table", id="dyno-prod-items", name=f"{PREFIX}-items"),
        id="half-ours-by-name",
    ),
    pytest.param(
        resource("aws_dynamodb_table", id=f"{PREFIX}-items", name="dyno-prod-items"),
        id="half-ours-by-id",
    ),
    pytest.param(
        resource(
            "aws_dynamodb_table",
            id="dyno-prod-items",
            name="dyno-prod-items",
            tags={"dyno:run": "260101-1000-kkkk"},
        ),
        id="tags-of-its-own",
    ),
    pytest.param(
        resource("aws_dynamodb_table", id=f"x-{PREFIX}-items", name=f"x-{PREFIX}"),
        id="ours-in-the-middle",
    ),
    pytest.param(
        resource("aws_dynamodb_table", id=f"{PREFIX}x", name=f"{PREFIX}x"), id="longer-id"
    ),
    pytest.param(
        resource("aws_iam_role_policy", id=f"admin:{PREFIX}-own", role="admin"),
        id="policy-of-another-role",
    ),
    pytest.param(
        resource("aws_iam_role_policy", id=f"admin:{PREFIX}", role=f"{PREFIX}-role"),
        id="policy-id-of-another-role",
    ),
    pytest.param(
        resource(
            "aws_lambda_alias",
            arn=f"arn:aws:lambda:us-east-1:1:function:{PREFIX}-a:live",
            function_name="dyno-prod-api",
        ),
        id="alias-of-production",
    ),
    pytest.param(
        resource("aws_lambda_permission", id=f"{PREFIX}-p", function_name="dyno-prod-api"),
        id="permission-of-production",
    ),
    pytest.param(
        resource("aws_api_gateway_stage", id=f"{PREFIX}", rest_api_id="prodapi"),
        id="stage-of-another-api",
    ),
    pytest.param(
        resource("aws_api_gateway_rest_api", id="prodapi", name=PREFIX),
        id="another-api-with-our-name",
    ),
    pytest.param(
        resource("aws_s3_object", id=f"{PREFIX}", bucket="states"), id="object-of-another-bucket"
    ),
    pytest.param(
        resource("aws_s3_bucket_policy", id=PREFIX, bucket="states"), id="policy-of-another-bucket"
    ),
    pytest.param(
        resource(
            "aws_cloudwatch_log_group",
            id="/aws/lambda/dyno-prod-api",
            name="/aws/lambda/dyno-prod-api",
        ),
        id="log-group",
    ),
    pytest.param(
        resource(
            "aws_sqs_queue",
            id=f"https://sqs.us-east-1.amazonaws.com/{PREFIX}/prod",
            url="https://x/prod",
        ),
        id="queue",
    ),
    pytest.param(resource("aws_organizations_account", id=PREFIX, name=PREFIX), id="unknown-type"),
    pytest.param(
        resource(
            "aws_dynamodb_table",
            'provider["registry.terraform.io/attacker/aws"]',
            id=f"{PREFIX}-i",
            name=f"{PREFIX}-i",
        ),
        id="provider",
    ),
    pytest.param(
        resource(
            "aws_dynamodb_table",
            'provider["evil.example/hashicorp/aws"]',
            id=f"{PREFIX}-i",
            name=f"{PREFIX}-i",
        ),
        id="registry",
    ),
    pytest.param(
        resource(
            "aws_dynamodb_table",
            'provider["registry.terraform.io/hashicorp/aws"].x y',
            id=f"{PREFIX}-i",
            name=f"{PREFIX}-i",
        ),
        id="provider-with-more",
    ),
    pytest.param(
        resource("local_file", 'provider["registry.terraform.io/hashicorp/local"]', id="x"),
        id="another-of-hashicorps",
    ),
    pytest.param(
        resource("terraform_remote_state", 'provider["terraform.io/builtin/terraform"]', id="x"),
        id="built-in",
    ),
    pytest.param(
        {**resource("aws_dynamodb_table", id=f"{PREFIX}-i", name=f"{PREFIX}-i"), "instances": 5},
        id="no-instances",
    ),
    pytest.param({**resource("aws_dynamodb_table"), "instances": [7]}, id="no-attributes"),
    pytest.param(
        resource("aws_dynamodb_table", id=[f"{PREFIX}-i"], name=f"{PREFIX}-i"), id="a-list"
    ),
    pytest.param(resource("aws_dynamodb_table", id="", name=f"{PREFIX}-i"), id="empty"),
    pytest.param(
        {**resource("aws_dynamodb_table", id=f"{PREFIX}-i", name=f"{PREFIX}-i"), "mode": "weird"},
        id="mode",
    ),
    pytest.param(
        {**resource("aws_dynamodb_table", id=f"{PREFIX}-i", name=f"{PREFIX}-i"), "provider": None},
        id="no-provider",
    ),
]


@pytest.mark.parametrize("forged", FORGED)
def test_what_is_not_surely_the_runs_is_left_and_named(forged: dict[str, Any]) -> None:
    """Beside it, what is the run's still goes."""
    mine, foreign = take(HONEST[0], forged, HONEST[1])
    assert mine == ["aws_dynamodb_table", "aws_iam_role"]
    assert len(foreign) == 1
    assert foreign[0].startswith("left alone: ")


def test_one_foreign_instance_of_many_leaves_them_all() -> None:
    """A resource is destroyed whole or not at all."""
    many = resource("aws_dynamodb_table", id=f"{PREFIX}-i", name=f"{PREFIX}-i")
    many["instances"].append({"attributes": {"id": "prod", "name": "prod"}})
    assert take(many)[0] == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b'{"version": 3}',
        b'{"version": 4, "resources": {}}',
        b'{"version": 4, "resources": ["x"]}',
        b"[" * 100_000,
        b'{"version": 4, "resources": [{"instances": ' + b"[" * 100_000,
        b"\xff\xfe\x00",
        b'{"version": 1' + b"0" * 10_000 + b"}",
    ],
)
def test_what_is_no_state_is_named_and_nothing_of_it_is_taken(content: bytes) -> None:
    """No traceback, whatever was written there."""
    taken = adopted_state.take(content, WHERE, PREFIX, KNOWN)
    assert taken.state is None
    assert [one.name for one in taken.foreign] == [WHERE]


def test_a_flood_of_foreign_resources_is_told_in_short() -> None:
    """And in characters that a terminal may print."""
    flood = [
        {**resource("aws_x", id="y"), "name": f"\x1b[2J{number}\u202e"} for number in range(500)
    ]
    content = json.dumps({"version": 4, "resources": flood}).encode()
    taken = adopted_state.take(content, WHERE, PREFIX, KNOWN)
    assert len(taken.foreign) == 21
    assert taken.foreign[-1].name == "480 more"
    assert all(one.name.isascii() and one.name.isprintable() for one in taken.foreign)


def test_names_are_ours_from_their_beginning_on() -> None:
    """However they are written; nothing before, nothing glued to the end."""
    forms = [
        "{}",
        "{}-x",
        "arn:aws:iam::1:role/{}-x",
        "arn:aws:sns:eu-west-1:1:{}-t",
        "/{}-x",
        "arn:aws:secretsmanager:eu-west-1:1:secret:{}-s-AbCdEf",
        "https://sqs/1/{}-q",
        "arn:aws-cn:states:cn-north-1:1:stateMachine:{}-m",
        "/aws/apigateway/{}-a",
    ]
    assert all(is_of_run(form.format(PREFIX), PREFIX, ()) for form in forms)
    wrong = ["dyno-prod", PREFIX[:-1], f"{PREFIX}x", f" {PREFIX}", f"x{PREFIX}", "dyno"]
    for form, name in itertools.product(forms, wrong):
        assert not is_of_run(form.format(name), PREFIX, ()), (form, name)
    assert is_of_run("a1b2c3", PREFIX, KNOWN)
    assert not any(is_of_run(value, PREFIX, KNOWN) for value in (None, 7, [], {}, True, "A1B2C3"))
