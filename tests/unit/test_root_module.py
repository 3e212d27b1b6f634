"""What a root of any project must have, and what is used if it has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.environments import root_module
from harness.errors import UserError


def test_variables_are_found_in_all_spellings(tmp_path: Path) -> None:
    """HCL on one line or several, quoted or not, and JSON."""
    (tmp_path / "a.tf").write_text(
        'variable "one" { type = string }\n'
        "variable two {}\n"
        '# variable "no" {}\n'
        'variable   "three"{\n  default = 1\n}\n'
        'output "variable" { value = var.one }\n'
    )
    (tmp_path / "b.tf.json").write_text(json.dumps({"variable": {"four": {}, "five": {}}}))
    assert root_module.variables(tmp_path) == {"one", "two", "three", "four", "five"}


def test_a_root_without_a_name_prefix_is_refused(tmp_path: Path) -> None:
    """Its environments would meet, and nobody could prove that nothing is left."""
    (tmp_path / "main.tf").write_text('output "function_arn" { value = "arn" }\n')
    with pytest.raises(UserError, match="no variable name_prefix"):
        root_module.check(tmp_path)
    (tmp_path / "main.tf").write_text('variable "name_prefix" { type = string }\n')
    root_module.check(tmp_path)


def test_a_folder_without_terraform_is_refused(tmp_path: Path) -> None:
    """A dyno.toml alone is no environment."""
    with pytest.raises(UserError, match="no Terraform here"):
        root_module.check(tmp_path)
