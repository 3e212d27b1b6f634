"""Least privilege: what a role of the tuner may do is what its state does, no more and no less.

The embedded AWS enforces most of it in the e2e tests; it takes some actions for others, so the
calls themselves are compared here.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from power_tuner.cleanup import CleanUp
from power_tuner.optimize import Optimization
from tests.unit.power_tuner.test_copying import Copying
from tests.unit.power_tuner.test_traces import EXECUTION, OTHER, World

pytestmark = pytest.mark.contract

MODULE = Path(__file__).parents[2] / "modules" / "power_tuner"
STATEMENTS = yaml.safe_load(
    re.sub(r"\$\{(\w+)\}", r"\1", (MODULE / "permissions.yaml").read_text())
)
# What a tuner has only where it may make copies of functions.
OF_COPIES = {
    "copied_versions",
    "copies",
    "copies_in_vpc",
    "copy_layers",
    "copy_packages",
    "copy_roles",
    "logs_of_copies",
    "versions_of_copies",
}


def granted(role: str) -> set[str]:
    """Return the Lambda actions that a role may do, invoking left out."""
    return actions(role, on_copies=False)


def granted_on_copies(role: str) -> set[str]:
    """Return the Lambda actions that a role may do on copies of functions, and to make them."""
    return actions(role, on_copies=True)


def actions(role: str, *, on_copies: bool) -> set[str]:
    return {
        action.removeprefix("lambda:")
        for one in STATEMENTS
        if role in one["roles"] and (one["resources"] in OF_COPIES) == on_copies
        for action in one["actions"]
        if action.startswith("lambda:")
    } - {"InvokeFunction"}


def after(world: World, already: int) -> set[str]:
    return set(world.api.calls[already:])


def prepared() -> tuple[World, int]:
    world = World()
    world.function().create_alias("live", "$LATEST")
    world.prepare()
    return world, len(world.api.calls)


def test_prepare() -> None:
    """Prepare's role has the actions of Prepare."""
    world = World()
    world.prepare()
    assert set(world.api.calls) == granted("prepare")


def test_optimize() -> None:
    """Optimize's role has the actions of Optimize, for a new alias and for an old one."""
    made: set[str] = set()
    for alias in ("live", "best"):
        world, already = prepared()
        Optimization(world.function(), EXECUTION, world.if_over).apply(1024, alias)
        made |= after(world, already)
    assert made == granted("optimize")


def test_clean_up() -> None:
    """CleanUp's role has the actions of CleanUp after a failure; after a success it needs fewer."""
    world, already = prepared()
    Optimization(world.function(), EXECUTION, world.if_over).apply(1024, "live")
    already = len(world.api.calls)
    CleanUp(world.function(), EXECUTION).after_failure()
    assert after(world, already) == granted("clean-up")
    world.prepare(OTHER)
    already = len(world.api.calls)
    CleanUp(world.function(), OTHER).after_success(optimized=False)
    assert after(world, already) < granted("clean-up")


def test_every_statement_is_of_a_function_and_has_a_name_of_its_own() -> None:
    """What iam.tf fills in is what the file names."""
    functions = yaml.safe_load((MODULE / "functions.yaml").read_text())
    assert {role for one in STATEMENTS for role in one["roles"]} <= set(functions)
    assert len({one["sid"] for one in STATEMENTS}) == len(STATEMENTS)
    block = (MODULE / "iam.tf").read_text().partition("_resources = {")[2].partition("\n  }")[0]
    filled_in = set(re.findall(r"^    (\w+) +=", block, re.M))
    assert filled_in == {one["resources"] for one in STATEMENTS}


def test_analyze_may_do_nothing() -> None:
    """Analyze's role has no permission beyond its log."""
    assert not [one for one in STATEMENTS if "analyze" in one["roles"]]


def test_measure_may_only_invoke() -> None:
    """Measure's role may invoke versions, and nothing else of Lambda."""
    of_lambda = {
        (action, one["resources"])
        for one in STATEMENTS
        if "measure" in one["roles"]
        for action in one["actions"]
        if action.startswith("lambda:")
    }
    assert of_lambda == {
        ("lambda:InvokeFunction", "processors"),
        ("lambda:InvokeFunction", "versions"),
        ("lambda:InvokeFunction", "versions_of_copies"),
    }
    assert granted_on_copies("measure") == set()


def test_keys_are_used_through_their_services_only() -> None:
    """What changes or publishes a function needs its key by Lambda; what reads, by S3."""
    with_keys = {
        (one["via"], role, tuple(one["actions"]))
        for one in STATEMENTS
        if any(action.startswith("kms:") for action in one["actions"])
        for role in one["roles"]  # with kms:ViaService
    }
    of_functions = ("kms:CreateGrant", "kms:Decrypt", "kms:Encrypt")
    assert with_keys == {
        *(("lambda", role, of_functions) for role in ("prepare", "optimize", "clean-up")),
        *(("s3", role, ("kms:Decrypt",)) for role in ("prepare", "measure")),
    }
    readers = {tuple(one["roles"]) for one in STATEMENTS if one["resources"] == "payload_objects"}
    assert readers == {("prepare", "measure")}


def test_functions_cannot_be_deleted() -> None:
    """Deleting is allowed on versions only, and on copies: no role can delete a function."""
    deleting = {one["resources"] for one in STATEMENTS if "lambda:DeleteFunction" in one["actions"]}
    assert deleting == {"copies", "versions"}
    text = (MODULE / "iam.tf").read_text()
    assert re.search(
        r'_versions += \[for arn in var.tunable_function_arns : "\$\{arn\}:\*"\]', text
    )
    assert re.search(r'_copies += "\$\{local._functions\}:\$\{var.name_prefix\}-copy-\*"', text)
    assert re.search(r"\n +versions += local._copies_only \? \[\] : local._versions\n", text)


def test_copies() -> None:
    """Making, publishing and deleting one takes what is granted on copies, and nothing else."""
    world = Copying()
    world.tune()
    assert set(world.made) == granted_on_copies("prepare") - {
        "GetLayerVersion",  # Lambda asks for these two in the name of who makes a function
        "TagResource",
    }
    assert set(world.deleted) == granted_on_copies("clean-up")


def test_a_role_is_passed_to_copies_only_and_by_its_name() -> None:
    """No wildcard, no other service, and in an environment of a pull request none at all."""
    (statement,) = [one for one in STATEMENTS if "iam:PassRole" in one["actions"]]
    assert statement["resources"] == "copy_roles"
    assert statement["to"] == "lambda.amazonaws.com"
    text = (MODULE / "iam.tf").read_text()
    assert re.search(r"_copy_roles += try\(var.copies.role_arns, \[\]\)", text)
    variables = (MODULE / "variables.tf").read_text()
    pattern = re.search(r'copies.role_arns, \[\]\) : can\(regex\("(.*?)", arn', variables)
    assert pattern is not None
    assert "*" not in pattern[1].replace("[a-z-]*", "")
    roles = MODULE.parent / "github_oidc" / "permissions.yaml"
    statements = yaml.safe_load(roles.read_text())
    passing = [
        one["roles"] for one in statements if one["resources"] == ["${roles}/${name}-crud-api"]
    ]
    assert passing == [["deploy-boundary"]]
    bounded = [one for one in statements if one["roles"] == ["boundary"]]
    assert not any("iam:PassRole" in one["actions"] for one in bounded)
    assert not any("lambda:CreateFunction" in one["actions"] for one in bounded)
