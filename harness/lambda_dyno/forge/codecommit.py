"""CodeCommit: comments through boto3, for pull requests that CodeBuild checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
import botocore.config
import botocore.exceptions

from lambda_dyno.core import aws_errors as errors
from lambda_dyno.forge.comments import Comment, ForgeError
from lambda_dyno.forge.retry import ATTEMPTS

_CONFIG = botocore.config.Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "max_attempts": ATTEMPTS},  # throttles and 5xx, with backoff
)
_NOT_OURS = {
    "CommentDeletedException",
    "CommentDoesNotExistException",
    "CommentNotCreatedByCallerException",
}


def connect(session: Any = None) -> Any:
    """Return a CodeCommit client with limits on retries and waits.

    Args:
        session: A boto3 session; None takes the environment's credentials and region.

    Raises:
        ForgeError: There is no region.
    """
    try:
        return (session or boto3.Session()).client("codecommit", config=_CONFIG)
    except botocore.exceptions.BotoCoreError as error:
        raise ForgeError(f"CodeCommit cannot be reached: {error}") from error


@dataclass(frozen=True)
class CodeCommitComments:
    """The comments of one pull request.

    Attributes:
        client: boto3's CodeCommit client.
        pull: The pull request's id.
        repository: Its name; empty takes the pull request's first target.
    """

    client: Any
    pull: str
    repository: str = ""

    def find(self, marker: str) -> Iterator[Comment]:
        """Yield the comments that begin with the marker, oldest first."""
        for entry in self._entries():
            if not entry.get("deleted") and str(entry.get("content") or "").startswith(marker):
                yield Comment(entry["commentId"])

    def create(self, body: str, marker: str) -> Comment:
        """Write a new comment; boto3's token keeps a repeated request from making two."""
        del marker
        target = self._target
        answer = self._call(
            "post_comment_for_pull_request",
            pullRequestId=self.pull,
            repositoryName=target["repositoryName"],
            beforeCommitId=target["destinationCommit"],
            afterCommitId=target["sourceCommit"],
            content=body,
        )
        return Comment(answer["comment"]["commentId"])

    def update(self, comment: Comment, body: str) -> Comment | None:
        """Replace a comment's text; None if it is deleted or somebody else's."""
        try:
            self._call("update_comment", commentId=comment.id, content=body)
        except _NotOursError:
            return None
        return comment

    @cached_property
    def _target(self) -> dict[str, str]:
        """The repository and commits that the pull request joins."""
        answer = self._call("get_pull_request", pullRequestId=self.pull)
        targets = answer["pullRequest"]["pullRequestTargets"]
        for target in targets:
            if self.repository in ("", target["repositoryName"]):
                return dict(target)
        names = ", ".join(target["repositoryName"] for target in targets)
        raise ForgeError(f"pull request {self.pull} is of {names}, not of {self.repository}")

    def _entries(self) -> Iterator[dict[str, Any]]:
        token: dict[str, str] = {}
        while True:
            answer = self._call("get_comments_for_pull_request", pullRequestId=self.pull, **token)
            for thread in answer.get("commentsForPullRequestData") or ():
                yield from thread.get("comments") or ()
            if not answer.get("nextToken"):
                return
            token = {"nextToken": answer["nextToken"]}

    def _call(self, operation: str, **arguments: Any) -> Any:
        """Call an operation of CodeCommit.

        Raises:
            ForgeError: It refuses, or does not answer.
        """
        name = "".join(word.title() for word in operation.split("_"))
        try:
            return getattr(self.client, operation)(**arguments)
        except botocore.exceptions.ClientError as error:
            code = errors.code(error)
            if code in _NOT_OURS:
                raise _NotOursError(code) from error
            if errors.is_denied(error) or code == "UnrecognizedClientException":
                raise ForgeError(
                    f"cannot comment on pull request {self.pull}: the credentials lack "
                    f"codecommit:{name} ({errors.message(error)})"
                ) from error
            raise ForgeError(f"codecommit:{name}: {errors.describe(error)}") from error
        except botocore.exceptions.BotoCoreError as error:
            raise ForgeError(f"CodeCommit cannot be reached: {error}") from error


class _NotOursError(ForgeError):
    """The comment is deleted, or is somebody else's."""
