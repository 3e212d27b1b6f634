"""What is told of a function that is not as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.attach import untouched
from lambda_dyno.attach.untouched import Snapshot
from lambda_dyno.runs.run_folder import RunFolder

BEFORE = Snapshot(512, "arm64", "abc=", ("1", "2"), {"live": "2"})


def test_what_is_the_same_is_not_told() -> None:
    """And a snapshot says what it is of."""
    assert untouched.changes(BEFORE, replace(BEFORE)) == ()
    assert BEFORE.words == "512 MB, 2 versions and 1 alias"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"memory_mb": 1024}, "memory 512 MB → 1024 MB"),
        ({"architecture": "x86_64"}, "architecture arm64 → x86_64"),
        ({"code_sha256": "abd="}, "its code is another"),
        ({"versions": ("1", "2", "3")}, "new versions: 3"),
        ({"versions": ("2",)}, "versions that are gone: 1"),
        ({"aliases": {"live": "1"}}, "aliases: live (2 → 1)"),
        ({"aliases": {}}, "aliases: live (2 → none)"),
        ({"aliases": {"live": "2", "dyno": "1"}}, "aliases: dyno (none → 1)"),
    ],
)
def test_each_change_is_told(change: dict[str, Any], told: str) -> None:
    """By what it was and what it is."""
    assert untouched.changes(BEFORE, replace(BEFORE, **change)) == (told,)


@pytest.mark.parametrize("text", ["", "[]", '{"memory_mb": 1}', '{"versions": 3}'])
def test_a_snapshot_is_kept_in_the_folder(tmp_path: Path, text: str) -> None:
    """What is none there is none."""
    folder = RunFolder(tmp_path)
    assert untouched.kept(folder) is None
    untouched.keep(folder, BEFORE)
    assert untouched.kept(folder) == BEFORE
    next(tmp_path.glob("function-before.json")).write_text(text)
    assert untouched.kept(folder) is None
