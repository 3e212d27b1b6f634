"""The zips of the functions."""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from harness.build import build
from harness.errors import UserError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A function's folder with all that belongs into its package, and all that does not."""
    folder = tmp_path / "lambda" / "crud"
    for name in (
        "crud/handler.py",
        "crud/__init__.py",
        "crud/data/prices.json",
        "crud/__pycache__/handler.cpython-311.pyc",
        "crud/stray.pyc",
        "crud/tests/test_handler.py",
        "tests/test_all.py",
        ".hidden/notes.txt",
        "crud/.DS_Store",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    return folder


def test_the_package_holds_the_source_and_nothing_else(source: Path, tmp_path: Path) -> None:
    """The folder's content is at the root, sorted, without byte code, tests and hidden files."""
    package = build(source, tmp_path / "crud.zip")
    with zipfile.ZipFile(package.path) as archive:
        assert archive.namelist() == [
            "crud/__init__.py",
            "crud/data/prices.json",
            "crud/handler.py",
        ]
        assert archive.read("crud/handler.py") == b"# crud/handler.py\n"


def test_the_figures_are_those_of_the_file(source: Path, tmp_path: Path) -> None:
    """Hash and size are of the bytes on the disk, the hash in Terraform's form."""
    package = build(source, tmp_path / "crud.zip")
    content = package.path.read_bytes()
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert (package.sha256_base64, package.size_bytes) == (digest, len(content))


def test_the_same_source_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    """Times and modes of the files make no difference."""
    first = build(source, tmp_path / "first.zip")
    for path in source.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    second = build(source, tmp_path / "second.zip")
    assert first.path.read_bytes() == second.path.read_bytes()


def test_every_entry_can_be_read_by_everybody(source: Path, tmp_path: Path) -> None:
    """Lambda runs the code as another user than the one who built it."""
    package = build(source, tmp_path / "crud.zip")
    with zipfile.ZipFile(package.path) as archive:
        assert {entry.external_attr >> 16 & 0o777 for entry in archive.infolist()} == {0o644}


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
    """The message names the folder."""
    with pytest.raises(UserError, match="nowhere"):
        build(tmp_path / "nowhere", tmp_path / "crud.zip")
