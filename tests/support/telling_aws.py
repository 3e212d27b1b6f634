"""Runs the strict embedded AWS, which also tells EventBridge what AWS tells it.

`python telling_aws.py LOG` is `strict_aws.py` with more that AWS does and MiniStack does not, each
as AWS documents it:

- who reads a version of an object is asked with `s3:VersionId` (Service Authorization Reference);
- PutMetricAlarm keeps the metrics and expressions of an alarm that has several;
- an alarm that changes its state is told as "CloudWatch Alarm State Change" (CloudWatch's user
  guide, "Alarm events and EventBridge");
- UpdateAlias is told as "AWS API Call via CloudTrail" (EventBridge's user guide, "AWS service
  events delivered via AWS CloudTrail"), as where a trail is on.

The latter two come from AWS's own sources, which MiniStack's PutEvents refuses to everybody, as
AWS's does.
"""

from __future__ import annotations

import json
import runpy
import sys
import uuid
from typing import Any

import strict_aws
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudwatch, eventbridge, lambda_svc

_ask = strict_aws._ask
_dispatch_alarm_actions = cloudwatch._dispatch_alarm_actions
_put_metric_alarm = cloudwatch._put_metric_alarm
_update_alias = lambda_svc._update_alias


def _ask_with_version(
    access_key: str,
    action: str,
    service: str,
    region: str,
    resource: str,
    context: dict[str, Any],
) -> Any:
    request = strict_aws._request.get()
    if action == "s3:GetObjectVersion" and request is not None:
        version = strict_aws.iam_actions._query_param(request.params or {}, "versionId")
        context = {**context, "s3:versionid": version}
    return _ask(access_key, action, service, region, resource, context)


def _tell(source: str, kind: str, detail: dict[str, Any], resources: list[str]) -> None:
    entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail)}
    eventbridge._put_events({"Entries": [entry | {"Resources": resources}]}, allow_aws_source=True)


def _queries(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics of a request of the query protocol: Metrics.member.1.Id and so on."""
    tree: dict[str, Any] = {}
    for name, value in params.items():
        if name.startswith("Metrics."):
            *parents, last = name.split(".")
            place = tree
            for part in parents:
                place = place.setdefault(part, {})
            place[last] = value[0] if isinstance(value, list) else value
    return list(_listed(tree).get("Metrics") or [])


def _listed(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if "member" in tree:
        return [_listed(one) for _, one in sorted(tree["member"].items(), key=lambda x: int(x[0]))]
    return {name: _listed(value) for name, value in tree.items()}


def _put_with_metrics(params: Any, data: Any, is_cbor: bool, is_json: bool = False) -> Any:
    answer = _put_metric_alarm(params, data, is_cbor, is_json)
    given = data if is_cbor or is_json else params
    name = given.get("AlarmName")
    alarm = cloudwatch._alarms.get(name[0] if isinstance(name, list) else name)
    if alarm is not None:
        alarm["Metrics"] = given.get("Metrics") or _queries(given)
    return answer


def _metric(namespace: Any, name: Any, dimensions: Any) -> dict[str, Any]:
    pairs = {pair["Name"]: pair["Value"] for pair in dimensions or []}
    return {"namespace": namespace, "name": name, "dimensions": pairs}


def _metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    if not alarm.get("Metrics"):
        metric = _metric(alarm.get("Namespace"), alarm.get("MetricName"), alarm.get("Dimensions"))
        stat = {"metric": metric, "period": alarm.get("Period"), "stat": alarm.get("Statistic")}
        return [{"id": str(uuid.uuid4()), "metricStat": stat, "returnData": True}]
    found = []
    for query in alarm["Metrics"]:
        row = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
        if query.get("Expression"):
            row["expression"] = query["Expression"]
        else:
            of = query["MetricStat"]
            metric = of["Metric"]
            row["metricStat"] = {
                "metric": _metric(
                    metric["Namespace"], metric["MetricName"], metric.get("Dimensions")
                ),
                "period": of["Period"],
                "stat": of["Stat"],
            }
        found.append(row)
    return found


def _tell_of_alarm(alarm: dict[str, Any], old: str, new: str, reason: str) -> None:
    _dispatch_alarm_actions(alarm, old, new, reason)
    rule = alarm.get("AlarmRule")
    detail = {
        "alarmName": alarm["AlarmName"],
        "configuration": {"alarmRule": rule} if rule else {"metrics": _metrics(alarm)},
        "previousState": {"value": old},
        "state": {"value": new, "reason": reason},
    }
    arn = f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{alarm['AlarmName']}"
    _tell("aws.cloudwatch", "CloudWatch Alarm State Change", detail, [arn])


def _lower(config: Any) -> dict[str, Any]:
    weights = (config or {}).get("AdditionalVersionWeights")
    return {} if weights is None else {"additionalVersionWeights": weights}


def _tell_of_alias(function: str, alias: str, data: dict[str, Any]) -> Any:
    answer = _update_alias(function, alias, data)
    detail = {
        "eventSource": "lambda.amazonaws.com",
        "eventName": "UpdateAlias20150331",
        "awsRegion": get_region(),
        "requestParameters": {
            "functionName": function,
            "name": alias,
            **({"routingConfig": r} if (r := _lower(data.get("RoutingConfig"))) else {}),
            **({"functionVersion": v} if (v := data.get("FunctionVersion")) else {}),
        },
    }
    if answer[0] >= 400:
        detail["errorCode"] = "ResourceNotFoundException"
    _tell("aws.lambda", "AWS API Call via CloudTrail", detail, [])
    return answer


if __name__ == "__main__":
    strict_aws._LOG = sys.argv.pop(1)
    strict_aws._ask = _ask_with_version
    strict_aws._patch()
    cloudwatch._dispatch_alarm_actions = _tell_of_alarm
    cloudwatch._put_metric_alarm = _put_with_metrics
    lambda_svc._update_alias = _tell_of_alias
    runpy.run_path(str(strict_aws.FRONT), run_name="__main__")
