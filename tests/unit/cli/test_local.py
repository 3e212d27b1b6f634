"""`dyno local fidelity`: a program of the clone's, behind a command that everybody sees."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambda_dyno.cli import local
from lambda_dyno.core import assets
from lambda_dyno.core.errors import UserError
from tests.support.waiting import HANGS_S

if TYPE_CHECKING:
    from collections.abc import Callable

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
    local.local_fidelity(Path("a b"), Path("c d"), with_meter=True, repeats=7, as_json=True)
    assert told[0][1:] == [
        *("-P", "-m", "tools.fidelity", "--meter", "--json", "--curves", "c d"),
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
        timeout=HANGS_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["meter"] == []
    table = (tmp_path / "out" / "fidelity.md").read_text()
    assert table.count("\n| ") == len(found["model"]) + len(found["families"]) + 3
    assert f"{len(found['model'])} functions compared: out/fidelity.md" in done.stderr


@pytest.mark.slow
def test_curves_of_ones_own(tmp_path: Path) -> None:
    """Errors and regret by family, from a file; one that is none is told in one line."""
    rows = [
        {"id": f"f{i}", "cls": "cpu", "power": [128, 512, 1769], "duration_ms": [1400, 350, 101]}
        for i in range(3)
    ]
    (tmp_path / "mine.json").write_text(json.dumps(rows))

    def bench(file: str) -> subprocess.CompletedProcess[str]:
        command = ["local", "fidelity", "--output", "out", "--json", "--curves", file]
        return subprocess.run(
            [sys.executable, "-m", "lambda_dyno", *command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(HARNESS)},
            capture_output=True,
            text=True,
            timeout=HANGS_S,
            check=False,
        )

    done = bench("mine.json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(f["name"], f["curves"]) for f in found["families"]] == [("cpu, x86_64", 3), ("all", 3)]
    assert found["families"][0]["p90_error"] < 0.04

    (tmp_path / "mine.json").write_text('[{"id": "f", "power": [128]}]')
    (tmp_path / "out" / "fidelity.md").unlink()
    refused = bench("mine.json")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    assert "mine.json: curve 1 (f): duration_ms" in refused.stderr
    assert not (tmp_path / "out" / "fidelity.md").exists()


@pytest.mark.parametrize(
    "number",
    [pytest.param(one, marks=pytest.mark.slow) for one in (signal.SIGTERM, signal.SIGKILL)],
)
def test_no_worker_outlives_the_bench(tmp_path: Path, number: signal.Signals) -> None:
    """However it is ended, as by a job's time-out."""
    sizes = list(range(128, 1800, 4))
    row = {"id": "f", "power": sizes, "duration_ms": [17 * 1769 / size for size in sizes]}
    (tmp_path / "long.json").write_text(json.dumps([row] * 500))
    bench = subprocess.Popen(
        [sys.executable, "-m", "lambda_dyno", "local", "fidelity", "--curves", "long.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(HARNESS)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert _becomes(lambda: _size_of_group(bench.pid) > 2), "it never had workers"
        bench.send_signal(number)
        bench.wait(30)
        assert _becomes(lambda: _size_of_group(bench.pid) == 0), "workers are left"
    finally:
        if _size_of_group(bench.pid):
            os.killpg(bench.pid, signal.SIGKILL)
        bench.wait()


def _becomes(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _size_of_group(group: int) -> int:
    listed = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True)
    lines = [line.split() for line in listed.stdout.splitlines()]
    return sum(int(pgid) == group and not state.startswith("Z") for pgid, state in lines)
