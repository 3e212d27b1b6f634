"""Comments and pull requests on GitHub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from lambda_dyno.forge.comments import Comment, ForgeError
from lambda_dyno.forge.rest_api import Answer, ForgeApi

# Who may have written a comment or an issue that we take for ours: a bot, or somebody with a say in
# the repository. Anybody can copy a marker; a verdict in a stranger's comment stays theirs to edit.
_TRUSTED = {"OWNER", "MEMBER", "COLLABORATOR"}


@dataclass(frozen=True)
class GitHubComments:
    """The comments of one pull request.

    Attributes:
        api: The API.
        repository: "owner/name".
        pull: The pull request's number.
        from_fork: Whether its branch is in another repository; its token then only reads.
    """

    api: ForgeApi
    repository: str
    pull: int
    from_fork: bool = False

    def find(self, marker: str) -> Iterator[Comment]:
        """Yield the comments that begin with the marker and may be ours, oldest first."""
        for entry in self.api.entries(f"{self._path}?per_page=100", self._unread):
            if str(entry.get("body") or "").startswith(marker) and is_trusted(entry):
                yield _comment(entry)

    def create(self, body: str, marker: str) -> Comment:
        """Write a new comment."""
        answer = self.api.request(
            "POST", self._path, {"body": body}, recover=lambda: self._written(body, marker)
        )
        if isinstance(answer.body, Comment):
            return answer.body
        if not answer.ok:
            raise self._refusal("write a comment on", answer)
        return _comment(answer.body)

    def update(self, comment: Comment, body: str) -> Comment | None:
        """Replace a comment's text; None if it is gone."""
        path = f"repos/{self.repository}/issues/comments/{comment.id}"
        answer = self.api.request("PATCH", path, {"body": body})
        if answer.status in (404, 410):
            return None
        if not answer.ok:
            raise self._refusal("write a comment on", answer)
        return _comment(answer.body)

    @property
    def _path(self) -> str:
        return f"repos/{self.repository}/issues/{self.pull}/comments"

    def _written(self, body: str, marker: str) -> Comment | None:
        """Return the comment that a request made whose answer was lost."""
        found = next(self.find(marker), None)
        return self.update(found, body) if found else None

    def _unread(self, answer: Answer) -> ForgeError:
        return self._refusal("read the comments of", answer)

    def _refusal(self, what: str, answer: Answer) -> ForgeError:
        where = f"pull request {self.pull} of {self.repository}"
        return refusal(f"{what} {where}", answer, "pull-requests: write", from_fork=self.from_fork)


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request that was opened or brought up to date."""

    number: int
    url: str


@dataclass(frozen=True)
class GitHubPulls:
    """The pull requests of a repository.

    Attributes:
        api: The API.
        repository: "owner/name".
    """

    api: ForgeApi
    repository: str

    def open(self, *, head: str, base: str, title: str, body: str) -> PullRequest:
        """Open a pull request, or bring the open one of the same branches up to date.

        Args:
            head: The branch with the change.
            base: The branch that it is for.
            title: One line.
            body: Markdown.

        Raises:
            ForgeError: GitHub refuses, or does not answer.
        """
        number = self._find(head, base)
        if number is None:
            content = {"title": title, "head": head, "base": base, "body": body}
            path = f"repos/{self.repository}/pulls"
            answer = self.api.request("POST", path, content, recover=lambda: self._find(head, base))
            if isinstance(answer.body, int):
                number = answer.body
            elif answer.ok:
                return PullRequest(answer.body["number"], answer.body["html_url"])
            else:
                raise self._refusal(f"open a pull request of {head}", answer)
        path = f"repos/{self.repository}/pulls/{number}"
        answer = self.api.request("PATCH", path, {"title": title, "body": body})
        if not answer.ok:
            raise self._refusal(f"change pull request {number}", answer)
        return PullRequest(number, answer.body["html_url"])

    def _find(self, head: str, base: str) -> int | None:
        owner = self.repository.partition("/")[0]
        query = urlencode({"head": f"{owner}:{head}", "base": base, "state": "open"})
        answer = self.api.request("GET", f"repos/{self.repository}/pulls?{query}")
        if not answer.ok or not isinstance(answer.body, list):
            raise self._refusal("list the pull requests", answer)
        # A server that ignores the filter must not lead us to somebody else's.
        for entry in answer.body:
            if entry["head"]["ref"] == head and entry["base"]["ref"] == base:
                return int(entry["number"])
        return None

    def _refusal(self, what: str, answer: Answer) -> ForgeError:
        if answer.status == 403 and "not permitted to create" in answer.message:
            return ForgeError(
                f"cannot {what}: {answer.message} Allow it under Settings, Actions, General, "
                "Workflow permissions."
            )
        return refusal(f"{what} in {self.repository}", answer, "pull-requests: write")


def refusal(what: str, answer: Answer, permission: str, *, from_fork: bool = False) -> ForgeError:
    """Return a refusal as one line that names what is missing.

    Args:
        what: What was tried, after "cannot".
        answer: What GitHub said.
        permission: What the job needs for it.
        from_fork: Whether the pull request comes from a fork.
    """
    match answer.status:
        case 401:
            why = "GITHUB_TOKEN is refused (401): it is wrong, or has expired"
        case 403 if from_fork:
            why = (
                f"GITHUB_TOKEN lacks `{permission}` (403): pull requests from forks get a token "
                "that only reads; the job summary has the same text"
            )
        case 403:
            why = f"GITHUB_TOKEN lacks `{permission}` (403): add it to the job's permissions"
        case 404:
            why = f"it is not there, or GITHUB_TOKEN lacks `{permission}` and may not see it (404)"
        case status:
            why = f"GitHub answers {status}"
    own = f" ({answer.message})" if answer.message and answer.status not in (401, 404) else ""
    return ForgeError(f"cannot {what}: {why}{own}")


def is_trusted(entry: Mapping[str, Any]) -> bool:
    """Whether a bot, or somebody with a say in the repository, wrote a comment or an issue."""
    user = entry.get("user") or {}
    return user.get("type") == "Bot" or entry.get("author_association") in _TRUSTED


def _comment(entry: Mapping[str, Any]) -> Comment:
    return Comment(str(entry["id"]), str(entry.get("html_url") or ""))
