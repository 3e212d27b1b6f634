"""The comments of the pull request that a job is for, on the forge that it is on."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from lambda_dyno.core.errors import UserError
from lambda_dyno.forge import gitlab
from lambda_dyno.forge.ci_environment import (
    GitHubJob,
    codebuild_url,
    codecommit_pull,
    github_job,
)
from lambda_dyno.forge.comments import CommentStore, ForgeError
from lambda_dyno.forge.github import GitHubComments
from lambda_dyno.forge.provider import Provider
from lambda_dyno.forge.rest_api import ForgeApi
from lambda_dyno.forge.retry import RetryBudget


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job's comment goes.

    Attributes:
        page: Of the job, with its log and evidence; empty outside of one.
        summary_path: File of the job's summary; empty for none.
        store: Returns the pull request's comments; None if there is no pull request.
    """

    page: str
    summary_path: str
    store: Callable[[], CommentStore | None]


def place(provider: Provider, pull: int | None, repository: str, max_wait_s: float) -> Place:
    """Return where a job's comment goes, as its environment says; what is given goes before it.

    Raises:
        UserError: A name or a number is none.
    """
    if provider is Provider.GITLAB:
        lab = gitlab.job_of(os.environ, project=repository, merge_request=pull)
        return Place(lab.page, "", lambda: gitlab.notes_of(lab, max_wait_s))
    is_github = provider is Provider.GITHUB
    job = github_job(os.environ, repository=repository if is_github else "", pull=pull)
    if is_github:
        return Place(job.run_url, job.summary_path, lambda: of_github(job, max_wait_s))
    page = codebuild_url(os.environ)
    return Place(page, job.summary_path, lambda: of_codecommit(pull, repository))


def github_api(job: GitHubJob, max_wait_s: float) -> ForgeApi:
    """Return GitHub's API with a job's token; it tries again for so many seconds at most."""
    return ForgeApi(job.api_url, job.token, RetryBudget(max_wait_s=max_wait_s))


def of_github(job: GitHubJob, max_wait_s: float) -> CommentStore | None:
    """Return the comments of a job's pull request on GitHub; None if there is no pull request.

    Raises:
        UserError: Nobody says which repository.
        ForgeError: There is no token.
    """
    if job.pull is None:
        return None
    if not job.repository:
        raise UserError("no repository: give --repo OWNER/NAME")
    if not job.token:
        raise ForgeError("GITHUB_TOKEN is not set: hand it over, `env: GITHUB_TOKEN: ...`")
    return GitHubComments(github_api(job, max_wait_s), job.repository, job.pull, job.from_fork)


def of_codecommit(pull: int | None, repository: str) -> CommentStore | None:
    """Return the comments of a pull request in CodeCommit; None if there is no pull request."""
    from lambda_dyno.forge.codecommit import CodeCommitComments, connect

    wanted = codecommit_pull(os.environ, pull)
    return CodeCommitComments(connect(), wanted, repository) if wanted else None
