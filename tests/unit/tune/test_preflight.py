"""What is found of an account before a tuning begins."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_dyno.aws.accounts import Account
from lambda_dyno.tune.preflight import within_account

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:shop"


class Lambda:
    """What Lambda says of the account and the function."""

    def __init__(self, unreserved: int | None, reserved: int | None = None) -> None:
        self.unreserved, self.reserved, self.region = unreserved, reserved, ""

    def client(self, _service: str, region_name: str) -> Lambda:
        self.region = region_name
        return self

    def get_account_settings(self) -> dict[str, Any]:
        if self.unreserved is None:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetAccountSettings")
        return {"AccountLimit": {"UnreservedConcurrentExecutions": self.unreserved}}

    def get_function_concurrency(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == ARN
        return {} if self.reserved is None else {"ReservedConcurrentExecutions": self.reserved}


def of(session: Lambda, **keys: Any) -> tuple[Any, list[str]]:
    """Return the input as it becomes, and what was said."""
    said: list[str] = []
    account = Account("123456789012", "eu-west-1", "", {})
    vars(account)["session"] = session  # as if it had been made already
    found = within_account({"lambdaARN": ARN, **keys}, account, said.append)
    return found.get("maxConcurrency"), said


@pytest.mark.parametrize(("unreserved", "most"), [(10, 5), (1, 1), (0, 1), (999, 499)])
def test_half_of_a_small_account_is_left_to_its_others(unreserved: int, most: int) -> None:
    """Where they would be throttled by what is measured; and it is said."""
    session = Lambda(unreserved)
    found, said = of(session)
    assert found == most
    assert len(said) == 1
    assert f"at most {most} invocations" in said[0]
    assert session.region == "eu-west-1"


@pytest.mark.parametrize(
    ("session", "keys", "most"),
    [
        (Lambda(1000), {}, None),
        (Lambda(None), {}, None),
        (Lambda(10, reserved=3), {}, None),
        (Lambda(10), {"maxConcurrency": 8}, 8),
        (Lambda(10), {"maxConcurrency": "8"}, "8"),
    ],
    ids=["large", "denied", "its-own", "said", "said-as-text"],
)
def test_all_else_is_as_the_input_says(session: Lambda, keys: dict[str, Any], most: Any) -> None:
    assert of(session, **keys) == (most, [])
