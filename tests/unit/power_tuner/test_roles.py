"""Functions of other accounts: the role that is assumed for their calls."""

from __future__ import annotations

from typing import Any

import pytest

from power_tuner import aws
from power_tuner.aws import Role
from power_tuner.errors import InvalidInput, NotTunable
from power_tuner.request import parse
from tests.support.tuner_fakes import error

FUNCTION = "arn:aws:lambda:eu-west-1:222222222222:function:shop"
ROLE = "arn:aws:iam::222222222222:role/tuned-by-others"


class Sts:
    """Gives keys to who says the external id."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def assume_role(self, **arguments: Any) -> dict[str, Any]:
        self.asked.append(arguments)
        if arguments.get("ExternalId") != "x-1":
            raise error("AccessDenied", "AssumeRole", "not authorized to perform: sts:AssumeRole")
        keys = {"AccessKeyId": "ASIA", "SecretAccessKey": "x" * 40, "SessionToken": "token"}
        return {"Credentials": keys}


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Sts:
    """STS, in the place of every client of the tuner's own."""
    found = Sts()
    monkeypatch.setattr(aws, "client", lambda *_: found)
    return found


def test_a_role_is_assumed_for_the_function_alone(sts: Sts) -> None:
    """Its keys are those of the function's client; without a role it is the tuner's own."""
    role = Role.of({"roleArn": ROLE, "externalId": "x-1"})
    there = aws.client_of(role, "eu-west-1")
    assert there is not None
    assert there._request_signer._credentials.access_key == "ASIA"
    invoking = aws.invoking_client("eu-west-1", 3, 4, role)
    assert invoking._request_signer._credentials.token == "token"
    assert sts.asked[0]["RoleArn"] == ROLE
    assert len(sts.asked) == 2
    assert aws.client_of(Role.of({}), "eu-west-1") is None
    assert len(sts.asked) == 2


def test_a_role_that_may_not_be_assumed_is_told(sts: Sts) -> None:
    """With the variable to look at."""
    with pytest.raises(NotTunable, match="assumable_role_arns"):
        aws.client_of(Role.of({"roleArn": ROLE}), "eu-west-1")
    assert "ExternalId" not in sts.asked[0]


def test_a_role_must_be_of_the_functions_account() -> None:
    """Whose function it is to be used for."""
    raw = {"lambdaARN": FUNCTION, "num": 5, "roleArn": ROLE}
    assert parse(raw, (128,)).role_arn == ROLE
    with pytest.raises(InvalidInput, match="another account than the function, 222222222222"):
        parse({**raw, "roleArn": ROLE.replace("2222", "3333")}, (128,))
    with pytest.raises(InvalidInput, match="own account"):
        parse({**raw, "lambdaARN": f"{FUNCTION}:7"}, (128,))
