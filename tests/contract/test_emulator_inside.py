"""Runs tests/emulator, the tests that import MiniStack, in the environment that has it.

The embedded AWS has a Python environment of its own (`lambda_dyno.emulator.installation`). Its
packages come first there, and pytest from this environment behind them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest

from lambda_dyno.emulator import installation

pytestmark = [pytest.mark.contract, pytest.mark.timeout(1800)]

PROJECT = Path(__file__).parents[2]
FILES = sorted((PROJECT / "tests" / "emulator").glob("test_*.py"))
RUN_PYTEST = """
import sys
sys.path.append(sys.argv.pop(1))
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


def test_tests_of_the_server_pass_where_it_runs() -> None:
    """Each file has some, and none fails; what does is in the output."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [
            *(str(installation.python()), "-c", RUN_PYTEST, sysconfig.get_path("purelib")),
            *("-v", "-p", "no:cacheprovider", "-p", "no:dyno", "-p", "no:xdist", *map(str, FILES)),
        ],
        cwd=PROJECT,
        env=mine,
        capture_output=True,
        text=True,
        timeout=1500,  # hundreds of tests
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = set(re.findall(r"^tests/emulator/(\S+?)::.* PASSED", done.stdout, re.M))
    assert passed == {file.name for file in FILES}, done.stdout
