"""The main job on a real terminal: whole, and with Ctrl-C in the middle of each step."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_run import PROJECT, processes_of
from tests.support.terminal import CTRL_C, Terminal, terminal
from tests.support.waiting import RUN_HANGS_S

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2 * RUN_HANGS_S)]

QUICK = "--num 5 --power 128,512 --duration-s 6 --ramp-up-s 1 --virtual-users 4"
STEPS = ("build", "up", "smoke", "workload", "tune", "load", "gate", "report", "down")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A clone with everything installed; no process of it is left at the end."""
    ignore = shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__")
    for part in ("envs", "modules", "lambda", "postman", "scripts"):
        shutil.copytree(PROJECT / part, tmp_path / part, ignore=ignore)
    for file in ("Makefile", "pyproject.toml", "requirements.lock", "package.json", ".npmrc"):
        shutil.copy2(PROJECT / file, tmp_path / file)
    shutil.copy2(PROJECT / "package-lock.json", tmp_path / "package-lock.json")
    for lock in ("requirements.lock", "node_runtime/package-lock.json"):
        path = Path("harness", "lambda_emulator", lock)
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / path, tmp_path / path)
    (PROJECT / ".cache").mkdir(exist_ok=True)
    for part in (".venv", "node_modules", ".cache"):
        (tmp_path / part).symlink_to(PROJECT / part)
    yield tmp_path
    assert processes_of(tmp_path) == []


def environment() -> dict[str, str]:
    """Return what a person's shell has: no AWS, no colours forced."""
    dropped = ("AWS_", "PYTEST_", "FORCE_COLOR", "NO_COLOR", "TTY_", "COLUMNS", "MAKE", "MFLAGS")
    return {k: v for k, v in os.environ.items() if not k.startswith(dropped)}


def works_on(window: Terminal, step: str) -> bool:
    """Whether the living line of a step is on the screen."""
    return any(re.match(rf"[^✓✗!\s] {step} ", line) for line in window.lines)


def leases(project: Path) -> list[str]:
    """Return the states of all environments."""
    found = sorted((project / "runs").glob("*/lease.json"))
    return [json.loads(path.read_text())["state"] for path in found]


@pytest.mark.slow  # a whole run without a terminal is in test_run.py
@pytest.mark.parametrize("columns", [80])
def test_a_person_sees_the_whole_line(project: Path, columns: int) -> None:
    """Each step once, in its order, then tables, verdict and report; nothing cut, nothing left."""
    with terminal(
        ["make", "tune", f"ARGS={QUICK}"], columns=columns, cwd=project, env=environment()
    ) as window:
        status = window.wait(RUN_HANGS_S)
        assert status in (0, 2), window.text  # make has 2 for whatever it is
        done = [m[1] for line in window.lines if (m := re.match(r"✓ (\w+) +[\d.]+ s  ", line))]
        assert done == list(STEPS), window.text
        assert not any(works_on(window, step) for step in STEPS), "no living line is left"
        assert "Traceback" not in window.text
        assert not window.cursor_hidden
        table = window.text.partition("\nMemory sizes")[2].partition("\n\n")[0]
        assert re.findall(r"^ +(128|512) ", table, re.MULTILINE) == ["128", "512"], window.text
        report = window.text.partition("\nReport: ")[2].splitlines()
        assert "".join(report).endswith("/report.html")  # the terminal has broken it, not we
        assert max(len(line) for line in window.lines) <= columns
    assert leases(project) == ["down"]


@pytest.mark.slow  # in the middle of an apply: test_leaks.py
@pytest.mark.parametrize("step", ["start", "up", "smoke", "tune", "load", "report", "down"])
def test_ctrl_c_is_heard_in_each_step(project: Path, step: str) -> None:
    """It ends what goes on, takes everything down, and says so; once more does not stop that."""
    dyno = [str(PROJECT / ".venv" / "bin" / "dyno"), "run", *QUICK.split()]
    with terminal(dyno, cwd=project, env=environment()) as window:
        if step == "start":
            time.sleep(0.3)
        else:
            assert window.until(lambda: works_on(window, step), RUN_HANGS_S), window.text
            time.sleep(0.4 if step in ("up", "tune", "load") else 0.1)
        window.type(CTRL_C)
        status = window.wait(RUN_HANGS_S)
        text = " ".join(window.text.split())
        assert "Traceback" not in text
        assert not window.cursor_hidden
        if step == "start":
            assert status == 130, window.text
        elif step in ("report", "down"):  # all was measured: the first one is held back
            assert status in (0, 1, 130), window.text
            assert "2 more to abandon it" in text or f"✓ {step}" in text
        else:
            assert status == 130, window.text
            assert f"! {step}" in text
            assert "interrupted" in text
        if step != "start":
            assert "nothing left behind" in text, window.text
    assert set(leases(project)) <= {"down"}


@pytest.mark.slow  # steps alone on a closed terminal: tests/unit/report/test_terminal.py
def test_a_closed_terminal_takes_the_environment_down(project: Path) -> None:
    """Nobody is left to read; what was made goes all the same."""
    dyno = [str(PROJECT / ".venv" / "bin" / "dyno"), "run", *QUICK.split()]
    with terminal(dyno, cwd=project, env=environment()) as window:
        assert window.until(lambda: works_on(window, "smoke"), RUN_HANGS_S), window.text
        window.close()
        window.process.wait(timeout=RUN_HANGS_S)
    assert leases(project) == ["down"]
    (run,) = (project / "runs").glob("*/result.json")
    assert json.loads(run.read_text())["leftovers"] == []
