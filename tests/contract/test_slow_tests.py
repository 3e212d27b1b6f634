"""docs/testing.md says which tests `make test` leaves out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.contract

TESTS = Path(__file__).parents[1]


def test_the_table_names_each_file_with_slow_tests_and_no_other() -> None:
    """Whoever marks a test writes down why, and what is left in its place."""
    marked = {
        str(path.relative_to(TESTS))
        for path in TESTS.rglob("test_*.py")
        if re.search(r"\bmark\.slow\b", path.read_text(encoding="utf-8"))
        and path.name != Path(__file__).name
    }
    page = (TESTS.parent / "docs" / "testing.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `((?:unit|plan|e2e)/[\w/]+\.py)` \|", page, re.M)) == marked
