"""What --baseline may name, and what a wrong name is told before anything is deployed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.compare import baseline
from lambda_dyno.core.config import Env, Settings
from lambda_dyno.core.errors import UserError
from tests.support.git_commands import commit_all, git

RUN_ID = "251120-0915-k3f9"


def write(project: Path, name: str, text: str) -> None:
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose main has an environment, a module and a function; changed since."""
    project = tmp_path / "project"
    write(project, "envs/local/main.tf", 'variable "name_prefix" {}\n')
    write(project, "modules/hello/main.tf", "# before\n")
    write(project, "lambda/hello/app.py", "BEFORE = True\n")
    commit_all(project)
    write(project, "lambda/hello/app.py", "BEFORE = False\n")
    return project


def env(project: Path, name: str = "local", **environment: Any) -> Env:
    settings = Settings.model_validate({"environment": environment})
    return Env(name, project / "envs" / name, settings)


def resolve(project: Path, what: str, name: str = "local", **environment: Any) -> baseline.Baseline:
    return baseline.resolve(project, env(project, name, **environment), project / "runs", what)


def write_run(project: Path, **result: Any) -> Path:
    """Write what a run of the environment leaves."""
    folder = project / "runs" / RUN_ID
    lease = {
        "run_id": RUN_ID,
        "env": "local",
        "name_prefix": f"dyno-{RUN_ID}",
        "state": "down",
        "owner": "me",
        "host": "here",
        "pid": 1,
        "started_at": "2025-11-20T09:15:00+00:00",
        "expires_at": "2025-11-20T13:15:00+00:00",
    }
    write(project, f"runs/{RUN_ID}/lease.json", json.dumps(lease))
    write(project, f"runs/{RUN_ID}/result.json", json.dumps({"run_id": RUN_ID, **result}))
    root = f"runs/{RUN_ID}/terraform/envs/local"
    for name in (
        "main.tf",
        "zz-dyno.auto.tfvars.json",
        "zz-memory.auto.tfvars.json",
        "zz_dyno_override.tf.json",
    ):
        write(project, f"{root}/{name}", f"{name}\n")
    write(project, f"{root}/terraform.tfstate", "{}")
    write(project, f"{root}/.terraform/dyno-initialised", "")
    write(project, f"runs/{RUN_ID}/terraform/modules/hello/main.tf", "# then\n")
    write(project, f"runs/{RUN_ID}/build/hello.zip", "zip of then")
    return folder


@pytest.mark.parametrize("what", ["main", "v1", "HEAD", "SHA"])
def test_a_branch_a_tag_or_a_commit_is_taken_from_git(project: Path, what: str) -> None:
    """Its files are those of the commit, whatever the working tree has, and only those needed."""
    git(project, "tag", "v1")
    sha = git(project, "rev-parse", "HEAD")
    found = resolve(project, sha if what == "SHA" else what)
    assert found.git_sha == sha
    target = project / "target"
    assert found.write_to(target, project, env(project)) is None  # lambda/ is to be built
    assert (target / "lambda" / "hello" / "app.py").read_text() == "BEFORE = True\n"
    assert sorted(path.name for path in target.iterdir()) == ["envs", "lambda", "modules"]
    assert git(project, "worktree", "list").count("\n") == 0  # nothing is left in .git


def test_a_branch_that_only_the_remote_has_is_found(project: Path) -> None:
    """A CI checkout has main as origin/main and nothing else."""
    git(project, "update-ref", "refs/remotes/origin/trunk", "HEAD")
    assert resolve(project, "trunk").git_sha == git(project, "rev-parse", "HEAD")


def test_a_project_in_a_folder_of_its_repository_is_taken_from_there(project: Path) -> None:
    """Paths are those of the project, not of the repository."""
    write(project, "inner/envs/local/main.tf", "# inner\n")
    write(project, "inner/lambda/hello/app.py", "INNER = True\n")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "Two")
    inner = project / "inner"
    resolve(inner, "main").write_to(inner / "target", inner, env(inner))
    assert (inner / "target" / "envs" / "local" / "main.tf").read_text() == "# inner\n"


def test_a_run_has_its_own_sources(project: Path) -> None:
    """Its packages as they were deployed, its Terraform, and neither its state nor its values."""
    write_run(project, git_sha="abc+changes")
    found = resolve(project, RUN_ID)
    assert (found.label, found.git_sha) == (f"run {RUN_ID}", "abc+changes")
    target = project / "target"
    packages = found.write_to(target, project, env(project))
    assert packages is not None
    assert packages["hello"].path.read_text() == "zip of then"
    assert packages["hello"].path.is_relative_to(target)
    assert [path.name for path in (target / "envs" / "local").iterdir()] == ["main.tf"]
    assert (target / "modules" / "hello" / "main.tf").read_text() == "# then\n"


def test_a_stored_result_stands_for_its_commit(project: Path) -> None:
    """Figures of another day prove nothing; what it was made of is measured again."""
    sha = git(project, "rev-parse", "HEAD")
    write(project, "kept.json", json.dumps({"run_id": RUN_ID, "git_sha": sha}))
    assert resolve(project, str(project / "kept.json")).git_sha == sha


def test_a_result_beside_its_sources_stands_for_its_run(project: Path) -> None:
    """The folder of a run, or its result.json, is the same as its id."""
    folder = write_run(project)
    for what in (folder, folder / "result.json"):
        assert resolve(project, str(what)).run is not None


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        pytest.param(
            "mian", r"baseline mian: neither a branch, a tag or a commit of .* nor a", id="ref"
        ),
        pytest.param("--all", "baseline --all: neither a branch", id="option"),
        pytest.param("251120-0915-zzzz", "there is no such run in", id="run"),
        pytest.param("gone.json", r"baseline gone\.json: cannot be read: No such file", id="file"),
        pytest.param("text.json", r"baseline text\.json: not JSON", id="no-json"),
        pytest.param("list.json", "not the result of a run: give a branch", id="no-result"),
        pytest.param(
            "dirty.json", "of commit 1a2b3c4d5 with changes .*: give a branch", id="dirty"
        ),
        pytest.param("nogit.json", "this result names no commit: give a branch", id="no-commit"),
    ],
)
def test_what_cannot_be_a_baseline_is_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, what: str, complaint: str
) -> None:
    """The line says what is wrong and what to give instead."""
    monkeypatch.chdir(project)
    write(project, "text.json", "no json")
    write(project, "list.json", "[]")
    write(project, "dirty.json", json.dumps({"run_id": "r", "git_sha": "1a2b3c4d5e6f+changes"}))
    write(project, "nogit.json", json.dumps({"run_id": "r", "git_sha": ""}))
    with pytest.raises(UserError, match=complaint) as caught:
        resolve(project, what)
    assert "\n" not in str(caught.value)


def test_a_commit_without_the_environment_is_refused(project: Path) -> None:
    """What the root refers to must be there, too; modules/ alone may be missing."""
    with pytest.raises(UserError, match=r"commit \w{9} has no envs/dev to deploy"):
        resolve(project, "main", "dev")
    with pytest.raises(UserError, match="has no layers to deploy"):
        resolve(project, "main", folders=["modules", "layers"])


def test_a_run_of_another_environment_or_without_sources_is_refused(project: Path) -> None:
    """An artefact with the evidence alone cannot be deployed."""
    folder = write_run(project)
    with pytest.raises(UserError, match="this run is of environment local, not of dev"):
        resolve(project, RUN_ID, "dev")
    (folder / "build" / "hello.zip").unlink()
    with pytest.raises(UserError, match="has no copy of its sources"):
        resolve(project, RUN_ID)


def test_without_git_there_is_no_commit(tmp_path: Path) -> None:
    """A folder outside any repository is told the same."""
    with pytest.raises(UserError, match="neither a branch"):
        baseline.resolve(tmp_path, env(tmp_path), tmp_path / "runs", "main")
