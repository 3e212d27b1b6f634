"""Issues on GitHub that are kept up to date: found by a label and their first line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lambda_dyno.forge.comments import ForgeError
from lambda_dyno.forge.github import is_trusted, refusal
from lambda_dyno.forge.rest_api import MOST_ENTRIES, Answer, ForgeApi

LABEL = "lambda-dyno"
_PERMISSION = "issues: write"


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue as GitHub knows it.

    Attributes:
        number: Its number.
        body: Its text.
        is_open: Whether it is open.
        url: Its page.
    """

    number: int
    body: str
    is_open: bool
    url: str = ""


@dataclass(frozen=True)
class GitHubIssues:
    """The issues of a repository that have our label.

    Attributes:
        api: The API.
        repository: "owner/name".
    """

    api: ForgeApi
    repository: str

    def ours(self, beginning: str) -> list[Issue]:
        """Return the issues, open and closed, that begin so and may be ours, oldest first.

        Raises:
            ForgeError: They cannot be read, or are too many to know that all are there.
        """
        path = f"{self._path}?state=all&labels={quote(LABEL)}&sort=created&direction=asc"
        entries = list(self.api.entries(f"{path}&per_page=100", self._unread))
        if len(entries) >= MOST_ENTRIES:
            raise ForgeError(
                f"{self.repository} has {len(entries):,} issues with the label {LABEL}: take it "
                "from closed ones, so that the others can be found"
            )
        return list(self._issues(entries, beginning))

    def _issues(self, entries: list[Mapping[str, Any]], beginning: str) -> Iterator[Issue]:
        for entry in entries:
            body = str(entry.get("body") or "").replace("\r\n", "\n")
            if "pull_request" not in entry and body.startswith(beginning) and is_trusted(entry):
                yield _issue(entry)

    def open(self, title: str, body: str) -> Issue:
        """Open an issue. Asked again after an answer was lost, it opens no second one.

        Args:
            title: One line.
            body: Markdown, whose first line is of this issue alone.

        Raises:
            ForgeError: GitHub refuses, or does not answer.
        """
        content = {"title": title, "body": body, "labels": [LABEL]}
        first = body.partition("\n")[0]
        answer = self.api.request(
            "POST", self._path, content, recover=lambda: next(iter(self.ours(first)), None)
        )
        if isinstance(answer.body, Issue):
            return answer.body
        if not answer.ok:
            raise self._refusal("open an issue in", answer)
        return _issue(answer.body)

    def change(self, number: int, body: str, *, is_open: bool) -> Issue:
        """Replace an issue's text, and open or close it, in one request.

        Raises:
            ForgeError: GitHub refuses, or does not answer.
        """
        state = {"state": "open"} if is_open else {"state": "closed", "state_reason": "completed"}
        answer = self.api.request("PATCH", f"{self._path}/{number}", {"body": body, **state})
        if not answer.ok:
            raise self._refusal(f"change issue {number} of", answer)
        return _issue(answer.body)

    @property
    def _path(self) -> str:
        return f"repos/{self.repository}/issues"

    def _unread(self, answer: Answer) -> ForgeError:
        return self._refusal("read the issues of", answer)

    def _refusal(self, what: str, answer: Answer) -> ForgeError:
        return refusal(f"{what} {self.repository}", answer, _PERMISSION)


def _issue(entry: Mapping[str, Any]) -> Issue:
    return Issue(
        int(entry["number"]),
        str(entry.get("body") or "").replace("\r\n", "\n"),
        entry["state"] == "open",
        str(entry.get("html_url") or ""),
    )
