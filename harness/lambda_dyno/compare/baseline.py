"""What a candidate is compared with: a branch, tag or commit, a former run, or a stored result.

A baseline must run again, beside the candidate: figures of another hour, machine or account say
nothing about the code. So what is looked for is its sources. A commit has them, a run's folder
has a copy, and a stored result names the commit that it was made of.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lambda_dyno.core.config import Env
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.files import named
from lambda_dyno.core.reading import read_json
from lambda_dyno.runs.git import GitError, WorkingTree
from lambda_dyno.runs.run_folder import RUN_ID, RunFolder
from lambda_dyno.terraform import root_override
from lambda_dyno.terraform.packages import Package

_INSTEAD = "give a branch, a tag, a commit or a run id"
_GENERATED = ("*.auto.tfvars.json", "backend_override.tf.json", root_override.NAME)
_STATE = (".terraform*", "*.tfstate*", "__pycache__")


@dataclass(frozen=True, slots=True)
class Baseline:
    """A version that can be deployed again.

    Attributes:
        name: What the user called it.
        git_sha: Its commit; with "+changes" if a run's sources differed; empty if unknown.
        run: Folder of the run whose sources it is; None for a commit.
    """

    name: str
    git_sha: str
    run: RunFolder | None = None

    @property
    def label(self) -> str:
        """The baseline in a few words."""
        sha = self.git_sha[:9]
        if self.run is not None:
            return f"run {self.run.run_id}"
        return self.name if self.git_sha.startswith(self.name) else f"{self.name} ({sha})"

    def write_to(self, folder: Path, project: Path, env: Env) -> dict[str, Package] | None:
        """Put its envs/, modules/ and lambda/ into a folder.

        Args:
            folder: Gets them.
            project: The tree's folder that holds `envs/`.
            env: What is to be deployed.

        Returns:
            The packages of a run, as they were deployed then; None: lambda/ is there to be built.
        """
        if self.run is None:
            tree = WorkingTree(project)
            paths = _paths(tree, self.git_sha, env)
            _extract(tree, self.git_sha, paths, folder)
            return None
        ignore = shutil.ignore_patterns(*_GENERATED, *_STATE)
        shutil.copytree(self.run.terraform, folder, ignore=ignore, dirs_exist_ok=True)
        return {path.stem: _copied(path, folder / "build") for path in _zips(self.run)}


def of_settings(project: Path, env: Env, runs_folder: Path) -> Baseline | None:
    """Return the baseline of `[regression]`, or None if it names none."""
    what = env.settings.regression.baseline
    return resolve(project, env, runs_folder, what) if what else None


def resolve(project: Path, env: Env, runs_folder: Path, what: str) -> Baseline:
    """Return the baseline that somebody names.

    Args:
        project: Folder that holds `envs/`.
        env: The environment that both versions are deployed as.
        runs_folder: Folder of all runs.
        what: A run id, the path of a result.json (or of its folder), or what git knows.

    Raises:
        UserError: There is no such thing, or nothing of it that could be deployed.
    """
    # os.path: what is too long for a path, or has a NUL, is no file
    if RUN_ID.fullmatch(what) or os.path.isfile(runs_folder / what / "lease.json"):  # noqa: PTH113
        return _of_run(runs_folder / what, env, what)
    path = Path(what)
    if path.suffix == ".json" or os.path.isfile(path / "result.json"):  # noqa: PTH113
        return _of_result(path, project, env, what)
    return _of_commit(project, env, what, what)


def _of_run(path: Path, env: Env, what: str) -> Baseline:
    folder = RunFolder(path)
    if not (path / "lease.json").is_file():
        raise UserError(f"baseline {what}: there is no such run in {path.parent}")
    lease = folder.read_lease()
    if lease.env != env.name:
        raise UserError(
            f"baseline {what}: this run is of environment {lease.env}, not of {env.name}"
        )
    if not (folder.terraform / lease.root_path).is_dir() or not _zips(folder):
        raise UserError(
            f"baseline {what}: {path} has no copy of its sources (terraform/, build/): "
            "give a branch, a tag or a commit"
        )
    return Baseline(what, str(_field(path / "result.json", "git_sha")), folder)


def _of_result(path: Path, project: Path, env: Env, what: str) -> Baseline:
    """Return the commit of a stored result, or its run if its folder is there."""
    file = path / "result.json" if path.is_dir() else path
    run_id, sha = str(_field(file, "run_id")), str(_field(file, "git_sha"))
    if not run_id:
        raise UserError(f"baseline {what}: {file} is not the result of a run: {_INSTEAD}")
    if (file.parent / "lease.json").is_file() and (file.parent / "terraform").is_dir():
        return _of_run(file.parent, env, what)
    why = "names no commit" if not sha else ""
    if sha.endswith("+changes"):
        why = f"is of commit {sha[:9]} with changes that were in no commit"
    if why:
        raise UserError(
            f"baseline {what}: a baseline is measured again beside the candidate, and this result "
            f"{why}: {_INSTEAD}"
        )
    return _of_commit(project, env, sha, what)


def _of_commit(project: Path, env: Env, revision: str, what: str) -> Baseline:
    tree = WorkingTree(project)
    sha = ""
    for name in (revision, f"origin/{revision}"):  # a CI checkout has no branch but its own
        if not sha and not revision.startswith("-"):
            sha = tree.commit_named(name)
    if not sha:
        raise UserError(
            f"baseline {what}: neither a branch, a tag or a commit of {project} (git fetch it?) "
            "nor a run id nor a result.json"
        )
    _paths(tree, sha, env)
    return Baseline(what, sha)


def _paths(tree: WorkingTree, sha: str, env: Env) -> list[str]:
    """Return the folders of a commit that a deployment needs.

    Raises:
        UserError: The environment, or what it refers to, is not in it.
    """
    needed = [env.root, *env.settings.environment.folders]
    present = [path for path in ("lambda", *needed) if tree.has_folder(sha, path)]
    missing = [path for path in needed if path not in (*present, "modules")]
    if missing:
        raise UserError(f"baseline: commit {sha[:9]} has no {', '.join(missing)} to deploy")
    return present


def _extract(tree: WorkingTree, sha: str, paths: Sequence[str], folder: Path) -> None:
    """Write folders of a commit."""
    try:
        archive = tree.archive(sha, paths)
    except GitError as error:
        raise UserError(f"baseline: git archive {sha[:9]}: {error.reason}") from error
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")


def _zips(folder: RunFolder) -> list[Path]:
    return sorted(folder.build.glob("[!.]*.zip"))


def _copied(path: Path, folder: Path) -> Package:
    folder.mkdir(parents=True, exist_ok=True)
    content = path.read_bytes()
    target = folder / path.name
    with named(target):
        target.write_bytes(content)
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return Package(target, digest, len(content))


def _field(path: Path, key: str) -> object:
    """Return a text of a result.json; empty if it has none.

    Raises:
        UserError: It cannot be read.
    """
    content = read_json(path, where=f"baseline {path}")
    value = content.get(key) if isinstance(content, dict) else None
    return value if isinstance(value, str) else ""
