"""What the modules refuse before anything is created, and in which words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import tftest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.plan

GOOD: dict[str, dict[str, str]] = {
    "table": {"name_prefix": '"dyno"'},
    "function": {
        "name_prefix": '"dyno"',
        "name": '"worker"',
        "handler": '"a.b"',
        "package": f'{{ path = "code.zip", sha256_base64 = "{"A" * 43}=" }}',
    },
    "packages": {
        "name_prefix": '"dyno"',
        "packages": f'{{ a = {{ path = "code.zip", sha256_base64 = "{"A" * 43}=" }} }}',
    },
    "power_tuner": {
        "name_prefix": '"dyno"',
        "package": f'{{ path = "code.zip", sha256_base64 = "{"A" * 43}=" }}',
        "tunable_function_arns": '["arn:aws:lambda:eu-west-1:111122223333:function:shop-*"]',
    },
    "api": {
        "name_prefix": '"dyno"',
        "paths": '["/items"]',
        "target": '{ alias_name = "live", alias_invoke_arn = "arn:aws:x", function_name = "f" }',
    },
}

STATEMENT = '{{ Own = {{ actions = ["{action}"], resources = ["{resource}"] }} }}'

# module, variable, wrong value, words of the message
REFUSED: dict[str, tuple[str, str, str, str]] = {
    "prefix_capital": ("table", "name_prefix", '"Dyno"', "lower-case letters"),
    "prefix_long": ("table", "name_prefix", f'"{"a" * 33}"', "2 to 32"),
    "prefix_hyphen": ("function", "name_prefix", '"dyno-"', "no hyphen last"),
    "prefix_api": ("api", "name_prefix", '"1dyno"', "a letter first"),
    "name_long": ("function", "name", f'"{"a" * 21}"', "2 to 20"),
    "alias_digits": ("function", "alias_name", '"12"', "takes those for a version"),
    "canary_all": (
        "function",
        "canary",
        '{ percent = 100, stable_version = "3" }',
        "whole number from 0 to 99",
    ),
    "canary_latest": (
        "function",
        "canary",
        '{ percent = 10, stable_version = "$LATEST" }',
        "number of a published version",
    ),
    "architecture": ("function", "architecture", '"arm"', "arm64 or x86_64"),
    "tuner_architecture": ("power_tuner", "architecture", '"x86"', "arm64 or x86_64"),
    "memory_low": ("function", "memory_mb", "100", "128 to 10240"),
    "memory_high": ("function", "memory_mb", "20000", "128 to 10240"),
    "memory_fraction": ("function", "memory_mb", "128.5", "whole number of MB"),
    "timeout": ("function", "timeout_seconds", "901", "1 to 900"),
    "log_format": ("function", "log", '{ format = "json" }', "Text or JSON"),
    "log_days": ("function", "log", "{ retention_days = 2 }", "CloudWatch Logs knows"),
    "package_path": (
        "function",
        "package",
        f'{{ path = "code.tar", sha256_base64 = "{"A" * 43}=" }}',
        "path of a .zip file",
    ),
    "package_hash": (
        "function",
        "package",
        f'{{ path = "code.zip", sha256_base64 = "{"0" * 64}" }}',
        "hexadecimal form does not work",
    ),
    "package_twice": (
        "function",
        "package",
        f'{{ path = "a.zip", s3 = {{ bucket = "b", key = "k" }}, sha256_base64 = "{"A" * 43}=" }}',
        "either path or s3",
    ),
    "package_nowhere": (
        "function",
        "package",
        f'{{ sha256_base64 = "{"A" * 43}=" }}',
        "either path or s3",
    ),
    "packages_none": ("packages", "packages", "{}", "at least one package"),
    "tuner_powers": ("power_tuner", "default_power_values", "[100]", "128 to 10240"),
    "tuner_arns": ("power_tuner", "tunable_function_arns", '["*"]', "at least one ARN"),
    "tuner_keys": (
        "power_tuner",
        "kms_key_arns",
        '["arn:aws:kms:eu-west-1:111122223333:alias/a"]',
        "not of aliases",
    ),
    "tuner_days": ("power_tuner", "log_retention_days", "2", "CloudWatch Logs knows"),
    "tuner_prefix": ("power_tuner", "name_prefix", '"1"', "2 to 40"),
    "tuner_timeout": ("power_tuner", "total_timeout_seconds", "1", "a week"),
    "action_wildcard": (
        "function",
        "permissions",
        STATEMENT.format(action="dynamodb:*", resource="arn:aws:x"),
        "wildcards are refused",
    ),
    "resource_wildcard": (
        "function",
        "permissions",
        STATEMENT.format(action="dynamodb:Scan", resource="*"),
        "bare * is refused",
    ),
    "no_action": (
        "function",
        "permissions",
        '{ Own = { actions = [], resources = ["arn:aws:x"] } }',
        "at least one action",
    ),
    "authorization": ("api", "authorization", '"IAM"', "AWS_IAM or NONE"),
    "no_paths": ("api", "paths", "[]", "at least one path"),
    "path_slash": ("api", "paths", '["items"]', "starts with /"),
    "path_depth": ("api", "paths", '["/a", "/a/b", "/a/b/c"]', "one or two levels"),
    "path_parent": ("api", "paths", '["/items/{id}"]', "Give the parent"),
    "stage": ("api", "stage_name", '"v-1"', "letters, digits and underscores"),
    "throttling": ("api", "throttling", "{ rate_limit = 0 }", "0 refuses every request"),
    "access_log_days": ("api", "access_logs", "{ retention_days = 8 }", "CloudWatch Logs knows"),
}


@pytest.fixture(scope="module")
def messages(new_root: Callable[[str], Any]) -> dict[str, str]:
    """One plan of all wrong calls: Terraform's messages by the name of the call."""
    calls = []
    for name, (module, variable, value, _) in REFUSED.items():
        arguments = {**GOOD[module], variable: value}
        lines = "\n".join(f"  {key} = {text}" for key, text in arguments.items())
        calls.append(f'module "{name}" {{\n  source = "./modules/{module}"\n{lines}\n}}\n')
    root = new_root("\n".join(calls))
    with pytest.raises(tftest.TerraformTestError) as caught:
        root.plan(lock=False)
    found: dict[str, str] = {}
    for part in caught.value.cmd_error.split("Error: Invalid value for variable")[1:]:
        (name,) = re.findall(r'in module "(\w+)"', part)
        # Terraform breaks lines and draws a border
        found[name] = re.sub(r"[\s│]+", " ", part)
    return found


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_value_is_refused_with_what_to_do(messages: dict[str, str], name: str) -> None:
    """The message says what is allowed."""
    assert REFUSED[name][3] in messages.get(name, "accepted")


def test_only_the_wrong_values_are_refused(messages: dict[str, str]) -> None:
    """The rest of each call is right, so no case passes by another's fault."""
    assert set(messages) == set(REFUSED)
    for name, (_, variable, _, _) in REFUSED.items():
        assert f"var.{variable}" in messages[name]
