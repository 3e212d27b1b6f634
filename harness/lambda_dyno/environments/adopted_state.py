"""What of a Terraform state may be destroyed that somebody else has written.

Whoever may start a gate may write into the state bucket: the author of every pull request. A state
names what `terraform destroy` deletes and which providers it runs, so of one that comes from the
bucket only what is surely the run's own is taken:

- of the provider hashicorp/aws and of Terraform's own;
- of types whose deletion is known, with every attribute that names what is deleted the run's: it
  begins with the run's name, or AWS itself says, by name or tag, that it is the run's.

The rest is left and named. A state that was written by an honest run has no rest, unless its root
has resources of other types.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lambda_dyno.core.results import Leftover

_PROVIDER = re.compile(
    r'(?:module\.[^"\s]+\.)?provider\["(?P<address>[a-z0-9.-]+/[a-z0-9_-]+/[a-z0-9_-]+)"\](?:\.\w+)?'
)
_AWS = ("registry.terraform.io/hashicorp/aws", "registry.opentofu.org/hashicorp/aws")
_BUILT_IN = ("terraform.io/builtin/terraform",)

# Attributes by which the provider finds what it deletes; each must be the run's.
_API = ("rest_api_id",)
_BUCKET = ("bucket",)
_HANDLES: Mapping[str, tuple[str, ...]] = {
    "aws_api_gateway_authorizer": _API,
    "aws_api_gateway_deployment": _API,
    "aws_api_gateway_gateway_response": _API,
    "aws_api_gateway_integration": _API,
    "aws_api_gateway_integration_response": _API,
    "aws_api_gateway_method": _API,
    "aws_api_gateway_method_response": _API,
    "aws_api_gateway_method_settings": _API,
    "aws_api_gateway_model": _API,
    "aws_api_gateway_request_validator": _API,
    "aws_api_gateway_resource": _API,
    "aws_api_gateway_rest_api": ("id",),
    "aws_api_gateway_stage": _API,
    "aws_apigatewayv2_api": ("id",),
    "aws_apigatewayv2_deployment": ("api_id",),
    "aws_apigatewayv2_integration": ("api_id",),
    "aws_apigatewayv2_route": ("api_id",),
    "aws_apigatewayv2_stage": ("api_id",),
    "aws_cloudwatch_event_rule": ("id", "name"),
    "aws_cloudwatch_event_target": ("rule",),
    "aws_cloudwatch_log_group": ("id", "name"),
    "aws_cloudwatch_metric_alarm": ("id", "alarm_name"),
    "aws_dynamodb_table": ("id", "name"),
    "aws_iam_policy": ("id", "arn"),
    "aws_iam_role": ("id", "name"),
    "aws_iam_role_policy": ("id", "role"),
    "aws_iam_role_policy_attachment": ("role",),
    "aws_lambda_alias": ("arn", "function_name"),
    "aws_lambda_function": ("id", "function_name"),
    "aws_lambda_function_event_invoke_config": ("id", "function_name"),
    "aws_lambda_function_url": ("id", "function_name"),
    "aws_lambda_layer_version": ("arn", "layer_name"),
    "aws_lambda_permission": ("function_name",),
    "aws_lambda_provisioned_concurrency_config": ("id", "function_name"),
    "aws_s3_bucket": ("id", "bucket"),
    "aws_s3_bucket_lifecycle_configuration": _BUCKET,
    "aws_s3_bucket_notification": _BUCKET,
    "aws_s3_bucket_ownership_controls": _BUCKET,
    "aws_s3_bucket_policy": _BUCKET,
    "aws_s3_bucket_public_access_block": _BUCKET,
    "aws_s3_bucket_server_side_encryption_configuration": _BUCKET,
    "aws_s3_bucket_versioning": _BUCKET,
    "aws_s3_object": _BUCKET,
    "aws_secretsmanager_secret": ("id", "arn"),
    "aws_sfn_state_machine": ("id", "arn"),
    "aws_sns_topic": ("id", "arn"),
    "aws_sns_topic_subscription": ("id", "topic_arn"),
    "aws_sqs_queue": ("id", "url"),
    "aws_ssm_parameter": ("id", "name"),
}
# The word of an ARN or a path before the name, such as function: or /aws/lambda/.
_KIND = re.compile(r"(?:function|layer|policy|role|rule|secret|stateMachine|alarm|parameter)[:/]")
_PATHS = ("/aws/lambda/", "/aws/states/", "/aws/vendedlogs/states/", "/aws/apigateway/", "/")
_MOST_FOREIGN = 20  # that are named one by one


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a state.

    Attributes:
        state: A state of what may be destroyed, as Terraform reads it; None: there is nothing.
        foreign: What is in the state and left alone, with why.
    """

    state: str | None
    foreign: tuple[Leftover, ...]


def take(content: bytes, where: str, name_prefix: str, of_the_run: Collection[str]) -> Taken:
    """Return what of a state may be destroyed; nothing is believed that it says of itself.

    Args:
        content: The state, as it was read.
        where: Address of the object, for messages.
        name_prefix: First part of the run's names; it ends with the run's id.
        of_the_run: Names and ids that AWS itself says are the run's.
    """
    try:
        state = json.loads(content)
        resources = list(_resources(state))
    except (ValueError, RecursionError) as error:
        why = f"it is no state that could be read: {type(error).__name__}"
        return Taken(None, (Leftover("state", where, why),))
    mine, foreign = [], []
    for resource in resources:
        reason = _why_not(resource, name_prefix, of_the_run)
        if not reason:
            mine.append(resource)
        else:
            foreign.append(Leftover("in the state", _address(resource), f"left alone: {reason}"))
    if len(foreign) > _MOST_FOREIGN:
        more = len(foreign) - _MOST_FOREIGN
        rest = Leftover("in the state", f"{more} more", f"left alone; see {where}")
        foreign = [*foreign[:_MOST_FOREIGN], rest]
    version = state.get("terraform_version")
    return Taken(_state_of(mine, version) if mine else None, tuple(foreign))


def _resources(state: Any) -> Iterator[Mapping[str, Any]]:
    """Yield what Terraform manages.

    Raises:
        ValueError: It is no state of the format that Terraform has had since 0.12.
    """
    if not isinstance(state, dict) or state.get("version") != 4:
        raise ValueError("version")
    resources = state.get("resources", [])
    if not isinstance(resources, list):
        raise ValueError("resources")
    for resource in resources:
        if not isinstance(resource, dict):
            raise ValueError("resource")
        if resource.get("mode") != "data":  # data sources are read, never destroyed
            yield resource


def _why_not(resource: Mapping[str, Any], name_prefix: str, of_the_run: Collection[str]) -> str:
    """Return why a resource may not be destroyed; empty: it may."""
    provider = resource.get("provider")
    found = _PROVIDER.fullmatch(provider) if isinstance(provider, str) else None
    if resource.get("mode") != "managed" or found is None:
        return "its provider is none that a sweep runs"
    if found["address"] in _BUILT_IN:
        return "" if resource.get("type") == "terraform_data" else "its type is not known"
    if found["address"] not in _AWS:
        return f"its provider is {found['address']}, which a sweep does not run"
    handles = _HANDLES.get(str(resource.get("type")))
    if handles is None:
        return "a sweep does not know how resources of its type are told apart"
    instances = resource.get("instances")
    if not isinstance(instances, list):
        return "it has no instances"
    for instance in instances:
        attributes = instance.get("attributes") if isinstance(instance, dict) else None
        if not isinstance(attributes, dict):
            return "it has no attributes"
        for handle in handles:
            if not is_of_run(attributes.get(handle), name_prefix, of_the_run):
                return f"its {handle} is not the run's"
    return ""


def is_of_run(value: Any, name_prefix: str, of_the_run: Collection[str]) -> bool:
    """Whether a name, an ARN, a path or an address is the run's.

    Args:
        value: As a state has it.
        name_prefix: First part of the run's names; it ends with the run's id.
        of_the_run: What AWS itself says is the run's.
    """
    if not isinstance(value, str) or not value:
        return False
    if value in of_the_run:
        return True
    name = value
    if value.startswith("arn:"):
        parts = value.split(":", 5)
        name = parts[5] if len(parts) == 6 else ""
        name = _KIND.sub("", name, count=1) if _KIND.match(name) else name
    elif "://" in value:
        name = value.rpartition("/")[2]
    elif value.startswith("/"):
        name = next(value.removeprefix(path) for path in _PATHS if value.startswith(path))
    return name == name_prefix or name.startswith(f"{name_prefix}-")


def _address(resource: Mapping[str, Any]) -> str:
    """Return a resource's address, of what is safe to print."""
    parts = (resource.get("module"), resource.get("type"), resource.get("name"))
    text = ".".join(part for part in parts if isinstance(part, str))
    return ascii(text)[1:-1][:200]


def _state_of(resources: list[Mapping[str, Any]], version: Any) -> str:
    known = isinstance(version, str) and re.fullmatch(r"\d{1,3}\.\d{1,3}\.\d{1,3}", version)
    state: dict[str, Any] = {
        "version": 4,
        "terraform_version": version if known else "1.11.0",
        "serial": 1,
        "lineage": str(uuid.uuid4()),
        "outputs": {},
        "resources": resources,
    }
    return json.dumps(state)
