"""How often a deployed function is invoked, by CloudWatch of the embedded AWS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lambda_dyno.aws import accounts, traffic
from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.config import TrafficSettings
from lambda_dyno.core.results import SET, Traffic
from lambda_dyno.emulator import server


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    home: Path = tmp_path_factory.mktemp("server")
    running = server.start(home, region="eu-west-1", owner_pid=None)
    try:
        yield accounts.embedded(running.environment(), running.account_id, running.region)
    finally:
        server.stop(home)


def invoked(account: Account, name: str, by_days_ago: dict[int, float]) -> None:
    """Put what Lambda counts itself on AWS."""
    now = datetime.now(UTC)
    account.session.client("cloudwatch").put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {
                "MetricName": "Invocations",
                "Dimensions": [{"Name": "FunctionName", "Value": name}],
                "Timestamp": now - timedelta(days=days),
                "Value": value,
                "Unit": "Count",
            }
            for days, value in by_days_ago.items()
        ],
    )


CLOUDWATCH = TrafficSettings(invocations_per_month="cloudwatch")


def test_the_last_30_days_are_counted_and_what_was_found_is_said(account: Account) -> None:
    """What today has so far is not, nor are another function's."""
    invoked(account, "dyno-prod-crud", {0: 77.0, 1: 1000.0, 10: 2500.0, 13: 500.0})
    invoked(account, "other", {1: 7.0})
    found = traffic.find(CLOUDWATCH, "dyno-261201-0018-85bq-crud", "dyno-prod", account)
    assert found is not None
    assert found.invocations_per_month == 4000.0
    assert found.source.startswith(
        "CloudWatch in eu-west-1: 4,000 invocations of dyno-prod-crud in the last 30 days, "
    )


def test_a_younger_function_is_told_to_be_young(account: Account) -> None:
    """Three days are no month."""
    invoked(account, "young", {1: 10.0, 3: 5.0})
    found = traffic.find(CLOUDWATCH, "young", "dyno-prod", account)
    assert found is not None
    assert found.invocations_per_month == 15
    assert found.source.endswith(", 3 days before today")


def test_nothing_found_is_no_traffic_of_zero(account: Account) -> None:
    """No evidence is never a number."""
    found = traffic.find(CLOUDWATCH, "nobody", "dyno-prod", account)
    assert found == Traffic(
        None, "CloudWatch in eu-west-1 has no invocations of nobody in the last 30 days"
    )


def test_a_number_or_another_function_may_be_named(account: Account) -> None:
    """A number asks nobody."""
    nowhere = replace(account, endpoint="http://127.0.0.1:9")
    number = TrafficSettings(invocations_per_month=5)
    assert traffic.find(number, "x", "dyno-prod", nowhere) == Traffic(5.0, SET)
    assert traffic.find(TrafficSettings(), "x", "dyno-prod", nowhere) is None
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:other"
    named = TrafficSettings(invocations_per_month="cloudwatch", function=arn)
    found = traffic.find(named, "x", "dyno-prod", account)
    assert found is not None
    assert found.invocations_per_month == 7


@pytest.mark.parametrize(
    ("name", "deployed"),
    [
        ("dyno-261201-0018-85bq-crud", "shop-prod-crud"),
        ("dyno-261201-0018-85bq", "shop-prod"),
        ("my-own-function", "my-own-function"),
        ("report-2026-crud", "report-2026-crud"),
    ],
)
def test_a_runs_function_stands_for_the_deployed_one(name: str, deployed: str) -> None:
    """Its own callers are tests."""
    assert traffic.deployed_name(name, "shop-prod") == deployed
