"""Runs a workflow's jobs on this machine: each `run:` line as the workflow has it.

What GitHub does around them is done here: a fresh checkout, expressions, environment variables,
`if: always()`, and credentials from the role that the job assumes with its token. A variable or
secret that nobody sets, an expression that is not known and a path that no upload finds are errors.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.git_commands import git
from tests.support.github_server import PULL, REPOSITORY, TOKEN
from tests.support.oidc_aws import claims
from tests.support.waiting import RUN_HANGS_S

if TYPE_CHECKING:
    from tests.support.github_server import GitHub
    from tests.support.oidc_aws import StrictAws

PROJECT = Path(__file__).parents[2]
# What set-up makes once; a job on GitHub makes it anew.
_SET_UP = (".venv", "node_modules")
_INPUTS_OF_SET_UP = (
    "package-lock.json",
    "package.json",
    "pyproject.toml",
    "requirements.lock",
    "scripts/bootstrap.lock",
    ".npmrc",
)
FORK = "pull_request of a fork"

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
# MAKE: what the suite itself was started with, ARGS among it, would go on to every `make` of a job
_OURS = ("AWS_", "CODEBUILD_", "DYNO_", "GITHUB_", "GIT_", "MAKE", "MFLAGS", "TF_VAR_")


@dataclass(frozen=True)
class Done:
    """One command of a job.

    Attributes:
        line: As the workflow has it.
        status: Its exit status; 0 where the job goes on whatever it is.
        output: What it printed, both streams.
    """

    line: str
    status: int
    output: str


@dataclass(frozen=True)
class Job:
    """A job that has run."""

    steps: tuple[Done, ...]
    workspace: Path
    summary: str
    uploaded: tuple[str, ...]  # paths of an upload that matched a file
    given: frozenset[str]  # environment variables of the workflow's own

    @property
    def passed(self) -> bool:
        """Whether every command did."""
        return all(step.status == 0 for step in self.steps)

    @property
    def log(self) -> str:
        """What all commands printed."""
        return "\n".join(f"$ {step.line} -> {step.status}\n{step.output}" for step in self.steps)

    @property
    def lines(self) -> list[str]:
        """The commands that ran."""
        return [step.line for step in self.steps]


@dataclass
class Runner:
    """GitHub's runners for one repository.

    Attributes:
        home: Folder for workspaces.
        remote: The repository.
        github: The API.
        aws: The account that the workflows work in; None: they get no credentials.
        variables: Of the repository, by name.
        environments: Of GitHub environments, by theirs.
    """

    home: Path
    remote: Path
    github: GitHub
    aws: StrictAws | None = None
    variables: dict[str, str] = field(default_factory=dict)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    artefacts: dict[str, Path] = field(default_factory=dict)  # the last of each name
    ended: dict[str, str] = field(default_factory=dict)  # how each job has, last
    count: int = 0

    def run(
        self,
        workflow: str,
        job: str,
        *,
        event: str = "push",
        branch: str = "main",
        skip: tuple[str, ...] = (),
        more: Mapping[str, str] | None = None,
    ) -> Job:
        """Run one job of a workflow.

        Args:
            workflow: Its name, without .yml.
            job: The job's.
            event: What started it: push, pull_request, schedule or FORK.
            branch: What is checked out.
            skip: Commands that are not run here.
            more: Flags to put behind a command, by the command.
        """
        workspace = self.checkout(branch)
        content = yaml.safe_load((workspace / f".github/workflows/{workflow}.yml").read_text())
        found = content["jobs"][job]
        for step in found["steps"]:
            if ref := (step.get("with") or {}).get("ref"):
                assert ref == "${{ github.event.repository.default_branch }}", ref
                workspace = self.checkout("main")
        running = _Running(self, workspace, found, event, branch)
        more = dict(more or {})
        assert more.keys() <= {step.get("run") for step in found["steps"]}, "no such command"
        for step in found["steps"]:
            running.step(step, skip, more)
        done = running.done()
        self.ended[job] = "success" if done.passed else "failure"
        return done

    def checkout(self, branch: str) -> Path:
        """Return a fresh clone, set up."""
        self.count += 1
        workspace = self.home / f"workspace-{self.count}"
        git(self.home, "clone", "-q", "--branch", branch, str(self.remote), str(workspace))
        for name in _INPUTS_OF_SET_UP:  # as old as what was set up from them
            os.utime(workspace / name, (0, 0))
        for name in _SET_UP:
            (workspace / name).mkdir()
            for path in (PROJECT / name).iterdir():
                (workspace / name / path.name).symlink_to(path)
        return workspace


class _Running:
    """One job at work."""

    def __init__(
        self, runner: Runner, workspace: Path, job: Mapping[str, Any], event: str, branch: str
    ) -> None:
        self._runner, self._workspace, self._job, self._event = runner, workspace, job, event
        self._steps: list[Done] = []
        self._uploaded: list[str] = []
        self._given: set[str] = set()
        self._environment = job.get("environment", "")
        self._branch = branch
        self._credentials: dict[str, str] = {}
        self._summary = workspace / ".git" / "summary.md"
        self._event_path = workspace / ".git" / "event.json"
        self._event_path.write_text(json.dumps(_event(event)))
        self._summary.touch()

    def step(self, step: Mapping[str, Any], skip: tuple[str, ...], more: dict[str, str]) -> None:
        """Do a step, unless one before has failed and it is not for that case, too."""
        condition = step.get("if", "success()")
        assert condition in ("success()", "always()"), f"if: {condition} is not known here"
        failed = any(done.status for done in self._steps)
        if failed and condition != "always()":
            return
        if "run" in step:
            if step["run"] not in skip:
                self._run(step["run"], more.get(step["run"], ""), step.get("env") or {})
                if step.get("continue-on-error"):
                    self._steps[-1] = replace(self._steps[-1], status=0)
            return
        action = step["uses"].partition("@")[0]
        if action == "aws-actions/configure-aws-credentials":
            self._assume(step["with"])
        elif action == "actions/upload-artifact":
            self._upload(step["with"])
        elif action == "actions/download-artifact":
            target = self._workspace / step["with"]["path"]
            kept = self._runner.artefacts.get(step["with"]["name"])
            if kept is None or not kept.exists():
                assert step.get("continue-on-error"), f"no artefact {step['with']['name']}"
            else:
                shutil.copytree(kept, target)
        elif action.startswith("actions/cache/"):
            self._cache(action.rpartition("/")[2], self._workspace / step["with"]["path"])
        else:
            known = ("actions/checkout", "actions/setup-python", "actions/setup-node")
            assert action in known, f"{action} is not known here"

    def done(self) -> Job:
        """Return what came of it."""
        summary = self._summary.read_text()
        given = frozenset(self._given)
        return Job(tuple(self._steps), self._workspace, summary, tuple(self._uploaded), given)

    def _run(self, line: str, flags: str, own: Mapping[str, str]) -> None:
        asked = {**(self._job.get("env") or {}), **own}
        given = {name: self._evaluate(str(value)) for name, value in asked.items()}
        self._given |= given.keys()
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
        finished = subprocess.run(
            ["bash", "-e", "-c", f"{self._evaluate(line)} {flags}".strip()],
            cwd=self._workspace,
            env={**inherited, **self._context(), **self._credentials, **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_HANGS_S,
            check=False,
        )
        self._steps.append(Done(line, finished.returncode, finished.stdout))

    def _assume(self, given: Mapping[str, Any]) -> None:
        """Get credentials as the action does: GitHub's token for the role's session."""
        assert self._runner.aws, "nobody may get credentials here"
        assert self._job["permissions"]["id-token"] == "write"
        role = self._evaluate(given["role-to-assume"])
        session = self._runner.aws.assume(role, claims(self._subject()))
        self._credentials = {**session, "AWS_REGION": self._evaluate(given["aws-region"])}

    def _subject(self) -> str:
        if self._environment:
            return f"repo:{REPOSITORY}:environment:{self._environment}"
        if self._event == "pull_request":
            return f"repo:{REPOSITORY}:pull_request"
        return f"repo:{REPOSITORY}:ref:refs/heads/{self._branch}"

    def _cache(self, what: str, folder: Path) -> None:
        """Keep a folder for later jobs, or get what the last one has kept."""
        kept = self._runner.home / f"cache-{folder.name}"
        if what == "save":
            shutil.copytree(folder, kept, dirs_exist_ok=True)
        elif kept.exists():
            shutil.copytree(kept, folder)

    def _upload(self, given: Mapping[str, Any]) -> None:
        """Keep the files below what all patterns have in common, as the action does."""
        patterns = given["path"].split()
        fixed = [pattern.partition("*")[0].rpartition("/")[0] for pattern in patterns]
        top = self._workspace / os.path.commonpath(fixed)
        kept = self._runner.artefacts[given["name"]] = self._workspace / ".git" / given["name"]
        for pattern in patterns:
            found = list(self._workspace.glob(pattern))
            self._uploaded += [pattern] if found else []
            for path in found:
                target = kept / path.relative_to(top)
                target.parent.mkdir(parents=True, exist_ok=True)
                if path.is_dir():
                    shutil.copytree(path, target, dirs_exist_ok=True)
                else:
                    shutil.copy2(path, target)

    def _evaluate(self, text: str) -> str:
        return _EXPRESSION.sub(lambda found: self._value(found[1]), text)

    def _value(self, expression: str) -> str:
        kind, _, name = expression.partition(".")
        if kind == "vars":
            known = {
                **self._runner.variables,
                **self._runner.environments.get(self._environment, {}),
            }
            return known[name]  # `dyno bootstrap` must have said it
        if found := re.fullmatch(r"needs\.([a-z]+)\.result", expression):
            return self._runner.ended[found[1]]
        if expression.startswith("secrets.DYNO_"):
            return ""  # optional: nobody has set it
        assert expression == "secrets.GITHUB_TOKEN", f"{expression} is not known here"
        return TOKEN

    def _context(self) -> dict[str, str]:
        """Return what GitHub tells every command."""
        is_pull = self._event in ("pull_request", FORK)
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self._runner.github.url,
            "GITHUB_EVENT_NAME": "pull_request" if is_pull else self._event,
            "GITHUB_EVENT_PATH": str(self._event_path),
            "GITHUB_REF": f"refs/pull/{PULL}/merge" if is_pull else f"refs/heads/{self._branch}",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": "4711",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_STEP_SUMMARY": str(self._summary),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
        }


def _event(name: str) -> dict[str, Any]:
    if name not in ("pull_request", FORK):
        return {"repository": {"full_name": REPOSITORY}}
    base = {"repo": {"full_name": REPOSITORY}}
    head = {"repo": {"full_name": "mallory/shop"}} if name == FORK else base
    return {"number": PULL, "pull_request": {"number": PULL, "head": head, "base": base}}


def sources() -> Iterator[str]:
    """Yield the paths of everything in the project that git knows or would take."""
    listed = git(PROJECT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    yield from (path for path in listed.split("\0") if path and (PROJECT / path).is_file())
