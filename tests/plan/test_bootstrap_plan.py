"""The state bucket as it is planned: managed or left alone, and what is refused."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import tftest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytestmark = pytest.mark.plan

SOMEBODY_ELSES = """
module "somebody_elses" {
  source = "./modules/bootstrap"

  bucket = {
    name    = "team-states"
    managed = false
  }
}

module "for_ever" {
  source = "./modules/bootstrap"

  bucket = {
    name                         = "dyno-states"
    superseded_versions_end_days = 0
  }
}
"""


@pytest.fixture(scope="module")
def planned(
    new_root: Callable[[str], Any], readme_examples: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """The README's example and two variants: values by address, by module."""
    root = new_root(readme_examples["bootstrap"] + SOMEBODY_ELSES)
    plan = root.plan(output=True, lock=False)
    return {
        address.removeprefix("module."): {
            name: resource["values"]
            for name, resource in module.resources.items()
            if resource["mode"] == "managed"
        }
        for address, module in plan.root_module.child_modules.items()
    }


def test_the_bucket_refuses_everybody_without_tls(planned: dict[str, dict[str, Any]]) -> None:
    """No principal is excepted, and no action."""
    policy = json.loads(planned["bootstrap"]["aws_s3_bucket_policy.this[0]"]["policy"])
    arn = "arn:aws:s3:::dyno-state-111122223333-eu-west-1"
    (statement,) = policy["Statement"]
    assert statement == {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Action": "*",
        "Principal": "*",
        "Resource": [f"{arn}/*", arn],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_superseded_versions_go_and_current_states_stay(
    planned: dict[str, dict[str, Any]],
) -> None:
    """90 days after they were superseded, with the marks of what was deleted; or never."""
    (rule,) = planned["bootstrap"]["aws_s3_bucket_lifecycle_configuration.this[0]"]["rule"]
    assert rule["status"] == "Enabled"
    assert rule["noncurrent_version_expiration"][0]["noncurrent_days"] == 90
    (expiration,) = rule["expiration"]
    assert expiration["expired_object_delete_marker"] is True
    assert not expiration.get("days")
    assert not [name for name in planned["for_ever"] if "lifecycle" in name]


def test_a_bucket_of_somebody_elses_is_left_alone(planned: dict[str, dict[str, Any]]) -> None:
    """Nothing of it is planned."""
    assert planned.get("somebody_elses", {}) == {}


REFUSED = {
    "name": ('{ name = "Dyno_State" }', "3 to 63 lower-case letters"),
    "days": ('{ name = "states", superseded_versions_end_days = -1 }', "0 for never"),
}


def test_wrong_values_are_refused_with_what_to_do(new_root: Callable[[str], Any]) -> None:
    """Before anything is created."""
    root = new_root(
        "\n".join(
            f'module "{name}" {{\n  source = "./modules/bootstrap"\n  bucket = {value}\n}}'
            for name, (value, _) in REFUSED.items()
        )
    )
    with pytest.raises(tftest.TerraformTestError) as caught:
        root.plan(lock=False)
    text = re.sub(r"[\s│]+", " ", caught.value.cmd_error)
    for name, (_, words) in REFUSED.items():
        assert f'in module "{name}"' in text
        assert words in text
