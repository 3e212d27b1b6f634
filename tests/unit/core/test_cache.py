"""What is fetched once is kept where only its owner can put something."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lambda_dyno.core import assets, cache
from lambda_dyno.core.errors import UserError

PROJECT = Path(__file__).parents[3]


def test_a_clone_has_its_own_and_whoever_has_the_package_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative XDG_CACHE_HOME does not count, as its specification says."""
    assert cache.folder_of("newman", {}) == PROJECT / ".cache" / "newman"
    monkeypatch.setattr(assets, "checkout", lambda: None)
    monkeypatch.setenv("HOME", str(tmp_path))
    home = tmp_path / ".cache" / "lambda-dyno"
    assert cache.folder_of("newman", {}) == home / "newman"
    assert cache.of_user({"XDG_CACHE_HOME": "cache"}) == home
    assert cache.of_user({"XDG_CACHE_HOME": "/var/c"}) == Path("/var/c/lambda-dyno")


def test_it_is_closed_to_others(tmp_path: Path) -> None:
    """Whatever the umask, and one that was open is closed."""
    folder = tmp_path / "lambda-dyno"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    assert cache.make(folder) == folder
    assert folder.stat().st_mode & 0o777 == 0o700


def test_one_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They could put another program there; root's is as good as one's own."""
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:
        assert cache.make(tmp_path) == tmp_path
        return
    with pytest.raises(UserError, match=rf"belongs to the user with id {owner}, and programs"):
        cache.make(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder away")
def test_roots_programs_do_not_come_from_a_users_folder(tmp_path: Path) -> None:
    """As with `sudo dyno`, which keeps HOME."""
    os.chown(tmp_path, 1234, -1)
    with pytest.raises(UserError, match=r"the user with id 1234, .*Set XDG_CACHE_HOME"):
        cache.make(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """With what to set, on one line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/x: Not a directory\. Set XDG_CACHE_HOME") as refused:
        cache.make(tmp_path / "file" / "x")
    assert "\n" not in str(refused.value)
