"""The zips of the functions."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.terraform import packages as build_module
from lambda_dyno.terraform.packages import build

PROJECT = Path(__file__).parents[3]


def write(folder: Path, *names: str) -> Path:
    """Write files that hold their own names, and return the folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A function's folder, as people have them."""
    return write(
        tmp_path / "lambda" / "crud",
        "crud/handler.py",
        "crud/__init__.py",
        "crud/data/prices.json",
    )


def names(package: Path) -> list[str]:
    with zipfile.ZipFile(package) as archive:
        return archive.namelist()


def modes(package: Path) -> dict[str, int]:
    with zipfile.ZipFile(package) as archive:
        return {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}


def test_the_package_holds_the_source_sorted(source: Path, tmp_path: Path) -> None:
    """The folder's content is at the root."""
    package = build(source, tmp_path / "crud.zip")
    with zipfile.ZipFile(package.path) as archive:
        assert archive.namelist() == [
            "crud/__init__.py",
            "crud/data/prices.json",
            "crud/handler.py",
        ]
        assert archive.read("crud/handler.py") == b"# crud/handler.py\n"
    assert package.left_out == ""


@pytest.mark.parametrize(
    "name",
    [
        "node_modules/.prisma/client/index.js",
        "node_modules/.bin/tool",
        ".python_packages/lib/site-packages/jinja2/__init__.py",
        ".next/server/page.js",
        ".config.json",
        ".env.example",
        "tests/data/model.txt",
        "crud/tests/__init__.py",
        "venv.py",
        "legacy.pyc",
    ],
)
def test_what_a_function_may_need_is_in_its_package(
    source: Path, tmp_path: Path, name: str
) -> None:
    """Hidden or not, whatever it is called; byte code too if there is no source of it."""
    write(source, name)
    package = build(source, tmp_path / "crud.zip")
    assert name in names(package.path)
    assert package.left_out == ""


def test_what_is_left_out_is_told_with_the_reason(source: Path, tmp_path: Path) -> None:
    """In one line; byte code is not worth one."""
    write(
        source,
        ".env",
        ".env.production",
        ".aws/credentials",
        ".git/HEAD",
        ".venv/bin/python",
        "crud/.DS_Store",
        "crud/handler.pyc",
        "crud/__pycache__/handler.cpython-311.pyc",
        *(f"{letter}/.npmrc" for letter in "abc"),
    )
    package = build(source, tmp_path / "crud.zip")
    assert names(package.path) == ["crud/__init__.py", "crud/data/prices.json", "crud/handler.py"]
    assert package.left_out == (
        ".venv, crud/.DS_Store (caches and tools of whoever builds); .git (history); "
        ".aws, .env, .env.production and 3 more "
        "(secrets; give a function its settings by environment variables)"
    )


def test_a_folder_of_secrets_alone_has_nothing_to_zip(tmp_path: Path) -> None:
    """As an empty one."""
    with pytest.raises(UserError, match="no files to put into the function's package"):
        build(write(tmp_path / "fn", ".env"), tmp_path / "fn.zip")


def test_the_figures_are_those_of_the_file(source: Path, tmp_path: Path) -> None:
    """Hash and size are of the bytes on the disk, the hash in Terraform's form."""
    package = build(source, tmp_path / "crud.zip")
    content = package.path.read_bytes()
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert (package.sha256_base64, package.size_bytes) == (digest, len(content))


def test_the_same_source_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    """Times, and modes of others than the owner, make no difference."""
    first = build(source, tmp_path / "first.zip")
    for path in source.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    second = build(source, tmp_path / "second.zip")
    assert first.path.read_bytes() == second.path.read_bytes()


def test_a_package_is_compressed(source: Path, tmp_path: Path) -> None:
    """Upload and cold start take as long as there are bytes."""
    (source / "big.json").write_text("[0]" * 100_000)
    assert build(source, tmp_path / "crud.zip").size_bytes < 10_000


def test_everybody_can_read_and_programs_can_be_started(source: Path, tmp_path: Path) -> None:
    """Lambda runs the code as another user than the one who built it."""
    write(source, "bin/tool")
    (source / "bin" / "tool").chmod(0o700)
    (source / "crud" / "handler.py").chmod(0o600)
    assert modes(build(source, tmp_path / "crud.zip").path) == {
        "bin/tool": 0o755,
        "crud/__init__.py": 0o644,
        "crud/data/prices.json": 0o644,
        "crud/handler.py": 0o644,
    }


def test_an_executable_bit_is_a_change(source: Path, tmp_path: Path) -> None:
    """A tool that could not be started is deployed again once it can."""
    before = build(source, tmp_path / "crud.zip")
    (source / "crud" / "handler.py").chmod(0o755)
    assert build(source, tmp_path / "crud.zip").sha256_base64 != before.sha256_base64


def test_links_inside_of_the_folder_are_followed(source: Path, tmp_path: Path) -> None:
    """To files and to folders, by relative and by absolute paths."""
    (source / "node_modules").mkdir()
    (source / "node_modules" / "shared").symlink_to("../crud/data")
    (source / "main.py").symlink_to(source / "crud" / "handler.py")
    package = build(source, tmp_path / "crud.zip")
    assert names(package.path)[3:] == ["main.py", "node_modules/shared/prices.json"]
    with zipfile.ZipFile(package.path) as archive:
        assert archive.read("main.py") == b"# crud/handler.py\n"


def test_the_folder_itself_may_be_a_link(source: Path, tmp_path: Path) -> None:
    """As lambda/NAME to src/NAME."""
    link = tmp_path / "link"
    link.symlink_to(source)
    assert build(link, tmp_path / "a.zip").sha256_base64 == (
        build(source, tmp_path / "b.zip").sha256_base64
    )


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("../../common", r"crud/link: a link to \.\./\.\./common, out of the function's folder"),
        ("../../common/m.py", "out of the function's folder"),
        ("/etc/hostname", "out of the function's folder"),
        ("nowhere", "crud/link: a link to nowhere, which leads nowhere"),
        ("link", "leads nowhere"),
        (".", "crud/link: a link to a folder that it is in, without end"),
    ],
)
def test_links_that_lead_elsewhere_are_refused(
    source: Path, tmp_path: Path, target: str, message: str
) -> None:
    """Out of the folder, nowhere, or round in a circle: one line that names the link."""
    write(tmp_path / "common", "m.py")
    (source / "link").symlink_to(target)
    with pytest.raises(UserError, match=message) as error:
        build(source, tmp_path / "crud.zip")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "crud.zip").exists()


def test_links_that_lead_to_each_other_are_refused(source: Path, tmp_path: Path) -> None:
    """Each alone has an end."""
    for name, target in (("a", "../b"), ("b", "../a")):
        (source / name).mkdir()
        (source / name / "other").symlink_to(target)
    with pytest.raises(UserError, match="other: a link to a folder that it is in, without end"):
        build(source, tmp_path / "crud.zip")


def test_a_link_that_is_left_out_may_lead_anywhere(source: Path, tmp_path: Path) -> None:
    """As .venv to a shared one."""
    (source / ".venv").symlink_to("/nowhere")
    assert ".venv" in build(source, tmp_path / "crud.zip").left_out


def test_what_is_neither_file_nor_folder_is_refused(source: Path, tmp_path: Path) -> None:
    """A pipe would be read for ever."""
    os.mkfifo(source / "pipe")
    with pytest.raises(UserError, match="crud/pipe: neither a file nor a folder"):
        build(source, tmp_path / "crud.zip")


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ended badly leaves one."""
    folder = write(tmp_path / "fn", "app.py")
    monkeypatch.chdir(folder)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("s")
    with pytest.raises(UserError, match="fn/s: neither a file nor a folder"):
        build(folder, tmp_path / "fn.zip")


def test_a_name_that_no_zip_can_hold_is_refused(tmp_path: Path) -> None:
    """Bytes that are no UTF-8."""
    folder = write(tmp_path / "fn", "app.py")
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/\xff.py")).touch()
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(UserError, match="a name that is no UTF-8"):
        build(folder, tmp_path / "fn.zip")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_refused(source: Path, tmp_path: Path) -> None:
    (source / "crud" / "handler.py").chmod(0)
    with pytest.raises(UserError, match=r"handler\.py: cannot be packed: Permission denied"):
        build(source, tmp_path / "crud.zip")


def test_more_than_lambda_takes_is_refused(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is compressed for nothing; the biggest files are named."""
    monkeypatch.setattr(build_module, "_UNZIPPED_BYTES_MAX", 2**20)
    (source / "model.bin").write_bytes(bytes(3 * 2**20))
    with pytest.raises(UserError, match=r"3 MiB, and Lambda takes at most 1 MiB.*model\.bin 3 MiB"):
        build(source, tmp_path / "crud.zip")


def test_a_package_that_is_right_is_left_alone(source: Path, tmp_path: Path) -> None:
    """Building again without a change does not write."""
    package = build(source, tmp_path / "crud.zip")
    os.utime(package.path, (1, 1))
    assert build(source, tmp_path / "crud.zip") == package
    assert package.path.stat().st_mtime == 1


def test_a_change_gives_another_hash(source: Path, tmp_path: Path) -> None:
    """Changed code is written and seen by Terraform."""
    before = build(source, tmp_path / "crud.zip")
    (source / "crud" / "handler.py").write_text("# new\n")
    after = build(source, tmp_path / "crud.zip")
    assert after.sha256_base64 != before.sha256_base64
    assert sorted(path.name for path in tmp_path.glob("*crud.zip*")) == ["crud.zip"]


def test_a_missing_folder_is_the_users_mistake(tmp_path: Path) -> None:
    """The message names the folder, or the link that leads to none."""
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("nowhere", "link"):
        with pytest.raises(UserError, match=f"{name}: cannot be packed: No such file"):
            build(tmp_path / name, tmp_path / "crud.zip")
    (tmp_path / "itself").symlink_to("itself")
    with pytest.raises(UserError, match="itself: cannot be packed: "):
        build(tmp_path / "itself", tmp_path / "crud.zip")


def test_the_power_tuner_carries_what_it_shares(tmp_path: Path) -> None:
    """The contract under the name that both import it by, and its package's empty beginning."""
    package = build(PROJECT / "lambda" / "power_tuner", tmp_path / "tuner.zip")
    shared = {name for name in names(package.path) if not name.startswith("power_tuner/")}
    assert {"lambda_dyno/__init__.py", "lambda_dyno/tuner_contract/prices.json"} < shared
    law = "lambda_emulator/meter_path/dyno_meter/cfs.py"
    assert law in shared
    assert all(name.count("/") == 2 for name in shared - {"lambda_dyno/__init__.py", law})
    subprocess.run([sys.executable, "-I", "-c", _IMPORT_FROM_ZIP, str(package.path)], check=True)


_IMPORT_FROM_ZIP = """
import importlib, os, sys
os.environ["AWS_DEFAULT_REGION"] = "eu-west-1"
sys.path.insert(0, sys.argv[1])
for handler in ("prepare", "measure", "analyze", "optimize", "clean_up"):
    importlib.import_module(f"power_tuner.handlers.{handler}")
    importlib.import_module("power_tuner.adaptive")
    shared = [m for name, m in sys.modules.items() if name.split(".")[0] == "lambda_dyno"]
    assert shared and all(m.__file__.startswith(sys.argv[1]) for m in shared), shared
    for name in [*sys.modules]:  # the next one imports all it needs by itself
        if name.split(".")[0] in ("lambda_dyno", "power_tuner"):
            del sys.modules[name]
"""


def test_the_tuner_of_a_checkout_has_that_checkouts_contract(tmp_path: Path) -> None:
    """A baseline is measured by its own rules."""
    contract = tmp_path / "harness" / "lambda_dyno" / "tuner_contract"
    function = tmp_path / "lambda" / "power_tuner"
    for folder in (contract, function):
        folder.mkdir(parents=True)
        (folder / "own.py").touch()
    (contract.parent / "__init__.py").touch()
    assert names(build(function, tmp_path / "tuner.zip").path) == [
        "lambda_dyno/__init__.py", "lambda_dyno/tuner_contract/own.py", "own.py",
    ]  # fmt: skip
