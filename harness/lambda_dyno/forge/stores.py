"""The comments of the pull request that a job is for, on the forge that it is on."""

from __future__ import annotations

import os

from lambda_dyno.core.errors import UserError
from lambda_dyno.forge.ci_environment import GitHubJob, codecommit_pull
from lambda_dyno.forge.comments import CommentStore, ForgeError
from lambda_dyno.forge.github import GitHubComments
from lambda_dyno.forge.github_api import GitHubApi
from lambda_dyno.forge.retry import RetryBudget


def github_api(job: GitHubJob, max_wait_s: float) -> GitHubApi:
    """Return GitHub's API with a job's token; it tries again for so many seconds at most."""
    return GitHubApi(job.api_url, job.token, RetryBudget(max_wait_s=max_wait_s))


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
