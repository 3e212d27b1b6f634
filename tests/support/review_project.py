"""A project in a git working tree with a bare remote beside it, and `dyno` run in it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.cli import app
from lambda_dyno.core.results import RunResult
from lambda_dyno.runs import run_folder
from tests.support import report_samples as samples
from tests.support.git_commands import git

SOURCES = Path(__file__).parents[2]
TUNED = "tuned.auto.tfvars.json"


@dataclass(frozen=True)
class Done:
    """What a command left."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed with --json."""
        return json.loads(self.out)


class Project:
    """A project with the real roots of dev and local, committed and pushed."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.folder = folder / "project"
        self.remote = folder / "remote.git"
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        for name in list(os.environ):
            if name.startswith(("AWS_", "CI_", "GITHUB_", "GITLAB_", "GIT_", "PULL_REQUEST_ID")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
        for env in ("dev", "local"):
            shutil.copytree(
                SOURCES / "envs" / env,
                self.folder / "envs" / env,
                ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars*"),
            )
        (self.folder / "modules").mkdir()
        (self.folder / "modules" / "README.md").touch()
        (self.folder / ".gitignore").write_text("/runs/\n")
        git(folder, "init", "-q", "--bare", "-b", "main", str(self.remote))
        self.git("init", "-q", "-b", "main")
        self.commit("Begin")
        self.git("remote", "add", "origin", str(self.remote))
        self.git("push", "-q", "origin", "main")
        monkeypatch.chdir(self.folder)

    def git(self, *arguments: str) -> str:
        """Run git in the project."""
        return git(self.folder, *arguments)

    def commit(self, title: str) -> None:
        """Commit everything."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", title)

    def on_remote(self, *arguments: str) -> str:
        """Run git in the remote."""
        return git(self.remote, *arguments)

    def add_run(self, result: RunResult, endpoint: str = "") -> str:
        """Put a run into runs/ and return its id."""
        # `dyno tune --function` calls its runs after the function, and their leases after the tuner
        env = run_folder.TUNER_ENV if result.env.startswith("function ") else result.env
        folder = run_folder.create(
            self.folder / "runs", env, "dyno", timedelta(hours=1), endpoint=endpoint
        )
        named = replace(result, run_id=folder.run_id)
        folder.result.write_text(json.dumps(named.to_json()))
        return folder.run_id

    def tuned(self, env: str = "dev") -> Path:
        """Return the path of an environment's tuned file."""
        return self.folder / "envs" / env / TUNED

    def dyno(self, *arguments: str, **environment: str) -> Done:
        """Run a command in this process."""
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["dyno", *arguments])
            for name, value in environment.items():
                patch.setenv(name, value)
            self._capsys.readouterr()
            try:
                app.main()
                status: Any = 0
            except SystemExit as end:
                status = end.code
        out, err = self._capsys.readouterr()
        return Done(int(status or 0), out, " ".join(err.split()))


def good_run(**changes: Any) -> RunResult:
    """A run of dev on AWS whose recommendation may be applied: 512 MB in place of 128."""
    api = {"api_url": "https://x.execute-api.us-east-2.amazonaws.com/v1", "memory_mb": 128}
    return samples.run(env="dev", outputs=api, **changes)
