"""Files that are replaced in one step, and locks that end with their holder."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lambda_dyno.core.files import lock_file, locked, try_lock, write_atomically, write_if_changed


@pytest.mark.parametrize("content", ["naïve\n", b"\x00\xff"])
def test_a_file_is_replaced_whole(tmp_path: Path, content: str | bytes) -> None:
    """Whoever has the old one open reads on in it; nothing is left beside."""
    path = tmp_path / "file"
    path.write_text("old")
    with path.open() as reader:
        write_atomically(path, content)
        assert reader.read() == "old"
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("before", "after", "stays"),
    [("abc", "abc", True), ("abc", "abd", False), ("abc", "ab", False)],
)
def test_only_a_file_that_changes_is_written(
    tmp_path: Path, before: str, after: str, stays: bool
) -> None:
    path = tmp_path / "report.md"
    write_if_changed(path, before)
    before_it = path.stat().st_ino
    (tmp_path / "a second name").hardlink_to(path)  # nobody else gets its number

    write_if_changed(path, after)

    assert (path.stat().st_ino == before_it) is stays
    assert path.read_text() == after


def test_a_file_of_secrets_is_its_owners_whatever_the_umask(tmp_path: Path) -> None:
    """And stays it, when it is replaced."""
    path = tmp_path / "file"
    umask = os.umask(0)
    try:
        write_atomically(path, "secret", mode=0o600)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_cannot_be_replaced_is_named_and_leaves_no_draft(tmp_path: Path) -> None:
    """Such as a folder where the file should be."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="folder") as caught:
        write_atomically(folder, "text")
    assert caught.value.filename == str(folder)
    assert list(tmp_path.iterdir()) == [folder]


def held_elsewhere(path: Path, shared: bool) -> bool:
    """Whether another process has to wait for a lock."""
    program = (
        "import fcntl, sys\n"
        "with open(sys.argv[1]) as file:\n"
        f"    fcntl.flock(file, {'fcntl.LOCK_SH' if shared else 'fcntl.LOCK_EX'} | fcntl.LOCK_NB)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, check=False)
    assert done.returncode == 0 or b"BlockingIOError" in done.stderr
    return done.returncode != 0


@pytest.mark.parametrize(
    ("ours", "theirs", "waits"),
    [
        pytest.param(False, False, True, id="two-writers"),
        pytest.param(False, True, True, id="a-writer-and-a-reader"),
        pytest.param(True, False, True, id="a-reader-and-a-writer"),
        pytest.param(True, True, False, id="two-readers"),
    ],
)
def test_a_lock_keeps_others_out(tmp_path: Path, ours: bool, theirs: bool, waits: bool) -> None:
    """Until the block ends; its folder need not be there before."""
    path = tmp_path / "new" / "lock"
    with locked(path, shared=ours):
        assert held_elsewhere(path, theirs) is waits
    assert not held_elsewhere(path, theirs)


def test_a_lock_that_somebody_has_is_not_waited_for(tmp_path: Path) -> None:
    """Whoever asks can say whose it is."""
    with lock_file(tmp_path / "lock") as first, lock_file(tmp_path / "lock") as second:
        assert try_lock(first)
        assert not try_lock(second)
