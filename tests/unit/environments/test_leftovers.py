"""What is left of a run, by the answers of an account whose index of tags is late."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_dyno.aws import residue
from lambda_dyno.environments import leftovers
from lambda_dyno.environments.resource_kinds import KINDS, listed_as
from lambda_dyno.runs.run_folder import is_of_a_run
from tests.support.aws_answers import Recorded

RUN = "251120-0915-k3f9"
PREFIX = f"dyno-{RUN}"
ACCOUNT = "eu-west-1:123456789012"


@pytest.mark.parametrize("answers", ["stale-tags", "stale-tags-denied"])
def test_what_only_the_index_of_tags_still_names_is_gone(answers: str) -> None:
    """The services' lists decide, whether or not the one thing may be asked for."""
    recorded = Recorded("empty-account", answers)
    assert leftovers.find(recorded.session, PREFIX, RUN) == []
    removed, left = leftovers.remove(recorded.session, PREFIX, RUN, sleep=lambda _: None)
    assert (removed, left) == ([], [])
    assert leftovers.survey(recorded.session) == []


def test_a_living_api_of_a_foreign_name_with_our_tag_is_named() -> None:
    """It is in the list, and only the tag says whose it is: named, and left."""
    recorded = Recorded("empty-account", "living-api")
    (left,) = leftovers.find(recorded.session, PREFIX, RUN)
    assert left.name == "arn:aws:apigateway:eu-west-1::/restapis/f6g7h8i9j0"
    assert left.remove == "aws apigateway delete-rest-api --rest-api-id f6g7h8i9j0"
    (stray,) = leftovers.survey(recorded.session)
    assert (stray.run_id, stray.leftovers) == (RUN, (left,))
    leftovers.remove(recorded.session, PREFIX, RUN, sleep=lambda _: None)
    assert "api-gateway.DeleteRestApi" not in recorded.asked


def test_what_cannot_be_listed_is_not_called_gone() -> None:
    """Without the list nobody knows, so the tag's word is repeated."""
    recorded = Recorded("empty-account", "lists-denied")
    unknown, tagged = leftovers.find(recorded.session, PREFIX, RUN)
    assert unknown.kind == "unknown rest api"
    assert "AccessDeniedException" in unknown.remove
    assert tagged.name.endswith("/restapis/f6g7h8i9j0")


def test_what_terraform_has_destroyed_is_gone_although_its_tag_is_found() -> None:
    """No list decides about a queue, but the provider has seen it go."""
    recorded = Recorded("empty-account", "stale-tag-of-a-queue")
    queue = f"arn:aws:sqs:{ACCOUNT}:orders"
    (left,) = leftovers.find(recorded.session, PREFIX, RUN)
    assert left.name == queue
    assert leftovers.find(recorded.session, PREFIX, RUN, gone={queue}) == []
    removed, left_over = leftovers.remove(
        recorded.session, PREFIX, RUN, gone={queue}, sleep=lambda _: None
    )
    assert (removed, left_over) == ([], [])


def test_one_denial_tells_that_functions_of_others_are_denied() -> None:
    """Each denial stands in the account's trail; the functions of runs are asked all the same."""
    recorded = Recorded("empty-account", "functions-denied")
    assert residue.on_functions(recorded.session, lambda _machine: True, is_of_a_run) == []
    assert recorded.asked.count("lambda.GetAlias") == 2


@pytest.mark.parametrize(
    ("arn", "listed"),
    [
        (f"arn:aws:events:{ACCOUNT}:rule/hourly", ("event rule", "hourly")),
        (f"arn:aws:states:{ACCOUNT}:stateMachine:m:3", ("state machine", "m")),
        ("arn:aws-cn:apigateway:cn-north-1::/restapis/a1/stages/v1", ("rest api", "a1")),
        ("arn:aws:apigateway:eu-west-1::/apis/b2/stages/v1", ("http api", "b2")),
        (f"arn:aws:lambda:{ACCOUNT}:function:f:live", ("lambda function", "f")),
        ("arn:aws:iam::123456789012:role/ci/dyno", ("iam role", "dyno")),
        (f"arn:aws:dynamodb:{ACCOUNT}:table/t/index/i", ("dynamodb table", "t")),
        ("arn:aws:s3:::b", ("s3 bucket", "b")),
        (f"arn:aws:logs:{ACCOUNT}:log-group:/aws/lambda/f:*", ("log group", "/aws/lambda/f")),
    ],
)
def test_an_arn_is_decided_by_its_list(arn: str, listed: tuple[str, str]) -> None:
    """Each kind that is listed, as the list has it."""
    assert listed_as(arn) == listed
    assert listed[0] in KINDS


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:events:{ACCOUNT}:rule/orders-bus/hourly",  # of another bus
        f"arn:aws:logs:{ACCOUNT}:log-group:/shop/orders",  # outside of the homes that are listed
        f"arn:aws:sqs:{ACCOUNT}:q",
    ],
)
def test_an_arn_that_no_list_has_is_not_decided(arn: str) -> None:
    """It is believed to exist."""
    assert listed_as(arn) is None


class Interfaces:
    """A session with some network interfaces; without a list nobody may look."""

    def __init__(self, descriptions: list[str] | None) -> None:
        self._descriptions = descriptions

    def client(self, service: str) -> Interfaces:
        assert service == "ec2"
        return self

    def get_paginator(self, operation: str) -> Interfaces:
        assert operation == "describe_network_interfaces"
        return self

    def paginate(self, **_filters: Any) -> list[dict[str, Any]]:
        if self._descriptions is None:
            raise ClientError({"Error": {"Code": "UnauthorizedOperation"}}, "Describe")
        rows = [
            {"NetworkInterfaceId": f"eni-{number}", "Description": text}
            for number, text in enumerate(self._descriptions)
        ]
        return [{"NetworkInterfaces": rows}]


def test_network_interfaces_of_copies_are_left_until_lambda_removes_them() -> None:
    """Those that Lambda made for a run's functions, and no others."""
    ours = f"AWS Lambda VPC ENI-{PREFIX}-copy-0123456789abcdef-5ec"
    others = ["AWS Lambda VPC ENI-shop-5ec", f"AWS Lambda VPC ENI-{PREFIX}0-copy", "of a machine"]
    (left,) = leftovers.interfaces(Interfaces([*others, ours]), PREFIX)
    assert left.kind == "network interface"
    assert ours in left.name
    assert "Lambda removes it" in left.remove
    assert leftovers.interfaces(Interfaces([]), PREFIX) == []
    assert leftovers.interfaces(Interfaces(None), PREFIX) == []
