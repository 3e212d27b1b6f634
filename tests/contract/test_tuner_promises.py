"""docs/power-tuner.md names a test for each promise of the power tuner: they are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lambda_dyno.tuner_contract.keys import KEYS

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
# what was measured beside LPT comes last, and promises nothing
PAGE = (ROOT / "docs" / "power-tuner.md").read_text(encoding="utf-8").partition("\n## Beside")[0]


def test_every_promise_has_its_tests() -> None:
    """Each row of the tables names at least one test, and each of them exists."""
    files = (ROOT / "tests").rglob("test_*.py")
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    there = set(re.findall(r"^def (test_\w+)", source, re.M))
    rows = re.findall(r"^\| (?!---|key|promise)(.*) \|$", PAGE, re.M)
    promised = {row: re.findall(r"`(test_\w+)`", row.rpartition(" | ")[2]) for row in rows}
    assert len(promised) > 40
    assert [row for row, tests in promised.items() if not tests] == []
    assert {test for tests in promised.values() for test in tests} - there == set()


def test_every_key_is_promised() -> None:
    """Every key that the state machine knows is on the page."""
    assert [key.name for key in KEYS if f"`{key.name}`" not in PAGE] == []
