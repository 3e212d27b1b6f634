"""A root's own names: variables, outputs, values, several functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.results import EACH, LOADED
from lambda_dyno.terraform import root_module
from lambda_dyno.terraform.naming import Names

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:{}"
ROOT = """
variable "project" { type = string }
variable "labels" { type = map(string) }
variable "app_zip" { type = string }
variable "lambda_memory" { type = number }
variable "memory" {
  type    = map(number)
  default = { orders = 256, stock = 512 }
}
variable "unknown" { type = map(number) }
variable "stage" { type = string }
output "functions" { value = {} }
output "endpoint" { value = "x" }
"""
GIVEN = {
    "name_prefix": "dyno-1",
    "tags": {"a": "b"},
    "packages": {"shop": {"path": "/x.zip", "sha256_base64": "x="}},
}
NAMES = Names(
    variables={
        "name_prefix": "project",
        "tags": "labels",
        "packages.shop.path": "app_zip",
        "memory_mb": "lambda_memory",
    },
    outputs={"function_arn": "functions.orders", "api_url": "endpoint"},
    values={"stage": "test"},
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with names of its own."""
    (tmp_path / "main.tf").write_text(ROOT)
    return tmp_path


def test_variables_are_given_by_the_root_s_names(root: Path) -> None:
    """A single package's path, and values of the root's other variables."""
    root_module.check(root, NAMES)
    assert root_module.given(root, GIVEN, NAMES) == (
        {"project": "dyno-1", "labels": {"a": "b"}, "app_zip": "/x.zip", "stage": "test"},
        [],
    )
    assert root_module.memory_value(root, 512, NAMES) == {"lambda_memory": 512}


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (
            Names(variables={"tags": "lables"}),
            "x: [environment.variables] tags: the root has no variable lables; it has app_zip, ",
        ),
        (
            Names(variables={"tags": "stage"}),
            "tags: the variable stage is a string; it must be map(string)",
        ),
        (
            Names(variables={"packages.cart.path": "app_zip"}),
            "packages.cart.path: there is no folder lambda/cart",
        ),
        (
            Names(variables={"memory_mb": "lambda_memory.orders"}),
            "the variable lambda_memory is a number; it must be map(number)",
        ),
        (Names(values={"stages": 1}), "x: [environment.values] stages: the root has no such var"),
        (
            Names(variables={"name_prefix": "stage"}, values={"stage": "x"}),
            "[environment.values] stage: [environment.variables] has it, too",
        ),
    ],
)
def test_a_name_that_is_none_is_one_line(root: Path, names: Names, why: str) -> None:
    """With what there is."""
    with pytest.raises(UserError) as refused:
        root_module.given(root, GIVEN, names, "x")
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (Names(), "no variable name_prefix"),
        (Names(variables={"name_prefix": "labels"}), "the variable labels is a map(string)"),
        (Names(variables={"name_prefix": "project"}), "no output function_arn"),
        (
            Names(
                variables={"name_prefix": "project"},
                outputs={"function_arn": "functions", "api_url": "url"},
            ),
            "[environment.outputs] api_url: there is no output url; it has endpoint, functions",
        ),
    ],
)
def test_what_a_root_lacks_is_told_by_its_own_names(root: Path, names: Names, why: str) -> None:
    """Before anything is made."""
    with pytest.raises(UserError) as refused:
        root_module.check(root, names)
    assert why in str(refused.value)


def test_a_size_within_a_map_leaves_the_others_as_they_are(root: Path) -> None:
    """Terraform takes a variable as a whole, so the others must be known."""
    names = Names(variables={"memory_mb": "memory.orders"})
    assert root_module.memory_value(root, 1024, names) == {"memory": {"orders": 1024, "stock": 512}}
    valued = Names(variables={"memory_mb": "unknown.a"}, values={"unknown": {"a": 1, "b": 2}})
    assert root_module.memory_value(root, 128, valued) == {"unknown": {"a": 128, "b": 2}}
    for size, why in (
        ("unknown.a", "memory_mb: unknown.a: the variable unknown has no default that can be"),
        ("memory.carts", "memory_mb: memory.carts: memory has orders, stock"),
    ):
        wrong = Names(variables={"name_prefix": "project", "memory_mb": size})
        with pytest.raises(UserError, match=why):
            root_module.check(root, wrong)


def test_outputs_are_read_where_they_are() -> None:
    """Of objects and of lists; one that is not there is as good as none."""
    outputs = {"functions": {"orders": ARN.format("a")}, "endpoint": ["https://x.example/"]}
    names = Names(outputs={"function_arn": "functions.orders", "api_url": "endpoint.0"})
    found = root_module.checked(outputs, "eu-west-1", "x", names)
    assert found["function_arn"] == ARN.format("a")
    assert found["api_url"] == "https://x.example/"
    gone = Names(outputs={"function_arn": "functions.orders", "api_url": "endpoint.7"})
    assert root_module.checked(outputs, "eu-west-1", "x", gone).get("api_url") is None


SEVERAL = {"stock": ARN.format("s"), "orders": ARN.format("o")}


@pytest.mark.parametrize(
    ("value", "function", "loaded", "functions"),
    [
        (SEVERAL, "", "orders", SEVERAL),
        (SEVERAL, "stock", "stock", SEVERAL),
        (list(SEVERAL.values()), "", "o", {"s": ARN.format("s"), "o": ARN.format("o")}),
        ({"one": ARN.format("a")}, "", "one", {"one": ARN.format("a")}),
    ],
)
def test_several_functions(
    value: Any, function: str, loaded: str, functions: dict[str, str]
) -> None:
    """One is loaded: the one that is named, else the first by name."""
    names = Names(function=function)
    found = root_module.checked({"function_arn": value}, "eu-west-1", "x", names)
    assert (found[LOADED], found[EACH]) == (loaded, functions)
    assert found["function_arn"] == functions[loaded]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({}, "names no function"),
        ([], "names no function"),
        ({"a": 5}, "a is no text"),
        ({"a": "b c"}, "neither the name of a Lambda function nor its ARN"),
        ({"../a": ARN.format("a")}, "has the key '../a'"),
        ({"a": ARN.format("a:live")}, "names the version or alias live"),
        ({"a": ARN.format("a").replace("eu-west-1", "eu-west-2")}, "is in eu-west-2"),
    ],
)
def test_what_is_no_map_of_functions_is_refused(value: Any, why: str) -> None:
    """By the plan, and by what Terraform tells afterwards."""
    with pytest.raises(StepError) as told:
        root_module.checked({"function_arn": value}, "eu-west-1", "x")
    assert why in str(told.value)
    change = {"after": value, "after_unknown": False}
    with pytest.raises(UserError) as planned:
        root_module.check_plan({"output_changes": {"function_arn": change}}, "eu-west-1", "x")
    assert why in str(planned.value)


def test_a_plan_knows_the_names_before_the_functions_are_there() -> None:
    """So a name that is none of them costs nothing."""
    change = {"after": {}, "after_unknown": {"orders": True, "stock": True}}
    plan = {"output_changes": {"functions": change}}
    names = Names(outputs={"function_arn": "functions"}, function="carts")
    with pytest.raises(UserError) as refused:
        root_module.check_plan(plan, "eu-west-1", "x", names=names)
    assert "carts is not in the output function_arn, which has orders, stock" in str(refused.value)
    good = Names(outputs={"function_arn": "functions"}, function="stock")
    assert root_module.check_plan(plan, "eu-west-1", "x", names=good) == []
    inside = Names(outputs={"function_arn": "functions.stock"})
    assert root_module.check_plan(plan, "eu-west-1", "x", names=inside) == []
    nowhere = Names(outputs={"function_arn": "functions.carts"})
    with pytest.raises(UserError, match="function_arn is null"):
        root_module.check_plan(plan, "eu-west-1", "x", names=nowhere)
