"""What git and the CI system say of a commit: its branch, its page, what lies between two."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lambda_dyno.core import github_variables
from lambda_dyno.core.errors import DynoError
from lambda_dyno.core.results import WEB_PAGE
from lambda_dyno.runs.git import WorkingTree

_BEGINNING = re.compile(r"[0-9a-f]{4,64}")
_SHA = re.compile(r"[0-9a-f]{7,64}")
# A CI system checks out a commit, so git knows no branch there. The first that is set counts.
_BRANCH_VARIABLES = (
    "GITHUB_HEAD_REF",  # of a pull request
    "GITHUB_REF",
    "CODEBUILD_WEBHOOK_HEAD_REF",
    "CI_COMMIT_REF_NAME",  # GitLab
)
_WEB = re.compile(
    r"(?:https://|ssh://git@|git@)(?P<host>[a-z0-9.-]+)[:/](?P<path>[\w.-]+(?:/[\w.-]+)+)/?"
)
_MOST_COMMITS = 20


def is_abbreviated(text: str) -> bool:
    """Whether a text may be the beginning of a commit's id."""
    return _BEGINNING.fullmatch(text) is not None


def named(project: Path, revision: str) -> str:
    """Return the commit that a branch or tag names; empty: none."""
    if revision.startswith("-"):
        return ""  # git would take it for an option
    return WorkingTree(project).commit_named(revision)


def branch(project: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Return the branch that is measured; empty: not known."""
    for name in _BRANCH_VARIABLES:
        if told := environ.get(name):
            if told.startswith("refs/") and not told.startswith("refs/heads/"):
                return ""  # a tag, or a pull request's merge
            return told.removeprefix("refs/heads/")
    return WorkingTree(project).branch()


def web_address(project: Path) -> str:
    """Return the repository's page, to which `/commit/SHA` leads on; empty: not known.

    GitHub, GitLab and Gitea answer there. CodeCommit's remotes have no such page.
    """
    found = _WEB.fullmatch(WorkingTree(project).remote_url("origin"))
    if not found or "amazonaws.com" in found["host"]:
        return ""
    return f"https://{found['host']}/{found['path'].removesuffix('.git')}"


def pages(project: Path, sha: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the web pages of what is measured, by what they are of; those that are known.

    Args:
        project: The working tree.
        sha: The commit that is measured; empty: not known.
        environ: The process's environment, in which GitHub and GitLab say where a job is.
    """
    web, commit = web_address(project), sha.partition("+")[0]
    found = {
        "commit": f"{web}/commit/{commit}" if web and _SHA.fullmatch(commit) else "",
        "pull request": _pull_request(environ),
        "CI run": environ.get("CI_PIPELINE_URL", "")
        or github_variables.run_url(environ, environ.get("GITHUB_REPOSITORY", "")),
    }
    return {name: url for name, url in found.items() if WEB_PAGE.fullmatch(url)}


def _pull_request(environ: Mapping[str, str]) -> str:
    repository, merged = environ.get("GITHUB_REPOSITORY", ""), github_variables.pull_number(environ)
    if repository and merged:
        return f"{github_variables.server_url(environ)}/{repository}/pull/{merged}"
    project = environ.get("CI_MERGE_REQUEST_PROJECT_URL", "")
    number = environ.get("CI_MERGE_REQUEST_IID", "")
    return f"{project}/-/merge_requests/{number}" if project and number else ""


@dataclass(frozen=True, slots=True)
class Between:
    """What lies between two commits.

    Attributes:
        commits: "SHA subject" of each, newest first, at most 20.
        more: How many further ones.
        files: What `git diff --stat` says in its last line.
        problem: Why nothing is known; empty if it is.
    """

    commits: tuple[str, ...] = ()
    more: int = 0
    files: str = ""
    problem: str = ""


def between(project: Path, before: str, after: str) -> Between:
    """Return what lies between two commits of the project.

    Args:
        project: Its folder.
        before: A commit; whatever is none is not given to git.
        after: The same.
    """
    if not (_SHA.fullmatch(before) and _SHA.fullmatch(after)):
        return Between(problem="a run's commit is not known")
    if before == after:
        return Between()
    tree = WorkingTree(project)
    for sha in (before, after):
        if not tree.commit_named(sha):
            return Between(problem=f"commit {sha[:9]} is not in this clone (git fetch)")
    try:
        lines = tree.log(before, after)
        files = tree.changed(before, after)
    except DynoError as error:
        return Between(problem=str(error))
    return Between(tuple(lines[:_MOST_COMMITS]), max(0, len(lines) - _MOST_COMMITS), files)
