"""A server in the place of CodeCommit: the comments of one pull request, for boto3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.serving import TestServer

PULL = "12"
REPOSITORY = "shop"
MOST_CHARACTERS = 10_240
US, THEM = "arn:aws:iam::123456789012:role/gate", "arn:aws:iam::123456789012:user/eve"


@dataclass
class CodeCommit:
    """The server's memory."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)  # status and code, once each
    page: int = 2
    port: int = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def add(self, content: str, author: str = US) -> dict[str, Any]:
        """Put a comment on the pull request."""
        number = f"c{len(self.comments)}"
        comment = {"commentId": number, "content": content, "authorArn": author, "deleted": False}
        self.comments.append(comment)
        return comment


@contextmanager
def running() -> Iterator[CodeCommit]:
    """Run a server until the block ends."""
    memory = CodeCommit()

    class Handler(_Handler):
        codecommit = memory

    with TestServer(Handler).running() as server:
        memory.port = server.server_address[1]
        yield memory


class _RefusalError(Exception):
    pass


class _Handler(BaseHTTPRequestHandler):
    codecommit: CodeCommit

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        service, _, operation = self.headers["X-Amz-Target"].partition(".")
        assert service == "CodeCommit_20150413"
        assert "AWS4-HMAC-SHA256" in self.headers["Authorization"]
        self.codecommit.operations.append(operation)
        answers = {
            "GetPullRequest": self._get_pull_request,
            "GetCommentsForPullRequest": self._comments,
            "PostCommentForPullRequest": self._post,
            "UpdateComment": self._update,
        }
        if self.codecommit.faults:
            status, code = self.codecommit.faults.pop(0)
            return self._reply(status, {"__type": code, "message": "as the test wants it"})
        try:
            return self._reply(200, answers[operation](body))
        except _RefusalError as refusal:
            return self._reply(400, {"__type": str(refusal), "message": "refused"})

    def _reply(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _get_pull_request(self, body: Any) -> Any:
        target = {
            "repositoryName": REPOSITORY,
            "sourceCommit": "a" * 40,
            "destinationCommit": "b" * 40,
        }
        return {
            "pullRequest": {"pullRequestId": body["pullRequestId"], "pullRequestTargets": [target]}
        }

    def _comments(self, body: Any) -> Any:
        start = int(body.get("nextToken", 0))
        end = start + self.codecommit.page
        threads = [{"comments": [comment]} for comment in self.codecommit.comments[start:end]]
        more = {"nextToken": str(end)} if end < len(self.codecommit.comments) else {}
        return {"commentsForPullRequestData": threads, **more}

    def _post(self, body: Any) -> Any:
        if (body["repositoryName"], body["afterCommitId"]) != (REPOSITORY, "a" * 40):
            raise _RefusalError("CommitDoesNotExistException")
        self._check(body)
        return {"comment": self.codecommit.add(body["content"])}

    def _update(self, body: Any) -> Any:
        self._check(body)
        for comment in self.codecommit.comments:
            if comment["commentId"] == body["commentId"]:
                if comment["authorArn"] != US:
                    raise _RefusalError("CommentNotCreatedByCallerException")
                comment["content"] = body["content"]
                return {"comment": comment}
        raise _RefusalError("CommentDoesNotExistException")

    def _check(self, body: Any) -> None:
        if len(body["content"]) > MOST_CHARACTERS:
            raise _RefusalError("CommentContentSizeLimitExceededException")
