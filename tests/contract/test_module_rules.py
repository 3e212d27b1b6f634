"""What modules ask for by one name, they ask for in the same words: Terraform shares none."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

pytestmark = pytest.mark.contract

PROJECT = Path(__file__).parents[2]
VALIDATION = re.compile(r"^  validation \{\n.*?^  \}$", re.M | re.S)
VARIABLE = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}$', re.M | re.S)


def rules() -> dict[str, dict[str, str]]:
    """Return each variable's first validation, by module, by the variable's name."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for path in PROJECT.glob("modules/*/variables.tf"):
        for name, body in VARIABLE.findall(path.read_text()):
            if validations := VALIDATION.findall(body):
                found[name][path.parent.name] = validations[0]
    return found


@pytest.mark.parametrize("name", sorted(name for name, by in rules().items() if len(by) > 1))
def test_a_name_has_one_rule(name: str) -> None:
    """A prefix that one module takes, all do; days of logs are the same days everywhere."""
    assert len(set(rules()[name].values())) == 1, rules()[name]


def test_the_names_that_several_modules_check_are_known() -> None:
    """Else the test above would prove nothing of them."""
    shared = {name: set(by) for name, by in rules().items() if len(by) > 1}
    assert shared["log_retention_days"] == {"api", "function", "power_tuner", "retune"}
    assert shared["name_prefix"] >= {"api", "function", "packages", "power_tuner", "table"}


def test_there_is_one_spelling_of_days() -> None:
    """`log_retention_days`, and no object with days in it."""
    for path in PROJECT.glob("modules/*/*.tf"):
        spelled = set(re.findall(r"\b\w*retention\w*\b", path.read_text()))
        assert spelled <= {
            "default_retention",  # AWS's own name of a block
            "log_retention_days",
            "retention",
            "retention_in_days",
        }, path
