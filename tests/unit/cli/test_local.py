"""`dyno local fidelity`: a program of the clone's, behind a command that everybody sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lambda_dyno.cli import local
from lambda_dyno.core import assets
from lambda_dyno.core.errors import UserError

HARNESS = Path(__file__).parents[3] / "harness"


def test_without_a_clone_it_says_that_it_needs_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measured curves are no part of the package."""
    monkeypatch.setattr(assets, "checkout", lambda: None)
    with pytest.raises(UserError, match="clone of the repository"):
        local.local_fidelity(tmp_path / "fidelity")
    assert list(tmp_path.iterdir()) == []


def test_all_options_reach_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the words that it knows."""
    told: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda _, arguments, __: told.append(arguments))
    local.local_fidelity(Path("a b"), with_meter=True, repeats=7, as_json=True)
    assert told[0][1:] == [
        *("-P", "-m", "tools.fidelity", "--meter", "--json"),
        *("--output", "a b", "--repeats", "7"),
    ]


@pytest.mark.slow
def test_it_runs_where_other_tools_are(tmp_path: Path) -> None:
    """A folder of that name in the project is not taken for the clone's; the result is JSON."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "__init__.py").write_text("raise SystemError")
    done = subprocess.run(
        [sys.executable, "-m", "lambda_dyno", "local", "fidelity", "--output", "out", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(HARNESS)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["meter"] == []
    assert (tmp_path / "out" / "fidelity.md").read_text().count("\n| ") == len(found["model"]) + 1
    assert f"{len(found['model'])} functions compared: out/fidelity.md" in done.stderr
