"""Traffic: look whether a function is invoked more or less often, by a factor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from retune import memory
from retune.aws import client
from retune.errors import TrafficNotRead
from retune.traffic import DAYS, compare

_HOUR_S = 3600
client("cloudwatch")


def handler(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """Return what has become of it, of `{"function", "name", "factor", "leastInvocations"}`."""
    function = str(event["function"])
    try:
        invocations = _invocations(str(event["name"]))
        before = memory.known(function)
        if before is None:
            memory.keep(function, invocations, first=True)
    except (BotoCoreError, ClientError) as error:
        raise TrafficNotRead(f"{event['name']}: {error}") from error
    found = compare(invocations, before, event["factor"], event["leastInvocations"])
    return asdict(found)


def _invocations(name: str) -> float:
    """Return how often a function was invoked in the last seven days, to the full hour."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    metric = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Invocations",
        "Dimensions": [{"Name": "FunctionName", "Value": name}],
    }
    pages = client("cloudwatch").get_paginator("get_metric_data")
    found = pages.paginate(
        MetricDataQueries=[
            {"Id": "m", "MetricStat": {"Metric": metric, "Period": _HOUR_S, "Stat": "Sum"}}
        ],
        StartTime=end - timedelta(days=DAYS),
        EndTime=end,
    )
    return float(sum(sum(row["Values"]) for page in found for row in page["MetricDataResults"]))
