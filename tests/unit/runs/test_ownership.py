"""Marks: whose something is, and whether that one lives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lambda_dyno.runs import ownership
from lambda_dyno.runs.ownership import Owner


def test_a_process_knows_itself_by_its_mark() -> None:
    """The mark survives being written down."""
    me = Owner.this_process()
    assert Owner.parse(me.mark) == me
    assert me.pid == os.getpid()
    assert me.lives is True


@pytest.mark.parametrize("mark", ["", "1:2", "x", "ns:pid:identity"])
def test_other_words_are_no_mark(mark: str) -> None:
    """A process that carries something else is nobody's."""
    assert Owner.parse(mark) is None


def test_another_life_of_the_same_pid_is_another_owner() -> None:
    """Pids are used again."""
    me = Owner.this_process()
    assert Owner(me.namespace, me.pid, "another").lives is False


def test_a_process_of_another_pid_namespace_cannot_be_judged() -> None:
    """A container that shares our /tmp is not dead because we do not see it."""
    me = Owner.this_process()
    assert Owner("another", me.pid, me.identity).lives is None


def test_every_temporary_folder_is_its_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever letters its name ends in; or somebody would remove a living one's."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(ownership, "_LONGEST_BASE", 500)
    me = Owner.this_process()
    made = {me.temp_folder() for _ in range(200)}
    found = ownership.marked_folders()
    assert {path for path, _ in found} == made
    assert {whose for _, whose in found} == {me}
    folder = made.pop()
    assert folder is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(f"/tmp/{folder.name}/plugin1234567890") < 104  # a socket's path


def test_a_long_temporary_folder_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets in it could not be made."""
    monkeypatch.setattr("tempfile.tempdir", "/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T")
    assert ownership.temp_base() == Path("/tmp")
    monkeypatch.setattr("tempfile.tempdir", "/scratch")
    assert ownership.temp_base() == Path("/scratch")
