"""The retune module, planned: what its rules listen to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.plan.conftest import Resources

pytestmark = pytest.mark.plan

CAUSES = {"alarm", "alias", "schedule", "traffic"}


@pytest.fixture(scope="module")
def rules(examples: dict[str, Resources]) -> dict[str, dict[str, Any]]:
    """The planned values of each rule, by its cause."""
    prefix = 'module.retune.aws_cloudwatch_event_rule.this["orders-'
    return {
        address.removeprefix(prefix).removesuffix('"]'): resource["values"]
        for address, resource in examples["retune/basic"].items()
        if address.startswith(prefix)
    }


def test_each_cause_has_its_rule(rules: dict[str, dict[str, Any]]) -> None:
    """On the account's own bus, by names that fit."""
    assert rules.keys() == CAUSES
    for rule in rules.values():
        assert rule["event_bus_name"] == "default"
        assert len(rule["name"]) <= 64
    assert rules["schedule"]["schedule_expression"] == "rate(30 days)"
    assert rules["traffic"]["schedule_expression"] == "rate(1 day)"


def test_the_longest_names_fit() -> None:
    """A prefix of 40 characters, and the longest cause."""
    assert len(f"{'a' * 40}-retune-{'0' * 6}-schedule") <= 64


def test_a_pattern_is_of_awss_own_source_in_this_account_and_region(
    rules: dict[str, dict[str, Any]],
) -> None:
    """And of this alias alone, by any of the names that a caller may use."""
    pattern = json.loads(rules["alias"]["event_pattern"])
    assert pattern["source"] == ["aws.lambda"]
    (account,), (region,) = pattern["account"], pattern["region"]
    assert len(account) == 12
    asked = pattern["detail"]["requestParameters"]
    assert asked["name"] == ["live"]
    assert f"arn:aws:lambda:{region}:{account}:function:shop-orders" in asked["functionName"]
    assert pattern["detail"]["errorCode"] == [{"exists": False}]
