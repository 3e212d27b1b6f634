"""The Terraform that documentation shows: real Terraform must be able to read each block."""

from __future__ import annotations

import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from lambda_dyno.terraform import toolchain
from lambda_dyno.terraform.toolchain import Toolchain
from tests.support.waiting import HANGS_S

PROJECT = Path(__file__).parents[3]
_BLOCK = re.compile(
    r"^(?P<indent>[ \t]*)```(?:hcl|terraform|tf)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.S | re.M
)


def blocks(text: str) -> list[str]:
    """Return the blocks of Terraform in a page, those in lists too."""
    return [textwrap.dedent(match["text"]) for match in _BLOCK.finditer(text)]


def shown() -> list[tuple[str, str]]:
    """Return each block with its page."""
    pages = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [
        (f"{page}-{number}", block)
        for page in pages
        for number, block in enumerate(blocks((PROJECT / page).read_text(encoding="utf-8")), 1)
    ]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Toolchain:
    return toolchain.prepare(tmp_path_factory.mktemp("cache"))


def problem(block: str, tools: Toolchain) -> str:
    """Return what Terraform says against a block; empty: nothing."""
    done = subprocess.run(
        [tools.terraform, "fmt", "-check", "-diff", "-no-color", "-"],
        input=block,
        capture_output=True,
        text=True,
        timeout=HANGS_S,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize(("where", "block"), [pytest.param(*each, id=each[0]) for each in shown()])
def test_a_block_is_terraform_and_well_formed(where: str, block: str, tools: Toolchain) -> None:
    """Copied as it is, it can be used."""
    assert problem(block, tools) == ""


def test_what_is_no_terraform_is_found(tools: Toolchain) -> None:
    """Two blocks on one line were shown once; and a block may be in a list."""
    page = '1. A step:\n\n   ```hcl\n   provider "aws" { default_tags { tags = {} } }\n   ```\n'
    (found,) = blocks(page)
    assert found == 'provider "aws" { default_tags { tags = {} } }\n'
    assert "single" in problem(found, tools)
    assert problem('provider "aws" {\n}\n', tools) == ""
