"""What the modules refuse before anything is made: their own `terraform test`, without an AWS.

Validations need nothing but the variables; without the provider a run takes a tenth of the time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from lambda_dyno.core.files import locked
from lambda_dyno.terraform import toolchain

pytestmark = pytest.mark.plan

PROJECT = Path(__file__).parents[2]
VALIDATION = re.compile(r"^  validation \{\n.*?^  \}$", re.M | re.S)
CONDITION = re.compile(r"^    condition .*?(?=^    error_message)", re.M | re.S)
VARIABLE = re.compile(r'^variable "(\w+)" \{\n.*?^\}$', re.M | re.S)
MOCK = re.compile(r'^mock_provider "aws" \{(?:\}|.*?^\})$', re.M | re.S)
RUN = re.compile(r'^run "\w+" \{\n.*?^\}$', re.M | re.S)
MISSED = re.compile(r"checkable object, var\.(\w+), was expected to report an error")
DEADLINE_S = 600
CASES = Path("tests", "refusals.tftest.hcl")
SLOW = pytest.mark.slow


def validations(module: str) -> Counter[str]:
    """Return how many validations each variable of a module has."""
    text = (PROJECT / "modules" / module / "variables.tf").read_text()
    return Counter(
        {v[1]: count for v in VARIABLE.finditer(text) if (count := len(VALIDATION.findall(v[0])))}
    )


CHECKED = sorted(
    path.parent.name
    for path in PROJECT.glob("modules/*/variables.tf")
    if validations(path.parent.name)
)


@pytest.fixture
def variables(tmp_path: Path, module: str) -> Path:
    """The variables of a module, with the cases for them, and nothing else."""
    source = PROJECT / "modules" / module
    (tmp_path / "tests").mkdir()
    shutil.copy(source / "variables.tf", tmp_path)
    cases, mocks = MOCK.subn("", (source / CASES).read_text())
    assert mocks == 1
    (tmp_path / CASES).write_text(cases)
    return tmp_path


def terraform(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Terraform without an account and without credentials."""
    tools = toolchain.prepare(PROJECT / ".cache")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in tools.unset and not name.startswith("AWS_")
    }
    return subprocess.run(
        [str(tools.terraform), *arguments],
        cwd=folder,
        env={**environment, **tools.environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


@pytest.mark.parametrize("module", CHECKED)
def test_a_module_refuses_wrong_values(variables: Path, module: str) -> None:
    """Each of them, and nothing else of the same call."""
    done = terraform(variables, "test", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RUN.findall((variables / CASES).read_text()))} passed, 0 failed" in done.stdout


@SLOW
@pytest.mark.parametrize("module", CHECKED)
def test_a_module_tests_itself(tmp_path: Path, module: str) -> None:
    """As its users would: whole, with the AWS provider mocked."""
    folder = Path(shutil.copytree(PROJECT / "modules", tmp_path / "modules")) / module
    with locked(toolchain.prepare(PROJECT / ".cache").lock):
        done = terraform(folder, "init", "-backend=false", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr
    done = terraform(folder, "test", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[1-9]\d* passed, 0 failed", done.stdout)


@pytest.mark.parametrize("module", CHECKED)
def test_each_validation_has_a_wrong_value(module: str) -> None:
    """At least as many as the variable has validations; which, the test below proves."""
    text = (PROJECT / "modules" / module / CASES).read_text()
    assert re.search(r'^mock_provider "aws" \{', text, re.M)
    tried = Counter(re.findall(r"^    var\.(\w+),$", text, re.M))
    missing = {name: n for name, n in validations(module).items() if tried[name] < n}
    assert not missing


@pytest.mark.parametrize("module", CHECKED)
def test_no_validation_goes_unnoticed(variables: Path, module: str) -> None:
    """GIVEN one validation of each variable that takes everything WHEN the module is tested.

    THEN a wrong value is missed for each: Terraform stops at the first run that fails, so those
    that were noticed are put back, and it is asked again.
    """
    file, tests = variables / "variables.tf", variables / CASES
    original, runs = file.read_text(), tests.read_text()
    counts = validations(module)
    for index in range(max(counts.values())):
        open_ = {name for name, count in counts.items() if count > index}
        while open_:
            file.write_text(VARIABLE.sub(lambda v: _taking_all(v, open_, index), original))  # noqa: B023
            tests.write_text(RUN.sub(lambda run: _if_about(run, open_), runs))  # noqa: B023
            done = terraform(variables, "test", "-json")
            events = [json.loads(line) for line in done.stdout.splitlines()]
            details = " ".join(event.get("diagnostic", {}).get("detail", "") for event in events)
            noticed = set(MISSED.findall(details))
            assert noticed, f"no wrong value of {open_} needs validation {index}: {details}"
            open_ -= noticed


def _taking_all(variable: re.Match[str], names: set[str], index: int) -> str:
    """Return a variable with a validation that takes everything, if it is one of those."""
    name, text = variable[1], variable[0]
    if name not in names:
        return text
    validation = VALIDATION.findall(text)[index]
    return text.replace(validation, CONDITION.sub(f"    condition = can(var.{name})\n", validation))


def _if_about(run: re.Match[str], names: set[str]) -> str:
    """Return a run if it expects one of those variables to be refused."""
    return run[0] if any(f"    var.{name},\n" in run[0] for name in names) else ""
