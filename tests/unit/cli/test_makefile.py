"""Make, wherever the clone is: its path may have what a shell takes for something else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from pip._vendor.distlib.scripts import ScriptMaker, enquote_executable

from tests.support.waiting import HANGS_S

PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "name", ['a "b"', *(pytest.param(name, marks=pytest.mark.slow) for name in ("a $b", "aü 'b'"))]
)
def test_a_clone_may_be_anywhere(tmp_path: Path, name: str) -> None:
    """Also where pip's own launcher of `dyno` does not start."""
    clone = tmp_path / name
    (clone / "envs" / "local").mkdir(parents=True)
    (clone / "envs" / "local" / "dyno.toml").touch()
    for part in ("scripts", "harness"):
        (clone / part).symlink_to(PROJECT / part)
    for part in ("Makefile", "requirements.lock", "pyproject.toml", "package.json"):
        shutil.copy(PROJECT / part, clone)
    for part in ("package-lock.json", ".npmrc"):
        shutil.copy(PROJECT / part, clone)
    made = [sys.executable, "-m", "venv", "--without-pip", str(clone / ".venv")]
    subprocess.run(made, check=True, timeout=HANGS_S)
    python = clone / ".venv" / "bin" / "python"
    (site,) = (clone / ".venv").glob("lib/python*/site-packages")
    (site / "tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n{PROJECT / 'harness'}\n")
    launchers = ScriptMaker(None, str(python.parent))
    launchers.executable = enquote_executable(str(python))
    launchers.make("dyno = lambda_dyno.__main__:main")
    (clone / "node_modules").mkdir()
    for ready in (".venv", "node_modules"):
        (clone / ready / ".ready").touch()
    done = subprocess.run(
        ["make", "tune", "ARGS=--num 4"],
        cwd=clone,
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        env={k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "AWS_", "PYTHON"))},
    )
    assert "error: command line: [tuning] num: 4 is not allowed" in done.stderr, done.stderr
    assert done.returncode == 2


def test_the_command_of_a_clone_needs_its_set_up(tmp_path: Path) -> None:
    """And finds it from anywhere."""
    asked = subprocess.run(
        [PROJECT / "dyno", "--version"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert asked.stdout.startswith("lambda-dyno ")
    shutil.copy(PROJECT / "dyno", tmp_path)
    bare = subprocess.run([tmp_path / "dyno"], check=False, capture_output=True, text=True)
    assert (bare.returncode, bare.stderr) == (
        2,
        "error: dyno is not set up in this clone: make setup\n",
    )
