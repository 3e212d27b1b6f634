"""Terraform's resource changes, from the JSON of a plan."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import UserError
from harness.review import plan_table
from harness.review.plan_table import Change


def entry(actions: list[str], address: str = "aws_x.y", **more: Any) -> dict[str, Any]:
    """One of resource_changes."""
    change = {"actions": actions, "before": {}, "after": {}, "after_unknown": {}}
    change |= more.pop("change", {})
    return {"address": address, "mode": "managed", "change": change, **more}


def parse(*entries: dict[str, Any]) -> tuple[Change, ...]:
    """Return the changes of a plan of these entries."""
    plan = {"format_version": "1.2", "resource_changes": list(entries)}
    return plan_table.parse(plan, "plan.json").changes


def test_what_ends_a_resource_comes_first() -> None:
    """Then what Terraform lets go, changes, creates."""
    changes = parse(
        entry(["no-op"], "a"),
        entry(["create"], "b"),
        entry(["update"], "c"),
        entry(["read"], "data.d", mode="data"),
        entry(["delete", "create"], "e"),
        entry(["create", "delete"], "f"),
        entry(["forget"], "g"),
        entry(["delete"], "h"),
        entry(["no-op"], "i", change={"importing": {"id": "x"}}),
        entry(["no-op"], "j", previous_address="old.j"),
    )
    assert [(change.action, change.address) for change in changes] == [
        ("destroy", "h"),
        ("replace", "e"),
        ("replace", "f"),
        ("forget", "g"),
        ("update", "c"),
        ("create", "b"),
        ("import", "i"),
        ("move", "j"),
    ]
    assert changes[2].what == "the new one first"
    assert changes[-1].what == "was old.j"


def test_a_replacement_names_what_forces_it() -> None:
    """By the attribute, not by Terraform's code for the reason."""
    (change,) = parse(
        entry(
            ["delete", "create"],
            action_reason="replace_because_cannot_update",
            change={"replace_paths": [["hash_key"], ["attribute", 0, "name"]]},
        )
    )
    assert change.what == "because of hash_key, attribute.0.name"


def test_an_orphan_says_why_it_goes() -> None:
    """A block was removed."""
    (change,) = parse(entry(["delete"], action_reason="delete_because_no_resource_config"))
    assert change.what == "it is no longer in the configuration"


def test_only_values_that_can_be_no_secret_are_shown() -> None:
    """Text may be one that nobody marked."""
    before = {"memory_size": 512, "env": "KEY=1", "on": True, "pin": 1234, "same": 1}
    after = {"memory_size": 1024, "env": "KEY=2", "on": False, "pin": 4321, "same": 1}
    (change,) = parse(
        entry(
            ["update"],
            change={
                "before": before,
                "after": after,
                "after_unknown": {"version": True},
                "after_sensitive": {"pin": True},
            },
        )
    )
    assert change.what == (
        "env, memory_size 512 → 1024, on true → false, pin, version (known after apply)"
    )


def test_many_attributes_are_counted() -> None:
    """A row stays a row."""
    names = {f"a{number}": "x" for number in range(9)}
    (change,) = parse(entry(["update"], change={"before": {}, "after": names}))
    assert change.what == "a0, a1, a2, a3, a4, a5, 3 more"


def test_the_summary_counts() -> None:
    """In one sentence."""
    plan = plan_table.Plan(parse(entry(["delete"]), entry(["create"]), entry(["create"], "z")))
    assert plan_table.summary(plan) == "Resources: 1 destroyed and 2 created."
    assert plan_table.summary(plan_table.Plan(())) == "Terraform changes no resource."


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param([], "not a plan; make one with", id="list"),
        pytest.param({"version": 4}, "not a plan; make one with", id="state"),
        pytest.param({"format_version": "1.0", "values": {}}, "not a plan", id="show-of-a-state"),
        pytest.param(
            {"format_version": "2.0", "resource_changes": []}, "plan format 2.0", id="format"
        ),
        pytest.param(
            {"format_version": "1.2", "resource_changes": [{"mode": "managed"}]},
            "in resource_changes",
            id="broken",
        ),
    ],
)
def test_anything_else_is_refused(content: Any, complaint: str) -> None:
    """With what to do instead."""
    with pytest.raises(UserError, match=complaint):
        plan_table.parse(content, "plan.json")
