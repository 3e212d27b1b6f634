"""Outputs one by one, and as one object."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.terraform import root_module
from lambda_dyno.terraform.outputs import flat, flat_changes, may_tell

ARN = "arn:aws:lambda:eu-west-1:111122223333:function:hello"
INNER = {"function_arn": ARN, "api_url": None, "memory_mb": 512}


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ({}, {}),
        (INNER, INNER),
        ({"environment": INNER}, INNER),
        ({"environment": INNER, "memory_mb": 128}, INNER | {"memory_mb": 128}),
        ({"environment": "dev", "function_arn": ARN}, {"environment": "dev", "function_arn": ARN}),
        ({"environment": {"TABLE_NAME": "items"}}, {"environment": {"TABLE_NAME": "items"}}),
    ],
)
def test_one_object_is_as_good_as_its_values(
    outputs: dict[str, Any], expected: dict[str, Any]
) -> None:
    """A root's own output of that name, such as a function's variables, stays what it is."""
    assert flat(outputs) == expected


def change(unknown: Any, after: Any, sensitive: Any = False) -> dict[str, Any]:
    """Return a plan with one output `environment`."""
    parts = {"after": after, "after_unknown": unknown, "after_sensitive": sensitive}
    return {"output_changes": {"environment": parts}}


@pytest.mark.parametrize(
    ("unknown", "after", "sensitive", "message"),
    [
        ({"function_arn": True}, {}, False, ""),
        ({"function_arn": True, "api_url": True}, {"memory_mb": 512}, {}, ""),
        ({}, INNER, {"memory_mb": True}, ""),
        ({}, {"function_arn": f"{ARN}:live"}, {}, "names the version or alias live"),
        ({"function_arn": True}, {"api_url": 5}, {}, "api_url is a number"),
        ({"function_arn": True}, None, True, "function_arn is sensitive"),
        ({}, {"function_arn": ARN, "api_url": "x"}, {"api_url": True}, "api_url is sensitive"),
        ({}, {"TABLE_NAME": "items"}, {}, "function_arn is null"),
        (True, None, {}, "function_arn is null"),
        (False, "dev", False, "function_arn is null"),
    ],
)
def test_a_plan_of_one_object_is_checked_like_its_values(
    unknown: Any, after: Any, sensitive: Any, message: str
) -> None:
    """With the same sentences."""
    plan = change(unknown, after, sensitive)
    if not message:
        assert root_module.check_plan(plan, "eu-west-1", "envs/x") == []
        return
    with pytest.raises(UserError, match=message):
        root_module.check_plan(plan, "eu-west-1", "envs/x")


def test_other_changes_stay_beside_those_of_the_object() -> None:
    """And win, as the values do."""
    own = {"after": 128, "after_unknown": False, "after_sensitive": False}
    changes = change({"function_arn": True}, {"memory_mb": 512})["output_changes"]
    found = flat_changes({**changes, "memory_mb": own, "more": own})
    assert found["memory_mb"] == found["more"] == own
    assert found["function_arn"]["after_unknown"] is True
    assert "environment" not in found


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({}, False),
        ({"function_arn": {"value": "x"}}, True),
        ({"environment": {"value": "module.environment"}}, True),
        ({"environment": {"value": "dev"}}, False),
        ({"environment": {}}, False),
    ],
)
def test_a_root_may_tell_what_a_module_does(
    declared: dict[str, dict[str, Any]], expected: bool
) -> None:
    """What a module tells is in no file of the root's: the plan says."""
    assert may_tell(declared, "function_arn") == expected
