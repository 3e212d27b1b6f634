"""The power tuner's module with every setting, planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.plan.conftest import Resources

pytestmark = pytest.mark.plan

BOUNDARY = "arn:aws:iam::111122223333:policy/boundary"


@pytest.fixture(scope="module")
def resources(examples: dict[str, Resources]) -> dict[str, dict[str, Any]]:
    """The planned values of every resource of the example, by address within the module."""
    return {
        address.removeprefix("module.power_tuner."): resource["values"]
        for address, resource in examples["power_tuner/vpc"].items()
    }


def of_type(resources: dict[str, dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [values for address, values in resources.items() if address.startswith(f"{kind}.")]


def test_roles_are_bounded(resources: dict[str, dict[str, Any]]) -> None:
    """Every role has the permissions boundary."""
    roles = of_type(resources, "aws_iam_role")
    assert len(roles) == 6
    assert {role["permissions_boundary"] for role in roles} == {BOUNDARY}


def test_functions(resources: dict[str, dict[str, Any]]) -> None:
    """Every function is in the VPC, knows the settings, and has its own handler and log group."""
    functions = of_type(resources, "aws_lambda_function")
    for function in functions:
        (vpc,) = function["vpc_config"]
        assert sorted(vpc["subnet_ids"]) == ["subnet-1", "subnet-2"]
        (environment,) = function["environment"]
        assert environment["variables"]["DEFAULT_POWER_VALUES"] == "256,2048"
        assert environment["variables"]["TOTAL_TIMEOUT_SECONDS"] == "3600"
        assert environment["variables"]["VISUALIZATION_URL"] == "https://curves.example.com/"
        assert function["logging_config"][0]["log_group"] == (
            f"/aws/lambda/{function['function_name']}"
        )
    assert len({function["handler"] for function in functions}) == 5
    measure = resources['aws_lambda_function.this["measure"]']
    assert (measure["memory_size"], measure["timeout"]) == (1024, 900)


def test_logs_end(resources: dict[str, dict[str, Any]]) -> None:
    """Every log group has the retention."""
    groups = of_type(resources, "aws_cloudwatch_log_group")
    assert [group["retention_in_days"] for group in groups] == [30] * 5


def test_the_architecture_is_a_setting(resources: dict[str, dict[str, Any]]) -> None:
    """Some regions have no arm64; the functions know what they are, for their own cost."""
    functions = of_type(resources, "aws_lambda_function")
    assert {tuple(function["architectures"]) for function in functions} == {("x86_64",)}
    variables = [function["environment"][0]["variables"] for function in functions]
    assert {each["ARCHITECTURE"] for each in variables} == {"x86_64"}
