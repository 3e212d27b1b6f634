"""Where we are: which pull request of which repository, as a CI system tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lambda_dyno.core import github_variables
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.reading import read_object
from lambda_dyno.forge.rest_api import DEFAULT_API_URL

# It becomes part of an address: no name is "." or "..".
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/(?!\.{1,2}\Z)[A-Za-z0-9_.-]+")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
# git@github.com:owner/name.git, ssh://git@github.com/owner/name, https://github.com/owner/name
_REMOTE = re.compile(r"(?:^[^/]*?@?[^/:]+:|^[a-z+]+://[^/]+/)([^/:]+/[^/]+?)(?:\.git)?/?$")
_BUILD_ARN = re.compile(
    r"arn:aws[a-z-]*:codebuild:(?P<region>[a-z0-9-]+):(?P<account>\d+)"
    r":build/(?P<name>[A-Za-z0-9_-]+):(?P<id>[A-Za-z0-9-]+)"
)


@dataclass(frozen=True, slots=True)
class GitHubJob:
    """GitHub, as the process's environment names it.

    Attributes:
        api_url: Of its REST API.
        server_url: Of its pages, and of git over HTTPS.
        repository: "owner/name"; empty if nothing names one.
        pull: The pull request's number; None if there is none.
        from_fork: Whether its branch is in another repository.
        run_url: Of the workflow run, whose page has the artefacts; empty outside of one.
        summary_path: File that becomes the job's summary; empty outside of a job.
        token: What authorizes us; empty if there is none.
    """

    api_url: str
    server_url: str
    repository: str
    pull: int | None
    from_fork: bool
    run_url: str
    summary_path: str
    token: str

    def __repr__(self) -> str:
        """Leave the token out of logs and failing tests."""
        return f"GitHubJob({self.repository!r}, pull={self.pull})"


def github_job(
    environ: Mapping[str, str], *, repository: str = "", pull: int | None = None, remote: str = ""
) -> GitHubJob:
    """Return what the environment of a GitHub job says; what is given goes before it.

    Args:
        environ: The process's environment.
        repository: "owner/name"; empty takes the job's.
        pull: Number of the pull request; None takes the job's.
        remote: Address of the git remote, which names a repository where nothing else does.

    Raises:
        UserError: A name or number is none, or the event's file cannot be read.
    """
    event = _event(environ)
    named = repository or environ.get("GITHUB_REPOSITORY", "")
    if not named and (found := _REMOTE.search(remote)):
        named = found[1]
    if named and not _REPOSITORY.fullmatch(named):
        told = "--repo " if repository else "GITHUB_REPOSITORY="
        raise UserError(f"{told}{brief(named)}: must be OWNER/NAME, such as acme/shop")
    number = _pull(event, environ) if pull is None else pull
    if number is not None and number < 1:
        raise UserError(f"--pull {number}: must be the number of a pull request")
    return GitHubJob(
        api_url=environ.get("GITHUB_API_URL") or DEFAULT_API_URL,
        server_url=github_variables.server_url(environ),
        repository=named,
        pull=number,
        from_fork=_is_from_fork(event),
        run_url=github_variables.run_url(environ, named),
        summary_path=environ.get("GITHUB_STEP_SUMMARY", ""),
        token=environ.get("GITHUB_TOKEN", ""),
    )


def codebuild_url(environ: Mapping[str, str]) -> str:
    """Return the page of the CodeBuild build that we are in; empty outside of one."""
    found = _BUILD_ARN.fullmatch(environ.get("CODEBUILD_BUILD_ARN", ""))
    if not found:
        return ""
    build = quote(f"{found['name']}:{found['id']}", safe="")
    return (
        f"https://{found['region']}.console.aws.amazon.com/codesuite/codebuild/"
        f"{found['account']}/projects/{found['name']}/build/{build}"
    )


def page(environ: Mapping[str, str]) -> str:
    """Return the page of the CI system's run that we are in; empty outside of one."""
    return (
        environ.get("CI_PIPELINE_URL")
        or codebuild_url(environ)
        or github_job(environ, pull=1).run_url
    )


def job_result(environ: Mapping[str, str]) -> str:
    """Return how this job went so far: "success", "failure", "cancelled"; empty: nobody says.

    CodeBuild says it in post_build, GitLab in after_script.
    """
    of_gitlab = {"success": "success", "failed": "failure", "canceled": "cancelled"}
    of_codebuild = {"0": "failure", "1": "success"}
    return of_gitlab.get(environ.get("CI_JOB_STATUS", "")) or of_codebuild.get(
        environ.get("CODEBUILD_BUILD_SUCCEEDING", ""), ""
    )


def codecommit_pull(environ: Mapping[str, str], pull: int | None) -> str:
    """Return the id of the CodeCommit pull request, or an empty string.

    CodeBuild has no variable for it: the EventBridge rule that starts the build hands it over
    as PULL_REQUEST_ID (see buildspec.yml).

    Raises:
        UserError: It is no number.
    """
    told = environ.get("PULL_REQUEST_ID", "")
    if pull is None and told and not _NUMBER.fullmatch(told):
        raise UserError(f"PULL_REQUEST_ID={brief(told)}: must be the number of a pull request")
    return told if pull is None else str(pull)


def _event(environ: Mapping[str, str]) -> Mapping[str, Any]:
    path = environ.get("GITHUB_EVENT_PATH", "")
    if not path:
        return {}
    return read_object(Path(path), where=f"GITHUB_EVENT_PATH={brief(path, most=300)}")


def _pull(event: Mapping[str, Any], environ: Mapping[str, str]) -> int | None:
    """Return the number of the event's pull request."""
    issue = _part(event, "issue")
    of_run = _part(event, "workflow_run").get("pull_requests")
    first = of_run[0] if isinstance(of_run, list) and of_run else {}
    for holder in (
        _part(event, "pull_request"),
        issue if "pull_request" in issue else {},
        first if isinstance(first, dict) else {},
    ):
        number = holder.get("number")
        if type(number) is int:
            return number
    merged = github_variables.pull_number(environ)
    return int(merged) if merged else None


def _is_from_fork(event: Mapping[str, Any]) -> bool:
    pull = _part(event, "pull_request")
    head, base = (_part(_part(pull, side), "repo") for side in ("head", "base"))
    return bool(head and base) and head.get("full_name") != base.get("full_name")


def _part(holder: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return an object in an object; an empty one if there is something else, or nothing."""
    found = holder.get(key)
    return found if isinstance(found, dict) else {}
