"""What a root of any project must have, and what is used if it has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.terraform import root_module

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:hello"
GOOD = 'variable "name_prefix" { type = string }\noutput "function_arn" { value = "x" }\n'
PACKAGE = "object({ path = string, sha256_base64 = string })"
GIVEN = {"name_prefix": "dyno-1", "tags": {"a": "b"}, "packages": {}, "memory_mb": 512}


def test_variables_are_found_in_all_spellings(tmp_path: Path) -> None:
    """HCL on one line or several, quoted or not, with a mark of the file's encoding, and JSON."""
    (tmp_path / "a.tf").write_text(
        '\ufeffvariable "one" { type = string }\n'
        "variable two {}\n"
        '# variable "no" {}\n'
        '/*\nvariable "neither" {}\n*/\n'
        'variable   "three"{\n  default = <<-END\n    variable "nor_this" {}\n  END\n}\n'
        'output "variable" { value = var.one }\n'
    )
    (tmp_path / "b.tf.json").write_text(
        json.dumps({"variable": {"four": {"type": "map(string)"}, "five": {}}})
    )
    (tmp_path / ".#a.tf").write_text("an editor's")
    assert root_module.variables(tmp_path) == {
        "one": "string",
        "two": "",
        "three": "",
        "four": "map(string)",
        "five": "",
    }


@pytest.mark.parametrize(
    ("name", "kind", "is_taken"),
    [
        ("tags", "", True),
        ("tags", "any", True),
        ("tags", "map( string )", True),
        ("tags", "map", True),
        ("tags", "list(string)", False),
        ("tags", "set(string)", False),
        ("tags", "string", False),
        ("tags", "list(object({ key = string, value = string }))", False),
        ("tags", "object({ team = string })", False),
        ("packages", f"map({PACKAGE})", True),
        ("packages", f"object({{ hello = {PACKAGE} }})", True),
        ("packages", "map(any)", True),
        ("packages", "list(string)", False),
        ("packages", "map(string)", False),
        ("packages", "string", False),
        ("memory_mb", "number", True),
        ("memory_mb", "string", True),
        ("memory_mb", "map(number)", False),
        ("memory_mb", "list(number)", False),
    ],
)
def test_a_variable_of_a_common_name_is_given_if_its_type_fits(
    tmp_path: Path, name: str, kind: str, is_taken: bool
) -> None:
    """Else it is the root's own, and a sentence says so."""
    declared = f"type = {kind}" if kind else ""
    (tmp_path / "main.tf").write_text(f'variable "{name}" {{\n  {declared}\n}}\n')
    taken, notes = root_module.given(tmp_path, GIVEN)
    assert taken == ({name: GIVEN[name]} if is_taken else {})
    assert len(notes) == (not is_taken)
    for note in notes:
        assert note.startswith(f"variable {name} is left to the root: its type is ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('output "function_arn" { value = "arn" }', "no variable name_prefix"),
        (
            'variable "name_prefix" { type = map(string) }\noutput "function_arn" { value = 1 }',
            r"the variable name_prefix is a map\(string\); it must be a string",
        ),
        ('variable "name_prefix" { type = string }', "no output function_arn. Add the ARN"),
        (
            (
                'variable "name_prefix" {}\n'
                'output "function_arn" {\n  value     = "x"\n  sensitive = true\n}'
            ),
            "the output function_arn is sensitive, and reports show it",
        ),
        (
            f'{GOOD}output "api_url" {{\n  value     = "x"\n  sensitive = true\n}}',
            "the output api_url is sensitive",
        ),
        (
            f'{GOOD}provider "aws" {{ default_tags {{ tags = {{}} }} }}',
            r"main\.tf:3: Argument definition required; A single-line block",
        ),
        (f"{GOOD}resource {{", r"main\.tf:3: Unclosed configuration block"),
        ('variable "a" { b c }\n"d" e\n', r"main\.tf:1: [^\n]*$"),
    ],
)
def test_a_root_that_cannot_be_used_is_refused_by_its_files(
    tmp_path: Path, content: str, message: str
) -> None:
    """One line with the file, before Terraform or an embedded AWS is started."""
    (tmp_path / "main.tf").write_text(content)
    with pytest.raises(UserError, match=message) as error:
        root_module.check(tmp_path)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_root_that_can_be_used_passes(tmp_path: Path) -> None:
    """As little as that."""
    (tmp_path / "main.tf").write_text(GOOD)
    root_module.check(tmp_path)


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"variable": ', b"[]"])
def test_a_file_that_is_no_text_or_no_json_is_told(tmp_path: Path, content: bytes) -> None:
    """Terraform's JSON as well."""
    (tmp_path / "main.tf").write_text(GOOD)
    (tmp_path / "other.tf.json").write_bytes(content)
    with pytest.raises(UserError, match=r"other\.tf\.json: (not|must be) "):
        root_module.check(tmp_path)


def test_packages_that_a_root_asks_for_are_its_own_if_the_variable_is(tmp_path: Path) -> None:
    """A map of URLs, say, names no folder of lambda/."""
    use = 'locals { code = var.packages["hello"] }\n# var.packages["no"]\n'
    (tmp_path / "main.tf").write_text(f'variable "packages" {{ type = map({PACKAGE}) }}\n{use}')
    assert root_module.packages(tmp_path) == {"hello"}
    (tmp_path / "main.tf").write_text(f'variable "packages" {{ type = map(string) }}\n{use}')
    assert root_module.packages(tmp_path) == set()


def test_a_folder_without_terraform_is_refused(tmp_path: Path) -> None:
    """A dyno.toml alone is no environment."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match="no Terraform here"):
            root_module.check(folder)


# --- the plan ---------------------------------------------------------------------------------


def output(after: Any = None, unknown: Any = False, *, sensitive: Any = False) -> dict[str, Any]:
    """Return an output as a plan tells it."""
    change = {"after_unknown": unknown, "after_sensitive": sensitive}
    return change if unknown is True else change | {"after": after}


UNKNOWN = output(unknown=True)


def plan(**outputs: Any) -> dict[str, Any]:
    return {"output_changes": {"function_arn": UNKNOWN, **outputs}}


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"function_arn": output(ARN)},
        {"function_arn": output("hello")},
        {"function_arn": output(f"{ARN}:$LATEST")},
        {"api_url": UNKNOWN},
        {"api_url": output(None)},
        {"api_url": output("")},
        {"api_url": output("https://api.example.com/dev")},
        {"db_password": output(unknown=True, sensitive=True)},
        {"memory_mb": output({"hello": 512})},
        {"memory_mb": output("512 MB")},
        {"region": output(["eu-west-1", "us-east-1"])},
        {"architecture": output({"cpu": "arm64"})},
        {"function_name": output([], [True])},
        {"table_name": output(None)},
    ],
)
def test_what_is_no_hindrance_passes(outputs: dict[str, Any]) -> None:
    """What is said of the function is looked up, so such outputs are a root's own."""
    assert root_module.check_plan(plan(**outputs), "eu-west-1", "envs/x") == []


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"function_arn": output({"a": 5})}, "function_arn: a is no text; the ARN of a Lambda"),
        ({"function_arn": output(None)}, "function_arn is null"),
        ({"function_arn": output(5)}, "function_arn is a number"),
        ({"function_arn": output(True)}, "function_arn is true or false"),
        ({"function_arn": output(unknown=True, sensitive=True)}, "function_arn is sensitive"),
        ({"function_arn": output(f"{ARN}:live")}, "names the version or alias live, whose memory"),
        ({"function_arn": output(f"{ARN}:7")}, "names the version or alias 7"),
        ({"function_arn": output("arn:aws:s3:::bucket")}, "the output function_arn: 'arn:aws:s3"),
        (
            {"function_arn": output(ARN.replace("eu-west-1", "us-east-1"))},
            (
                "the output function_arn is in us-east-1, and the run works in eu-west-1. "
                r'Set region = "us-east-1" under \[environment\] in envs/x/dyno.toml'
            ),
        ),
        ({"api_url": output(["https://a"])}, "api_url is a list; it must be one URL"),
        ({"api_url": output({"dev": "https://a"})}, "api_url is a map"),
        ({"api_url": output("a.example.com/dev")}, "api_url is 'a.example.com/dev'; it must be"),
        ({"api_url": output(unknown=True, sensitive=True)}, "api_url is sensitive"),
    ],
)
def test_what_cannot_be_measured_is_refused_by_the_plan(
    outputs: dict[str, Any], message: str
) -> None:
    """One line with the output and what is allowed."""
    with pytest.raises(UserError, match=message) as error:
        root_module.check_plan(plan(**outputs), "eu-west-1", "envs/x")
    assert str(error.value).startswith("envs/x: ")
    assert "\n" not in str(error.value)


def test_an_optional_output_that_is_something_else_is_said_not_to_be_used() -> None:
    """The names are common ones."""
    notes = root_module.check_plan(
        plan(table_name=output(["a", "b"]), function_alias=output({"x": "y"})),
        "eu-west-1",
        "envs/x",
    )
    assert notes == [
        "output function_alias is not used: it is a map, not a text",
        "output table_name is not used: it is a list, not a text",
    ]


def test_a_plan_that_takes_over_what_is_there_is_refused() -> None:
    """Teardown would destroy it."""
    change = {"address": "aws_sqs_queue.jobs", "change": {"importing": {"id": "jobs"}}}
    with pytest.raises(UserError, match=r"an import block takes over aws_sqs_queue\.jobs"):
        root_module.check_plan({**plan(), "resource_changes": [change]}, "eu-west-1", "envs/x")


def created(kind: str, after: dict[str, Any], *actions: str) -> dict[str, Any]:
    change = {"actions": list(actions) or ["create"], "after": after}
    return {
        **plan(),
        "resource_changes": [{"address": f"{kind}.x", "type": kind, "change": change}],
    }


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [
        ("aws_cloudwatch_dashboard", "dashboard_name"),
        ("aws_cloudwatch_event_rule", "name"),
        ("aws_cloudwatch_metric_alarm", "alarm_name"),
        ("aws_s3_bucket", "bucket"),
        ("aws_sns_topic", "name"),
        ("aws_sqs_queue", "name"),
    ],
)
def test_what_aws_would_give_instead_of_making_it_must_have_the_runs_name(
    kind: str, attribute: str
) -> None:
    """A queue named jobs is production's; in an embedded AWS of its own a run meets nobody."""
    found = created(kind, {attribute: "jobs"})
    with pytest.raises(
        UserError, match=rf"{kind}\.x is named jobs\. Begin the name with var\.name"
    ):
        root_module.check_plan(found, "eu-west-1", "envs/x", name_prefix="dyno-1")
    root_module.check_plan(found, "eu-west-1", "envs/x")


@pytest.mark.parametrize(
    "found",
    [
        created("aws_sqs_queue", {"name": "dyno-1-jobs"}),
        created("aws_sqs_queue", {"name": None}),
        created("aws_sqs_queue", {}),
        created("aws_sqs_queue", {"name": "jobs"}, "update"),
        created("aws_lambda_alias", {"name": "live"}),
        created("aws_cloudwatch_log_group", {"name": "/aws/lambda/x"}),
    ],
)
def test_names_that_take_nothing_over_pass(found: dict[str, Any]) -> None:
    """With the run's name, with one that AWS chooses, or of what AWS refuses to make twice."""
    root_module.check_plan(found, "eu-west-1", "envs/x", name_prefix="dyno-1")


def function(provider: str) -> dict[str, Any]:
    return {"type": "aws_lambda_function", "mode": "managed", "provider_config_key": provider}


def provider(region: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"expressions": {"region": region} if region else {}, **more}


CONSTANT = provider({"constant_value": "us-west-2"})
VARIABLE = provider({"references": ["var.aws_region"]})


@pytest.mark.parametrize(
    ("providers", "regions"),
    [
        ({"aws": CONSTANT}, {"us-west-2"}),
        ({"aws": VARIABLE}, {"eu-north-1"}),
        ({"aws": provider({})}, set()),
        ({}, set()),
        ({"aws": provider({"references": ["local.region"]})}, set()),
        ({"aws": {**VARIABLE, "module_address": "module.x"}}, set()),
    ],
)
def test_the_region_of_the_functions_is_told_by_their_provider(
    providers: dict[str, Any], regions: set[str]
) -> None:
    """By a text or a variable; of a function in a module, too."""
    called = {"module": {"resources": [function("aws")]}}
    configuration = {"provider_config": providers, "root_module": {"module_calls": {"f": called}}}
    found = {
        **plan(),
        "configuration": configuration,
        "variables": {"aws_region": {"value": "eu-north-1"}},
    }
    assert root_module.function_regions(found) == regions
    if regions:
        with pytest.raises(UserError, match=f'Set region = "{regions.pop()}"'):
            root_module.check_plan(found, "eu-west-1", "envs/x")
    else:
        root_module.check_plan(found, "eu-west-1", "envs/x")


# --- after the apply --------------------------------------------------------------------------


def test_outputs_of_common_names_that_are_something_else_are_not_used() -> None:
    """Nor is there an API behind null."""
    outputs = {"function_arn": ARN, "api_url": None, "table_name": ["a"], "memory_mb": {"x": 1}}
    assert root_module.checked(outputs, "eu-west-1", "envs/x") == {
        "function_arn": ARN,
        "memory_mb": {"x": 1},
    }


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"function_arn": {"a": 5}},
        {"function_arn": ARN.replace("eu-", "us-")},
        {"function_arn": ARN, "api_url": ["https://a"]},
        {"function_arn": ARN, "api_url": "ws://a"},
    ],
)
def test_what_only_the_apply_tells_fails_the_step(outputs: dict[str, Any]) -> None:
    """By then something is made, and is taken down."""
    with pytest.raises(StepError, match=r"^envs/x: the output "):
        root_module.checked(outputs, "eu-west-1", "envs/x")
