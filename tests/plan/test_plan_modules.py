"""What each module plans: the examples of the READMEs, and the variants that matter."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytestmark = pytest.mark.plan

PREFIX = "dyno-251120-0915-k3f9"

# Settings that the examples leave at their defaults.
VARIANTS = """
module "function_variant" {
  source = "./modules/function"

  name_prefix              = "dyno-variant"
  name                     = "worker"
  handler                  = "crud_api.handler.handler"
  alias_name               = "stable"
  architecture             = "x86_64"
  runtime                  = "python3.12"
  timeout_seconds          = 60
  permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"

  log_format         = "Text"
  log_retention_days = 3

  canary = {
    percent        = 10
    stable_version = "3"
  }

  package = module.packages.packages["crud_api"]
}

module "api_variant" {
  source = "./modules/api"

  name_prefix   = "dyno-variant"
  authorization = "NONE"
  paths         = ["/ping"]
  stage_name    = "v2"

  access_logs        = true
  log_retention_days = 3

  target = {
    alias_name       = "live"
    alias_invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/x/invocations"
    function_name    = "ping"
  }
}

module "table_variant" {
  source = "./modules/table"

  name_prefix = "dyno-variant"
}
"""

# By module: how many resources of each type, and the values that matter.
INVENTORY: dict[str, dict[str, Any]] = {
    "table": {
        "counts": {"aws_dynamodb_table": 1},
        "values": {
            "aws_dynamodb_table.this": {
                "name": f"{PREFIX}-items",
                "billing_mode": "PAY_PER_REQUEST",
                "hash_key": "id",
                "attribute": [{"name": "id", "type": "S"}],
                "deletion_protection_enabled": True,
                "point_in_time_recovery": [{"enabled": True, "recovery_period_in_days": None}],
            }
        },
    },
    "table_variant": {
        "counts": {"aws_dynamodb_table": 1},
        "values": {
            "aws_dynamodb_table.this": {
                "name": "dyno-variant-items",
                "deletion_protection_enabled": False,
                "point_in_time_recovery": [{"enabled": False, "recovery_period_in_days": None}],
            }
        },
    },
    "function": {
        "counts": {
            "aws_cloudwatch_log_group": 1,
            "aws_iam_role": 1,
            "aws_iam_role_policy": 1,
            "aws_lambda_alias": 1,
            "aws_lambda_function": 1,
        },
        "values": {
            "aws_lambda_function.this": {
                "function_name": f"{PREFIX}-crud-api",
                "architectures": ["arm64"],
                "handler": "crud_api.handler.handler",
                "memory_size": 1024,
                "publish": True,
                "runtime": "python3.13",
                "timeout": 15,
                "environment": [{"variables": {"TABLE_NAME": "items"}}],
            },
            "aws_lambda_alias.this": {"name": "live"},
            "aws_cloudwatch_log_group.this": {
                "name": f"/aws/lambda/{PREFIX}-crud-api",
                "retention_in_days": 14,
            },
            "aws_iam_role.this": {"name": f"{PREFIX}-crud-api", "permissions_boundary": None},
        },
    },
    "function_variant": {
        "counts": {
            "aws_cloudwatch_log_group": 1,
            "aws_iam_role": 1,
            "aws_iam_role_policy": 1,
            "aws_lambda_alias": 1,
            "aws_lambda_function": 1,
        },
        "values": {
            "aws_lambda_function.this": {
                "function_name": "dyno-variant-worker",
                "architectures": ["x86_64"],
                "memory_size": 512,
                "runtime": "python3.12",
                "s3_key": "crud_api.zip",
                "timeout": 60,
            },
            "aws_lambda_alias.this": {"name": "stable", "function_version": "3"},
            "aws_cloudwatch_log_group.this": {"retention_in_days": 3},
            "aws_iam_role.this": {
                "permissions_boundary": "arn:aws:iam::111122223333:policy/boundary"
            },
        },
    },
    "api": {
        "counts": {
            "aws_api_gateway_deployment": 1,
            "aws_api_gateway_integration": 3,
            "aws_api_gateway_method": 3,
            "aws_api_gateway_method_settings": 1,
            "aws_api_gateway_resource": 3,
            "aws_api_gateway_rest_api": 1,
            "aws_api_gateway_stage": 1,
            "aws_lambda_permission": 1,
            "terraform_data": 1,
        },
        "values": {
            "aws_api_gateway_rest_api.this": {
                "name": f"{PREFIX}-api",
                "endpoint_configuration": [{"types": ["REGIONAL"]}],
            },
            'aws_api_gateway_method.this["/items/{id}"]': {
                "authorization": "AWS_IAM",
                "http_method": "ANY",
            },
            'aws_api_gateway_resource.top["/items"]': {"path_part": "items"},
            'aws_api_gateway_resource.top["/{proxy+}"]': {"path_part": "{proxy+}"},
            'aws_api_gateway_resource.nested["/items/{id}"]': {"path_part": "{id}"},
            'aws_api_gateway_integration.this["/items"]': {
                "integration_http_method": "POST",
                "type": "AWS_PROXY",
            },
            "aws_api_gateway_stage.this": {"stage_name": "v1", "access_log_settings": []},
            "aws_api_gateway_method_settings.this": {
                "method_path": "*/*",
                "settings": [{"throttling_burst_limit": 20, "throttling_rate_limit": 50}],
            },
            "aws_lambda_permission.this": {
                "action": "lambda:InvokeFunction",
                "function_name": "crud-api",
                "principal": "apigateway.amazonaws.com",
                "qualifier": "live",
            },
        },
    },
    "api_variant": {
        "counts": {
            "aws_api_gateway_deployment": 1,
            "aws_api_gateway_integration": 1,
            "aws_api_gateway_method": 1,
            "aws_api_gateway_method_settings": 1,
            "aws_api_gateway_resource": 1,
            "aws_api_gateway_rest_api": 1,
            "aws_api_gateway_stage": 1,
            "aws_cloudwatch_log_group": 1,
            "aws_lambda_permission": 1,
            "terraform_data": 1,
        },
        "values": {
            'aws_api_gateway_method.this["/ping"]': {"authorization": "NONE"},
            "aws_api_gateway_stage.this": {"stage_name": "v2"},
            "aws_cloudwatch_log_group.access[0]": {
                "name": "/aws/apigateway/dyno-variant-api",
                "retention_in_days": 3,
            },
        },
    },
    "packages": {
        "counts": {
            "aws_s3_bucket": 1,
            "aws_s3_bucket_public_access_block": 1,
            "aws_s3_object": 1,
        },
        "values": {
            "aws_s3_bucket.this": {
                "bucket": f"{PREFIX}-packages-000000000000",
                "force_destroy": True,
            },
            "aws_s3_bucket_public_access_block.this": {
                "block_public_acls": True,
                "block_public_policy": True,
                "ignore_public_acls": True,
                "restrict_public_buckets": True,
            },
            'aws_s3_object.this["crud_api"]': {"key": "crud_api.zip"},
        },
    },
    "power_tuner": {
        "counts": {
            "aws_cloudwatch_event_rule": 1,
            "aws_cloudwatch_event_target": 1,
            "aws_cloudwatch_log_group": 5,
            "aws_iam_role": 6,
            "aws_iam_role_policy": 6,
            "aws_lambda_function": 5,
            "aws_lambda_permission": 1,
            "aws_sfn_state_machine": 1,
        },
        "values": {
            "aws_sfn_state_machine.this": {"name": f"{PREFIX}-tuner"},
            'aws_lambda_function.this["measure"]': {
                "function_name": f"{PREFIX}-tuner-measure",
                "architectures": ["arm64"],
            },
            'aws_cloudwatch_log_group.this["clean-up"]': {"retention_in_days": 7},
        },
    },
    "service.module.function": {
        "counts": {
            "aws_cloudwatch_log_group": 1,
            "aws_iam_role": 1,
            "aws_iam_role_policy": 1,
            "aws_lambda_alias": 1,
            "aws_lambda_function": 1,
        },
        "values": {
            "aws_lambda_function.this": {
                "environment": [{"variables": {"TABLE_NAME": f"{PREFIX}-items"}}],
                "handler": "crud_api.handler.handler",
                "logging_config": [{"log_format": "JSON"}],
                "memory_size": 1024,
            }
        },
    },
    "service.module.api": {
        "counts": {
            "aws_api_gateway_deployment": 1,
            "aws_api_gateway_integration": 4,
            "aws_api_gateway_method": 4,
            "aws_api_gateway_method_settings": 1,
            "aws_api_gateway_resource": 4,
            "aws_api_gateway_rest_api": 1,
            "aws_api_gateway_stage": 1,
            "aws_lambda_permission": 1,
            "terraform_data": 1,
        },
        "values": {
            'aws_api_gateway_method.this["/DynamoDBManager"]': {"authorization": "AWS_IAM"},
            "aws_api_gateway_method_settings.this": {
                "settings": [{"throttling_burst_limit": 200, "throttling_rate_limit": 500}]
            },
        },
    },
    "github_oidc": {
        "counts": {
            "aws_iam_openid_connect_provider": 1,
            "aws_iam_policy": 2,
            "aws_iam_role": 4,
            "aws_iam_role_policy": 4,
        },
        "values": {
            'aws_iam_role.this["gate"]': {
                "name": "github-dyno-prod-gate",
                "max_session_duration": 7200,
                "permissions_boundary": None,
            },
            "aws_iam_openid_connect_provider.this[0]": {
                "url": "https://token.actions.githubusercontent.com",
                "client_id_list": ["sts.amazonaws.com"],
            },
        },
    },
    "bootstrap": {
        "counts": {
            "aws_s3_bucket": 1,
            "aws_s3_bucket_lifecycle_configuration": 1,
            "aws_s3_bucket_ownership_controls": 1,
            "aws_s3_bucket_policy": 1,
            "aws_s3_bucket_public_access_block": 1,
            "aws_s3_bucket_server_side_encryption_configuration": 1,
            "aws_s3_bucket_versioning": 1,
        },
        "values": {
            "aws_s3_bucket.this[0]": {"bucket": "dyno-state-111122223333-eu-west-1"},
            "aws_s3_bucket_versioning.this[0]": {
                "versioning_configuration": [{"status": "Enabled"}],
            },
            "aws_s3_bucket_public_access_block.this[0]": {
                "block_public_acls": True,
                "block_public_policy": True,
                "ignore_public_acls": True,
                "restrict_public_buckets": True,
            },
            "aws_s3_bucket_ownership_controls.this[0]": {
                "rule": [{"object_ownership": "BucketOwnerEnforced"}],
            },
        },
    },
    "service.module.table": {"counts": {"aws_dynamodb_table": 1}, "values": {}},
}


@pytest.fixture(scope="module")
def planned(
    new_root: Callable[[str], Any], readme_examples: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """One plan of all examples and variants: its resources by module and address."""
    root = new_root("\n".join([*readme_examples.values(), VARIANTS]))
    plan = root.plan(output=True, lock=False)
    modules: dict[str, dict[str, Any]] = {}
    pending = list(plan.root_module.child_modules.values())
    while pending:
        module = pending.pop()
        pending += module.child_modules.values()
        modules[module["address"].removeprefix("module.")] = dict(module.resources)
    return modules


def test_every_module_has_an_example_and_an_inventory(readme_examples: Mapping[str, str]) -> None:
    """A new module without them fails here, not in somebody's account."""
    covered = {name.split(".")[0] for name in INVENTORY}
    assert set(readme_examples) <= covered
    for name, example in readme_examples.items():
        assert f'module "{name}" {{' in example


@pytest.mark.parametrize("name", INVENTORY)
def test_a_module_plans_these_resources(planned: dict[str, dict[str, Any]], name: str) -> None:
    """No more and no fewer of each type."""
    kinds = Counter(
        resource["type"] for resource in planned[name].values() if resource["mode"] == "managed"
    )
    assert dict(kinds) == INVENTORY[name]["counts"]


@pytest.mark.parametrize("name", INVENTORY)
def test_a_module_plans_these_values(planned: dict[str, dict[str, Any]], name: str) -> None:
    """What the inventory names is planned so; lists of blocks are compared as subsets, too."""
    for address, expected in INVENTORY[name]["values"].items():
        values = planned[name][address]["values"]
        missing = _differences(expected, values)
        assert not missing, f"{name}: {address}: {json.dumps(missing)}"


def _differences(expected: Any, got: Any) -> Any:
    """Return what of the expected values is not there; empty if all is."""
    if isinstance(expected, dict) and isinstance(got, dict):
        parts = {key: _differences(value, got.get(key)) for key, value in expected.items()}
        return {key: part for key, part in parts.items() if part}
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [part for pair in zip(expected, got, strict=True) if (part := _differences(*pair))]
    return "" if expected == got else f"{got!r} instead of {expected!r}"


def test_access_logs_hold_no_payload(planned: dict[str, dict[str, Any]]) -> None:
    """Their format names fields of the request, none of which is a body or a query."""
    stage = planned["api_variant"]["aws_api_gateway_stage.this"]["values"]
    (settings,) = stage["access_log_settings"]
    fields = json.loads(settings["format"])
    assert fields["requestId"] == "$context.requestId"
    assert not any(
        word in value for value in fields.values() for word in ("body", "path.", "query")
    )
