"""Where evidence goes: the store that dyno.toml names, and below it a place for each trust.

What a place is called is no protection: IAM is. It keeps runs apart that mean to be kept apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_dyno.core import github_variables
from lambda_dyno.core.config import STORE_URI
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.reading import UnreadableError, read_object

MAIN = "main"
OTHER = "other"

_PLACE = re.compile(r"(?P<env>[A-Za-z0-9_-]{1,64})/(?P<trust>main|other|pr/[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
# Events by which GitHub runs what is on a branch, and nobody's pull request.
_OF_A_BRANCH = frozenset({"push", "repository_dispatch", "schedule", "workflow_dispatch"})


@dataclass(frozen=True, slots=True)
class Store:
    """A bucket, and what all its keys begin with.

    Attributes:
        bucket: Its name.
        prefix: Empty, or with / at its end.
    """

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, uri: str, where: str = "[evidence] store") -> Store:
        """Return the store that a URI names.

        Raises:
            UserError: It is none.
        """
        found = STORE_URI.fullmatch(uri)
        if found is None:
            raise UserError(f'{where}: "{brief(uri)}" is not s3://BUCKET or s3://BUCKET/PREFIX')
        prefix = found["prefix"] or ""
        return cls(found["bucket"], f"{prefix}/" if prefix else "")

    @property
    def uri(self) -> str:
        """As dyno.toml has it."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


@dataclass(frozen=True, slots=True)
class Place:
    """What is below a store, for one environment and trust.

    Attributes:
        env: The environment's name.
        trust: "main", "pr/N" or "other".
    """

    env: str
    trust: str

    @classmethod
    def parse(cls, text: str) -> Place:
        """Return the place that `str` has made a text of.

        Raises:
            UserError: It is none.
        """
        found = _PLACE.fullmatch(text)
        if found is None:
            raise UserError(
                f'"{brief(text)}" is no place of a store, such as dev/main, dev/pr/12 or dev/other'
            )
        return cls(found["env"], found["trust"])

    def __str__(self) -> str:
        """As in a key, without / at its end."""
        return f"{self.env}/{self.trust}"


def trust_of(environ: Mapping[str, str]) -> str:
    """Return how far a run is trusted: "main", "pr/N" or "other".

    Args:
        environ: The process's environment, in which GitHub, GitLab and CodeBuild say what a job is
            of. Nothing else is asked: files of the working tree are the pull request's.
    """
    if environ.get("GITHUB_ACTIONS") == "true":
        return _of_github(environ)
    if environ.get("GITLAB_CI") == "true":
        branch = environ.get("CI_COMMIT_BRANCH", "")
        is_main = branch != "" and branch == environ.get("CI_DEFAULT_BRANCH")
        return _of(environ.get("CI_MERGE_REQUEST_IID", ""), is_main=is_main)
    if environ.get("CODEBUILD_BUILD_ID"):
        return _of(environ.get("PULL_REQUEST_ID", ""), is_main=False)
    return OTHER


def _of_github(environ: Mapping[str, str]) -> str:
    event, ref = environ.get("GITHUB_EVENT_NAME", ""), environ.get("GITHUB_REF", "")
    default = _named_by_the_event(environ)
    is_main = event in _OF_A_BRANCH and (
        # a schedule runs on the default branch alone, and its event need not name it
        event == "schedule" if not default else ref == f"refs/heads/{default}"
    )
    return _of(github_variables.pull_number(environ), is_main=is_main)


def _of(pull: str, *, is_main: bool) -> str:
    number = pull.lstrip("0")
    if pull:
        return f"pr/{number}" if _NUMBER.fullmatch(number) else OTHER
    return MAIN if is_main else OTHER


def default_branch(environ: Mapping[str, str]) -> str:
    """Return the default branch as the CI system names it; empty: it does not."""
    if environ.get("GITHUB_ACTIONS") == "true":
        return _named_by_the_event(environ)
    return environ.get("CI_DEFAULT_BRANCH", "") if environ.get("GITLAB_CI") == "true" else ""


def _named_by_the_event(environ: Mapping[str, str]) -> str:
    """Return the default branch as the event names it; empty: it does not."""
    path = environ.get("GITHUB_EVENT_PATH", "")
    try:
        event: Mapping[str, Any] = read_object(Path(path)) if path else {}
    except UnreadableError:
        return ""
    repository = event.get("repository")
    name = repository.get("default_branch") if isinstance(repository, dict) else None
    return name if isinstance(name, str) else ""
