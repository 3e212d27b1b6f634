"""Windows is told what to do in a sentence, where there was a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lambda_dyno.core import systems
from tests.support.waiting import HANGS_S

HARNESS = Path(__file__).parents[3] / "harness"
# A Python as on Windows: the platform's name, and no modules of POSIX.
ON_WINDOWS = """
import sys
sys.platform = "win32"
for name in ("fcntl", "pwd", "resource", "termios"):
    sys.modules[name] = None
from lambda_dyno.__main__ import main
main()
"""


@pytest.mark.parametrize("arguments", [(), ("run",), ("--help",), ("local", "start")])
def test_on_windows_each_command_says_what_to_use(arguments: tuple[str, ...]) -> None:
    """Status 2, one line, before anything is imported that is not there."""
    done = subprocess.run(
        [sys.executable, "-c", ON_WINDOWS, *arguments],
        env={**os.environ, "PYTHONPATH": str(HARNESS)},
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {systems.refusal('win32')}\n"
    assert "WSL 2" in done.stderr


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_where_it_runs_nothing_is_said(platform: str) -> None:
    """Nor here."""
    assert systems.refusal(platform) == systems.refusal() == ""
