"""Which server `dyno local` means."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_dyno.cli import local
from lambda_dyno.cli.support import project


def test_runs_make_no_project_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's server stays the user's after the first run that was made there."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    (folder := tmp_path / "somewhere").mkdir()
    monkeypatch.chdir(folder)
    assert local._local_home().is_relative_to(home)

    (run := folder / "runs" / "261201-1200-abcd").mkdir(parents=True)
    (run / "lease.json").write_text("{}")
    assert project() == folder
    assert local._local_home().is_relative_to(home)

    (env := folder / "envs" / "local").mkdir(parents=True)
    (env / "dyno.toml").write_text("")
    assert local._local_home().is_relative_to(folder)
