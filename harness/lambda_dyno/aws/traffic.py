"""How often a deployed function is invoked, by CloudWatch: read only."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.exceptions

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.config import CLOUDWATCH, TrafficSettings
from lambda_dyno.core.results import SET, Traffic

_DAYS = 30
_DAY_S = 86_400
# Of a run's function, whose callers are tests: the one of the same name that is deployed is meant.
_OF_A_RUN = re.compile(r"(?P<name>[a-z][a-z0-9-]*?)-\d{6}-\d{4}-[a-z0-9]{4}(?P<rest>-.*)?")


def find(
    settings: TrafficSettings, function_name: str, deployed_prefix: str, account: Account
) -> Traffic | None:
    """Return how often a function is invoked, as the settings say; None: they say nothing.

    Args:
        settings: A number, or "cloudwatch".
        function_name: The function that is measured.
        deployed_prefix: What the names of the deployed environment begin with.
        account: Where it is.
    """
    wanted = settings.invocations_per_month
    if wanted is None:
        return None
    if wanted != CLOUDWATCH:
        return Traffic(float(wanted), SET)
    name = settings.function.rsplit(":", 1)[-1] or deployed_name(function_name, deployed_prefix)
    return _of_cloudwatch(name, account)


def deployed_name(function_name: str, deployed_prefix: str) -> str:
    """Return the deployed function that a run's own stands for; any other by its name."""
    found = _OF_A_RUN.fullmatch(function_name)
    return function_name if found is None else f"{deployed_prefix}{found['rest'] or ''}"


def _of_cloudwatch(name: str, account: Account) -> Traffic:
    # whole days, as CloudWatch adds them up; today's is not over
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        points = _daily(name, end, account)
    except botocore.exceptions.ClientError as error:
        why = "cloudwatch:GetMetricStatistics is denied" if errors.is_denied(error) else str(error)
        return Traffic(None, f"the invocations of {name} cannot be looked up: {why}")
    except botocore.exceptions.BotoCoreError as error:
        return Traffic(None, f"the invocations of {name} cannot be looked up: {error}")
    where = f"CloudWatch in {account.region}"
    if not points:
        return Traffic(None, f"{where} has no invocations of {name} in the last {_DAYS} days")
    count = sum(point["Sum"] for point in points)
    first = min(point["Timestamp"] for point in points)
    said = f"{where}: {count:,.0f} invocations of {name} in the last {_DAYS} days"
    if (days := (end - first).days) < _DAYS:
        said += f", the first of them on {first:%Y-%m-%d}, {days} days before today"
    return Traffic(count, said)


def _daily(name: str, end: datetime, account: Account) -> list[dict[str, Any]]:
    client = account.session.client("cloudwatch")
    found: dict[str, Any] = client.get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Invocations",
        Dimensions=[{"Name": "FunctionName", "Value": name}],
        StartTime=end - timedelta(days=_DAYS),
        EndTime=end,
        Period=_DAY_S,
        Statistics=["Sum"],
    )
    return list(found["Datapoints"])
