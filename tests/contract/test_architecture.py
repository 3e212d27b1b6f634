"""The arrows of docs: who may import whom, and what may never be in a file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.contract

PROJECT = Path(__file__).parents[2]


def imports(path: Path) -> set[str]:
    """Return the top-level packages that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def modules_of(path: Path, package: str) -> set[str]:
    """Return what of a package a file imports, by whole names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return {name for name in names if name.split(".")[0] == package}


def tracked(*patterns: str) -> list[Path]:
    """Return the files that git tracks."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=PROJECT, capture_output=True, check=True
    )
    paths = [PROJECT / name for name in listing.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


_SHARED = ("lambda_dyno.tuner_contract.", "lambda_dyno.tuner_policy.")


def test_harness_and_lambda_share_the_contract_only() -> None:
    """And the policy; all else is in JSON shapes. terraform/packages.py zips no more than that."""
    functions = {path.parent.name for path in PROJECT.glob("lambda/*/*/__init__.py")}
    assert functions
    for path in tracked("harness/*.py"):
        assert not imports(path) & functions, path
    users = set()
    for path in tracked("lambda/*.py"):
        assert not imports(path) & {"lambda_emulator", "tests", "tools"}, path
        shared = modules_of(path, "lambda_dyno")
        assert all(f"{name}.".startswith(_SHARED) for name in shared), path
        users |= {path.relative_to(PROJECT).parts[1] for _ in shared}
    assert users == {"power_tuner"}


def test_the_policy_needs_nothing_but_python() -> None:
    """And the law of short functions, which is pure as well."""
    law = "lambda_emulator.meter_path.dyno_meter.cfs"
    files = tracked("harness/lambda_dyno/tuner_policy/*.py")
    assert files
    for path in files:
        assert imports(path) <= set(sys.stdlib_module_names) | {"lambda_dyno", "lambda_emulator"}
        shared = [*modules_of(path, "lambda_dyno"), *modules_of(path, "lambda_emulator")]
        assert all(f"{name}.".startswith(("lambda_dyno.tuner_policy.", law)) for name in shared)


def test_the_contract_needs_nothing_but_python() -> None:
    """The tuner's function has nothing else of this package."""
    files = tracked("harness/lambda_dyno/tuner_contract/*.py")
    assert files
    for path in files:
        assert imports(path) <= set(sys.stdlib_module_names) | {"lambda_dyno"}, path
        shared = modules_of(path, "lambda_dyno")
        assert all(f"{name}.".startswith("lambda_dyno.tuner_contract.") for name in shared), path


def test_functions_need_nothing_beyond_the_runtime() -> None:
    """What is not in the Lambda runtime would have to be packed."""
    import sys

    allowed = set(sys.stdlib_module_names) | {"boto3", "botocore", "lambda_dyno"}
    for path in tracked("lambda/*.py"):
        own = path.relative_to(PROJECT).parts[2]
        assert imports(path) <= allowed | {own}, path


def test_the_meter_needs_nothing_but_python() -> None:
    """It is loaded into every worker, before anything else."""
    import sys

    files = tracked("harness/lambda_emulator/meter_path/*.py")
    assert files
    own = {path.stem for path in files} | {path.parent.name for path in files}
    for path in files:
        assert imports(path) <= set(sys.stdlib_module_names) | own, path


def test_packages_import_only_what_is_below_them() -> None:
    """The contracts of pyproject.toml, without an exception to any."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert not any(contract.get("ignore_imports") for contract in settings["contracts"])
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_pure_core_does_no_input_or_output() -> None:
    """Statistics and verdicts can be read and tested without the world."""
    product = "harness/lambda_dyno"
    files = tracked(
        f"{product}/statistics/*.py", f"{product}/gates/*.py", f"{product}/core/results.py"
    )
    assert files
    for path in files:
        forbidden = {"boto3", "os", "pathlib", "requests", "subprocess", "time", "urllib"}
        assert not imports(path) & forbidden, path


def test_no_file_names_a_registry_host_or_a_path_of_a_machine() -> None:
    """Locks resolve from whatever registry is set; paths of a build machine mean nothing here."""
    leak = re.compile(
        r"registry\.npmjs\.org|files\.python" + r"hosted\.org|pypi\.org/simple|deb\.debian\.org"
        r"|(?:^|[^\w./])/(?:work|root|farm)/"
    )
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if path == Path(__file__):
            continue
        assert not leak.search(text), path


def test_every_link_of_the_docs_leads_somewhere() -> None:
    """Files move; the pages that name them must follow."""
    broken = [
        f"{page.relative_to(PROJECT)}: {link}"
        for page in tracked("*.md")
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert broken == []


def test_scripts_have_their_run_bit() -> None:
    """A clone keeps it."""
    for path in (*tracked("scripts/*"), PROJECT / ".ci" / "run"):
        first = path.read_bytes()[:2]
        assert (first == b"#!") == bool(path.stat().st_mode & 0o100), path


@pytest.mark.parametrize(
    ("wanted", "module"),
    [
        pytest.param(
            r'response(\[|\.get\()"Error"|HTTPStatusCode', "core/aws_errors.py", id="refusals"
        ),
        pytest.param(r"\bflock\(", "core/files.py", id="locks"),
        pytest.param(r'\["git",', "runs/git.py", id="git"),
    ],
)
def test_what_many_need_is_done_in_one_module(wanted: str, module: str) -> None:
    """AWS's refusals are read, files are locked, and git is run in one place each."""
    harness = PROJECT / "harness" / "lambda_dyno"
    texts = {path.relative_to(harness): path.read_text() for path in harness.rglob("*.py")}
    found = {str(path) for path, text in texts.items() if re.search(wanted, text)}
    own = {path for path in found if path.startswith("emulator/")}  # it locks as its server does
    assert found - own == {module}
