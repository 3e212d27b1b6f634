"""Terraform's resource changes, from the JSON of a plan."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.review import plan_summary
from lambda_dyno.review.plan_summary import Change


def entry(actions: list[str], address: str = "aws_x.y", **more: Any) -> dict[str, Any]:
    """One of resource_changes."""
    change = {"actions": actions, "before": {}, "after": {}, "after_unknown": {}}
    change |= more.pop("change", {})
    return {"address": address, "mode": "managed", "change": change, **more}


def parse(*entries: dict[str, Any]) -> tuple[Change, ...]:
    """Return the changes of a plan of these entries."""
    plan = {"format_version": "1.2", "resource_changes": list(entries)}
    return plan_summary.parse(plan, "plan.json").changes


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
    plan = plan_summary.Plan(parse(entry(["delete"]), entry(["create"]), entry(["create"], "z")))
    assert plan_summary.summary(plan) == "Resources: 1 destroyed and 2 created."
    assert plan_summary.summary(plan_summary.Plan(())) == "Terraform changes no resource."


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
        plan_summary.parse(content, "plan.json")


SECRET = "hunter2-in-clear"  # pragma: allowlist secret
NUMBER = 48151623  # a number that somebody marked as sensitive


class Plans:
    """Plans of Terraform's format, with the secret wherever a value can be."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def value(self, depth: int = 0) -> Any:
        """A value: mostly one that holds the secret."""
        plain = [None, True, False, self.random.randrange(9999), 1.5, "", SECRET, f"a={SECRET};"]
        nested = [
            lambda: [self.value(depth + 1) for _ in range(self.random.randrange(3))],
            lambda: {f"k{n}": self.value(depth + 1) for n in range(self.random.randrange(3))},
        ]
        if depth < 3 and self.random.random() < 0.3:
            return self.random.choice(nested)()
        return self.random.choice(plain)

    def values(self) -> dict[str, Any]:
        """The attributes of a resource; "pin" is a number that is sensitive."""
        names = self.random.sample(["a", "b", "c", "d", "memory_size", "on"], 4)
        return {name: self.value() for name in names} | {"pin": NUMBER + self.random.randrange(9)}

    def change(self) -> dict[str, Any]:
        """The change of a resource."""
        before, after = self.values(), self.values()
        sensitive = {"pin": True, self.random.choice("abcd"): self.random.choice([True, {"k0": 1}])}
        kinds = ["update", "update", "create", "delete", "no-op", "read", "forget"]
        kind = self.random.choice([[kind] for kind in kinds] + [["delete", "create"]])
        return {
            "actions": kind,
            "before": None if kind == ["create"] else before,
            "after": None if kind == ["delete"] else after,
            "after_unknown": {self.random.choice("abcd"): self.random.choice([True, {"k0": True}])},
            "before_sensitive": self.random.choice([{}, False, sensitive]),
            "after_sensitive": self.random.choice([sensitive, True]),
            **({"replace_paths": [["attribute", 0, "name"]]} if len(kind) > 1 else {}),
            **({"importing": {"id": SECRET}} if self.random.random() < 0.2 else {}),
            **({"generated_config": SECRET} if self.random.random() < 0.2 else {}),
        }

    def resource(self, number: int) -> dict[str, Any]:
        """One of resource_changes."""
        mode = self.random.choice(["managed", "managed", "data"])
        more: dict[str, Any] = {
            "action_reason": self.random.choice([*plan_summary._REASONS, SECRET])
        }
        more |= {"previous_address": f"aws_old.n{number}"} if self.random.random() < 0.2 else {}
        more |= {"deposed": "8a1b2c3d"} if self.random.random() < 0.1 else {}
        return entry([], f"aws_x.n{number}", mode=mode, index=SECRET, change=self.change(), **more)

    def plan(self) -> dict[str, Any]:
        """A whole plan."""
        resources = [self.resource(number) for number in range(self.random.randrange(12))]
        held = {"value": SECRET, "sensitive": True}
        return {
            "format_version": "1.2",
            "terraform_version": "1.11.4",
            "variables": {"password": {"value": SECRET}},
            "planned_values": {"root_module": {"resources": [{"values": self.values()}]}},
            "resource_drift": [self.resource(99)],
            "resource_changes": resources,
            "output_changes": {"password": self.change()},
            "prior_state": {"values": {"outputs": {"password": held}}},
            "configuration": {"root_module": {"variables": {"password": {"default": SECRET}}}},
            "relevant_attributes": [{"resource": "a", "attribute": [SECRET]}],
            "checks": [{"instances": [{"problems": [{"message": SECRET}]}]}],
        }


@pytest.mark.parametrize("seed", range(200))
def test_a_public_plan_has_no_value_but_reads_the_same(seed: int) -> None:
    """Wherever a secret is in the plan: the file has none, and the table is the same."""
    plan = Plans(seed).plan()
    assert SECRET in json.dumps(plan)

    public = json.dumps(plan_summary.public(plan, "plan"))

    assert SECRET not in public
    assert str(NUMBER)[:-1] not in public
    again = json.loads(public)
    assert plan_summary.parse(again, "x") == plan_summary.parse(plan, "x")
    assert plan_summary.public(again, "x") == again


def test_a_public_plan_of_something_else_is_refused() -> None:
    """As everywhere."""
    with pytest.raises(UserError, match="not a plan"):
        plan_summary.public({"version": 4}, "plan.json")
