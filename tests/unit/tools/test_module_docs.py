"""The generated tables of the modules' READMEs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.tuner_contract.keys import KEYS
from tools import key_docs
from tools.module_docs import (
    BEGIN,
    END,
    EXAMPLE_BEGIN,
    EXAMPLE_END,
    read_blocks,
    render,
    tables,
    update,
)

VARIABLES = """variable "log" {
  description = "Say \\"Text\\" or JSON | both."
  type = object({
    format = optional(string, "JSON")
    days   = optional(number, 14)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.log.days > 0
    error_message = "Use more."
  }
}

variable "name_prefix" {
  description = "Start of all names."
  type        = string
}
"""
OUTPUTS = """output "arn" {
  description = "Its ARN."
  value       = aws_thing.this.arn
  depends_on  = [aws_other.this]
}
"""

VERSIONS = """terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100" # a word
    }
  }
}
"""

MAIN = """resource "aws_thing" "this" {
  name = "x"
}

module "table" {
  source = "../table"
}

resource "aws_other" "this" {}
"""
RESOURCES = """## Resources

| name | kind |
|---|---|
| [`module.table`](../table) | module |
| `aws_other.this` | resource |
| `aws_thing.this` | resource |
"""
EXAMPLE = f"""{VERSIONS}
module "thing" {{
  source = "../.."
}}
"""

EXPECTED = """## Inputs

| name | description | type | default |
|---|---|---|---|
| `log` | Say "Text" or JSON \\| both. | `object({ format = optional(string, "JSON"), days = optional(number, 14) })` | `{}` |
| `name_prefix` | Start of all names. | `string` | required |

## Outputs

| name | description |
|---|---|
| `arn` | Its ARN. |"""  # noqa: E501


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module with a README that has no tables yet."""
    folder = tmp_path / "modules" / "thing"
    folder.mkdir(parents=True)
    (folder / "variables.tf").write_text(VARIABLES)
    (folder / "outputs.tf").write_text(OUTPUTS)
    (folder / "versions.tf").write_text(VERSIONS)
    (folder / "main.tf").write_text(MAIN)
    (folder / "examples" / "basic").mkdir(parents=True)
    (folder / "examples" / "basic" / "main.tf").write_text(EXAMPLE)
    (folder / "README.md").write_text(
        f"# thing\n\nText.\n\n{EXAMPLE_BEGIN}\n{EXAMPLE_END}\n\n{BEGIN}\n{END}\n\nMore.\n"
    )
    return folder


def test_the_tables_show_what_the_files_say(module: Path) -> None:
    """Types on one line, defaults, and the bars of Markdown escaped."""
    assert tables(read_blocks(module)) == EXPECTED


def test_only_what_is_between_the_markers_changes(module: Path) -> None:
    """What people wrote stays."""
    assert update(module.parent, check=False) == [module / "README.md"]
    text = (module / "README.md").read_text()
    assert text.startswith("# thing\n\nText.\n\n")
    assert text.endswith(f"{END}\n\nMore.\n")
    assert "| terraform | `>= 1.11` | 1." in text
    assert "| hashicorp/aws | `~> 5.100` | 5.100.0; pin" in text
    assert EXPECTED in text
    assert RESOURCES in text
    assert '```hcl\nmodule "thing" {\n  source = "./modules/thing"\n}\n```\n' in text
    assert update(module.parent, check=True) == []


def test_a_check_changes_nothing(module: Path) -> None:
    """It names the files that are out of date."""
    before = (module / "README.md").read_text()
    assert update(module.parent, check=True) == [module / "README.md"]
    assert (module / "README.md").read_text() == before


def test_a_module_without_a_readme_is_named(module: Path) -> None:
    """Every module has one."""
    (module / "README.md").unlink()
    with pytest.raises(UserError, match=r"thing/README\.md"):
        update(module.parent, check=True)


def test_a_readme_without_markers_is_refused() -> None:
    """The generator does not guess where its tables go."""
    with pytest.raises(ValueError, match="tables: begin"):
        render("# thing\n", "tables")


def test_every_key_of_a_tuning_has_its_row() -> None:
    """Values and default by its kind, or in words of its own; the flag's help where none are."""
    rows = [line.strip("| ").split(" | ") for line in key_docs.table().splitlines()[2:]]
    assert [name for name, _, _ in rows] == [f"`{key.name}`" for key in KEYS]
    values = {name.strip("`"): value for name, value, _ in rows}
    assert values["lambdaARN"] == "ARN, required"
    assert values["num"] == "at least 5, required"
    assert values["discardTopBottom"] == "0 to 0.4; 0.2"
    assert values["allowFailures"] == "bool; true"
    assert values["onConflict"] == "`fail`, `wait`; `fail`"
    meanings = {name.strip("`"): meaning for name, _, meaning in rows}
    assert meanings["sequential"] == "one power value after the other, not side by side"
    assert meanings["strategy"].startswith("what counts; `limit`: ")


def test_the_power_tuners_readme_needs_the_keys_markers(module: Path) -> None:
    """Otherwise a new key would be missing without a word."""
    module.rename(module.parent / "power_tuner")
    with pytest.raises(UserError, match="keys: begin"):
        update(module.parent, check=True)


def test_a_module_without_an_example_is_named(module: Path) -> None:
    """Every module has one."""
    (module / "examples" / "basic" / "main.tf").unlink()
    with pytest.raises(UserError, match=r"basic/main\.tf"):
        update(module.parent, check=True)
