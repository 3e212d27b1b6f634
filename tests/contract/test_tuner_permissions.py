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

IAM_TF = Path(__file__).parents[2] / "modules" / "power_tuner" / "iam.tf"


def granted(role: str) -> set[str]:
    """Return the Lambda actions that a role may do, invoking left out."""
    return actions_in(IAM_TF.read_text().partition("\n  permissions = {")[2], role)


def granted_on_copies(role: str) -> set[str]:
    """Return the Lambda actions that a role may do on copies of functions, and to make them."""
    text = IAM_TF.read_text().partition("\n  _with_copies = {")[2]
    return actions_in(text.partition("\n  permissions = {")[0], role)


def actions_in(text: str, role: str) -> set[str]:
    block = re.search(rf"\n    {role} = (?:merge\(.*?)?\{{\n(.*?)\n    \}}", text, re.S)
    assert block is not None, f"no permissions for {role} in {IAM_TF.name}"
    return set(re.findall(r'"lambda:(\w+)"', block[1])) - {"InvokeFunction"}


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


def test_analyze_may_do_nothing() -> None:
    """Analyze's role has no permission beyond its log."""
    assert re.search(r"\n    analyze = \{\}\n", IAM_TF.read_text())


def test_measure_may_only_invoke() -> None:
    """Measure's role may invoke versions, and nothing else of Lambda."""
    text = IAM_TF.read_text().partition("\n  permissions = {")[2]
    block = text[text.index("    measure = ") : text.index("    analyze = ")]
    assert set(re.findall(r'"(lambda:\w+)"', block)) == {"lambda:InvokeFunction"}
    assert "resources = local._versions" in block
    assert granted_on_copies("measure") == set()


def test_keys_are_used_through_their_services_only() -> None:
    """What changes or publishes a function needs its key by Lambda; what reads, by S3."""
    text = IAM_TF.read_text()
    merged = dict(re.findall(r"\n    ([a-z-]+) += merge\(([^{]*)\{", text))
    with_keys = {role for role, parts in merged.items() if "_with_function_keys" in parts}
    assert with_keys == {"prepare", "optimize", "clean-up"}
    readers = {role for role, parts in merged.items() if "_with_payload_keys" in parts}
    assert readers == {r for r, parts in merged.items() if "_with_payload_bucket" in parts}
    assert readers == {"prepare", "measure"}
    statements = re.findall(r'actions   = (\[[^\]]*kms:[^\]]*\])\n.*\n +via +=.*"(\w+)\.\*', text)
    assert statements == [
        ('["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt"]', "lambda"),
        ('["kms:Decrypt"]', "s3"),
    ]
    assert text.count('"kms:') == 5  # with kms:ViaService


def test_functions_cannot_be_deleted() -> None:
    """Deleting is allowed on versions only, and on copies: no role can delete a function."""
    text = IAM_TF.read_text()
    copies, versions = (part.split("}")[0] for part in text.split('"lambda:DeleteFunction"')[1:])
    assert "resources = [local._copies]" in copies
    assert "resources = local._versions" in versions
    assert '_versions = [for arn in var.tunable_function_arns : "${arn}:*"]' in text
    assert '_copies     = "${local._functions}:${var.name_prefix}-copy-*"' in text


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
    text = IAM_TF.read_text()
    statement = text[text.index('"iam:PassRole"') :].split("}")[0]
    assert "resources = local._copy_roles" in statement
    assert 'to        = "lambda.amazonaws.com"' in statement
    assert text.count('"iam:PassRole"') == 1
    assert "_copy_roles = try(var.copies.role_arns, [])" in text
    variables = IAM_TF.with_name("variables.tf").read_text()
    pattern = re.search(r'copies.role_arns, \[\]\) : can\(regex\("(.*?)", arn', variables)
    assert pattern is not None
    assert "*" not in pattern[1].replace("[a-z-]*", "")
    roles = IAM_TF.parents[1] / "github_oidc" / "permissions.yaml"
    statements = yaml.safe_load(roles.read_text())
    passing = [
        one["roles"] for one in statements if one["resources"] == ["${roles}/${name}-crud-api"]
    ]
    assert passing == [["deploy-boundary"]]
    bounded = [one for one in statements if one["roles"] == ["boundary"]]
    assert not any("iam:PassRole" in one["actions"] for one in bounded)
    assert not any("lambda:CreateFunction" in one["actions"] for one in bounded)
