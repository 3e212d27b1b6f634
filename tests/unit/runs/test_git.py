"""Which commit a folder is at, what a commit holds, and what git says when it refuses."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.runs.git import GitError, WorkingTree
from tests.support.git_commands import ALONE, commit_all, git

APP = PurePosixPath("lambda/app.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working tree with one commit."""
    (tmp_path / "lambda").mkdir()
    (tmp_path / "lambda" / "app.py").write_text("one\n")
    commit_all(tmp_path)
    return tmp_path


def test_a_version_is_the_commit_and_says_whether_something_differs(folder: Path) -> None:
    """A file that git does not know yet differs, too."""
    sha = git(folder, "rev-parse", "HEAD")
    assert WorkingTree(folder).version() == sha
    (folder / "new.py").write_text("")
    assert WorkingTree(folder).version() == f"{sha}+changes"


def test_without_git_or_a_commit_there_is_no_version(tmp_path: Path) -> None:
    """A run is measured all the same."""
    outside = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    assert WorkingTree(tmp_path, outside).version() == ""
    git(tmp_path, "init", "--quiet")
    assert WorkingTree(tmp_path).version() == ""


def test_a_program_that_is_missing_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where git is only looked at, that is no commit; where it is needed, a mistake."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    tree = WorkingTree(folder)
    assert tree.version() == ""
    assert tree.commit_named("main") == ""
    with pytest.raises(UserError, match="git is needed for this"):
        tree.require()


def test_an_archive_is_of_the_commit_and_not_of_the_working_tree(folder: Path) -> None:
    """As it was committed, byte for byte."""
    (folder / "lambda" / "app.py").write_text("two\n")
    content = WorkingTree(folder).archive("main", ["lambda"])
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        file = tar.extractfile("lambda/app.py")
        assert file is not None
        assert file.read() == b"one\n"


def test_a_refusal_has_gits_own_words(folder: Path) -> None:
    """Its last lines, on one."""
    with pytest.raises(GitError) as caught:
        WorkingTree(folder).archive("main", ["nothing"])
    assert "pathspec 'nothing' did not match" in caught.value.reason
    assert str(caught.value) == f"git archive: {caught.value.reason}"


def test_a_commit_needs_no_configured_author_and_keeps_a_configured_one(folder: Path) -> None:
    """A CI job has none; a person's own name stays."""
    author = "--format=%an <%ae>"
    tree = WorkingTree(folder, {**os.environ, **ALONE})
    made = tree.commit_on("HEAD", APP, "two\n", "Two")
    assert git(folder, "log", "-1", author, made) == "Lambda Dyno <lambda-dyno@noreply.invalid>"
    git(folder, "config", "user.name", "Bea")
    git(folder, "config", "user.email", "bea@example.com")
    tree = WorkingTree(folder, {**os.environ, **ALONE})
    made = tree.commit_on("HEAD", APP, "two\n", "Two")
    assert git(folder, "log", "-1", author, made) == "Bea <bea@example.com>"
