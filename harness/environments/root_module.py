"""What a root module below envs/ takes and gives, whoever wrote it.

A root of this project has all outputs that `harness.environments.environment.REQUIRED_OUTPUTS`
names. A root of another project needs little: it takes `name_prefix`, so that its environments
never meet, and has the output `function_arn`. Whatever else it has is used:

- variables `tags` (map of strings), `packages` (map of objects with `path` and `sha256_base64`,
  by folder of lambda/) and `memory_mb` (number) are given if they are declared;
- outputs `api_url`, `api_authorization`, `state_machine_arn`, `table_name`, ...: without
  `api_url` there is no smoke and no load test, without `state_machine_arn` a power tuner is
  deployed beside it for as long as it is needed, and what says something of the function is
  looked up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.aws import Account
from harness.errors import StepError, UserError
from harness.reading import read_object, read_text
from harness.tuning import functions

_PACKAGE = re.compile(r'\bvar\.packages\["([^"\\]+)"\]')
_COMMENT = re.compile(r"^\s*(#|//).*?$|/\*.*?\*/", re.M | re.S)
_VARIABLE = re.compile(r'^[ \t]*variable[ \t]+"?([A-Za-z_][\w-]*)"?[ \t]*\{', re.M)


def variables(root: Path) -> set[str]:
    """Return the names of the variables that a root module declares."""
    found: set[str] = set()
    for path in root.glob("*.tf"):
        found |= set(_VARIABLE.findall(read_text(path)))
    for path in root.glob("*.tf.json"):
        found |= _in_json(path)
    return found


def packages(root: Path) -> set[str]:
    """Return the folders of lambda/ that a root module takes packages of, by their names."""
    return {
        name for path in root.glob("*.tf") for name in _PACKAGE.findall(_without_comments(path))
    }


def _without_comments(path: Path) -> str:
    return _COMMENT.sub("", read_text(path))


def check(root: Path) -> None:
    """Make sure that environments can be made of a root module.

    Raises:
        UserError: It is no root module, or has no `name_prefix`.
    """
    if not any(root.glob("*.tf")) and not any(root.glob("*.tf.json")):
        raise UserError(f"{root}: no Terraform here (*.tf)")
    if "name_prefix" not in variables(root):
        raise UserError(
            f"{root}: no variable name_prefix. Declare it (a string), and begin the names of all "
            "resources with it: that keeps environments apart, and lets teardown prove that "
            "nothing is left."
        )


def completed(outputs: Mapping[str, Any], account: Account, name_prefix: str) -> dict[str, Any]:
    """Return a root's outputs with those that it does not have but the function tells.

    Args:
        outputs: With `function_arn`.
        account: Where the function is.
        name_prefix: Of the environment.

    Raises:
        StepError: `function_arn` names no function that can be measured.
    """
    try:
        name = functions.parse_name(str(outputs["function_arn"]))
        function = functions.look_up(name, account)
    except UserError as error:
        raise StepError("up", f"the output function_arn: {error}") from error
    known: dict[str, Any] = {
        "account_id": account.account_id,
        "architecture": function.architecture,
        "function_name": function.name,
        "memory_mb": function.memory_mb,
        "name_prefix": name_prefix,
        "region": account.region,
    }
    if outputs.get("api_url"):
        known["api_authorization"] = "NONE"
    return {**known, **outputs, "function_arn": function.arn}


def _in_json(path: Path) -> set[str]:
    declared = read_object(path).get("variable")
    blocks = declared if isinstance(declared, list) else [declared]
    return {name for block in blocks if isinstance(block, dict) for name in block}
