"""What the modules' policies may say, by their files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.contract

PROJECT = Path(__file__).parents[2]
PERMISSIONS = PROJECT / "modules" / "github_oidc" / "permissions.yaml"
POLICIES = [*sorted(PROJECT.glob("modules/*/*.tf")), PERMISSIONS]
ROLES = {"deploy", "gate", "plan", "tune"}
STATEMENTS: list[dict[str, Any]] = yaml.safe_load(PERMISSIONS.read_text())


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: "/".join(path.parts[-2:]))
def test_policies_have_no_wildcards(path: Path) -> None:
    """No wildcard action at all; a bare * as resource only with its reason beside it."""
    for line in path.read_text().splitlines():
        if re.search(r'\b[a-z0-9-]+:[A-Za-z]*\*(["\],]|$)', line) and "error_message" not in line:
            pytest.fail(f"wildcard action: {line.strip()}")
        if re.search(r'(resources|identifiers) *[=:] *\[ *"\*"', line):
            assert re.search(r"# \w+", line), f"bare * without a reason: {line.strip()}"


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement["sid"])
def test_a_statement_has_no_key_that_nobody_reads(statement: dict[str, Any]) -> None:
    """A condition that is spelled wrongly would be none."""
    own = {f"{role}_actions" for role in statement["roles"]}
    required = {"sid", "roles", "actions", "resources"}
    assert required <= statement.keys() <= required | {"tagged", "equals", *own}
    boundaries = (["boundary"], ["deploy-boundary"])
    assert set(statement["roles"]) <= ROLES or statement["roles"] in boundaries
    assert statement.get("tagged") in (None, "RequestTag", "ResourceTag")


@pytest.mark.parametrize("role", [*sorted(ROLES), "boundary"])
def test_a_documents_statements_have_names_of_their_own(role: str) -> None:
    """IAM takes no two of one name, and a reader finds the one that an error names."""
    names = [statement["sid"] for statement in STATEMENTS if role in statement["roles"]]
    assert names
    assert len(names) == len(set(names))
