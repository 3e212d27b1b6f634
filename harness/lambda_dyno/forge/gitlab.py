"""Notes on GitLab's merge requests, through the same client as GitHub's comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

from lambda_dyno import __version__
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.forge.comments import Comment, ForgeError
from lambda_dyno.forge.rest_api import Answer, ForgeApi
from lambda_dyno.forge.retry import RetryBudget

DEFAULT_API_URL = "https://gitlab.com/api/v4"

_HEADERS = {"Accept": "application/json", "User-Agent": f"lambda-dyno/{__version__}"}
# group/subgroups/name; or the number that CI_PROJECT_ID is
_PROJECT = re.compile(
    r"[0-9]{1,18}|[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*){1,20}"
)
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
# A line that begins with a slash is a command to GitLab (/merge, /approve), done in the name of
# whoever has the token.
_QUICK_ACTION = re.compile(r"^([ \t]*)/", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class GitLabJob:
    """GitLab, as the process's environment names it.

    Attributes:
        api_url: Of its REST API.
        project: Number, or "group/name"; empty if nothing names one.
        merge_request: The merge request's number in its project; None if there is none.
        page: Of the job, whose page has the artefacts; empty outside of one.
        token: What authorizes us; empty if there is none.
    """

    api_url: str
    project: str
    merge_request: int | None
    page: str
    token: str

    def __repr__(self) -> str:
        """Leave the token out of logs and failing tests."""
        return f"GitLabJob({self.project!r}, merge_request={self.merge_request})"


def job_of(environ: Mapping[str, str], *, project: str, merge_request: int | None) -> GitLabJob:
    """Return what the environment of a GitLab job says; what is given goes before it.

    Args:
        environ: The process's environment.
        project: "group/name"; empty takes the project that the merge request is for.
        merge_request: Its number in the project; None takes the job's.

    Raises:
        UserError: A name or number is none.
    """
    named = (
        project or environ.get("CI_MERGE_REQUEST_PROJECT_ID") or environ.get("CI_PROJECT_ID", "")
    )
    if named and not _PROJECT.fullmatch(named):
        told = "--repo " if project else "CI_PROJECT_ID="
        raise UserError(f"{told}{brief(named)}: must be GROUP/NAME, such as acme/shop")
    number = merge_request
    if number is None and (told := environ.get("CI_MERGE_REQUEST_IID", "")):
        if not _NUMBER.fullmatch(told):
            raise UserError(f"CI_MERGE_REQUEST_IID={brief(told)}: must be a number")
        number = int(told)
    if number is not None and number < 1:
        raise UserError(f"--pull {number}: must be the number of a merge request")
    return GitLabJob(
        api_url=environ.get("CI_API_V4_URL") or DEFAULT_API_URL,
        project=named,
        merge_request=number,
        page=environ.get("CI_PIPELINE_URL") or environ.get("CI_JOB_URL", ""),
        token=environ.get("GITLAB_TOKEN", ""),
    )


def notes_of(job: GitLabJob, max_wait_s: float) -> GitLabNotes | None:
    """Return the notes of a job's merge request; None if there is no merge request.

    Raises:
        UserError: Nobody says which project, or the address is not safe.
        ForgeError: There is no token.
    """
    if job.merge_request is None:
        return None
    if not job.project:
        raise UserError("no project: give --repo GROUP/NAME")
    if not job.token:
        raise ForgeError(
            "GITLAB_TOKEN is not set: make a project access token with the scope `api`, and hand "
            "it over as a masked CI/CD variable (CI_JOB_TOKEN may not write notes)"
        )
    budget = RetryBudget(max_wait_s=max_wait_s)
    api = ForgeApi(job.api_url, job.token, budget, name="GitLab", headers=_HEADERS)
    return GitLabNotes(api, job.project, job.merge_request)


@dataclass(frozen=True)
class GitLabNotes:
    """The notes of one merge request.

    Attributes:
        api: The API.
        project: Number, or "group/name".
        merge_request: Its number in the project.
    """

    api: ForgeApi
    project: str
    merge_request: int

    def find(self, marker: str) -> Iterator[Comment]:
        """Yield our own notes that begin with the marker, oldest first."""
        first = f"{self._path}?sort=asc&order_by=created_at&per_page=100"
        for entry in self.api.entries(first, self._unread):
            is_ours = (entry.get("author") or {}).get("id") == self._user_id
            if is_ours and str(entry.get("body") or "").startswith(marker):
                yield Comment(str(int(entry["id"])))

    def create(self, body: str, marker: str) -> Comment:
        """Write a new note."""
        content = {"body": without_commands(body)}
        answer = self.api.request(
            "POST", self._path, content, recover=lambda: self._written(body, marker)
        )
        if isinstance(answer.body, Comment):
            return answer.body
        if not answer.ok:
            raise self._refusal("write a note on", answer)
        return Comment(str(int(answer.body["id"])))

    def update(self, comment: Comment, body: str) -> Comment | None:
        """Replace a note's text; None if it is gone."""
        content = {"body": without_commands(body)}
        answer = self.api.request("PUT", f"{self._path}/{comment.id}", content)
        if answer.status == 404:
            return None
        if not answer.ok:
            raise self._refusal("write a note on", answer)
        return comment

    @property
    def _path(self) -> str:
        return f"projects/{quote(self.project, safe='')}/merge_requests/{self.merge_request}/notes"

    @cached_property
    def _user_id(self) -> int:
        """Who we are: anybody can copy a marker, and a verdict in their note stays theirs."""
        answer = self.api.request("GET", "user")
        if not answer.ok or not isinstance(answer.body, dict):
            raise self._refusal("read who GITLAB_TOKEN is of, for", answer)
        return int(answer.body["id"])

    def _written(self, body: str, marker: str) -> Comment | None:
        """Return the note that a request made whose answer was lost."""
        found = next(self.find(marker), None)
        return self.update(found, body) if found else None

    def _unread(self, answer: Answer) -> ForgeError:
        return self._refusal("read the notes of", answer)

    def _refusal(self, what: str, answer: Answer) -> ForgeError:
        match answer.status:
            case 401:
                why = "GITLAB_TOKEN is refused (401): it is wrong, or has expired"
            case 403:
                why = "GITLAB_TOKEN lacks the scope `api` or the role Reporter (403)"
            case 404:
                why = "it is not there, or GITLAB_TOKEN may not see it (404)"
            case status:
                why = f"GitLab answers {status}"
        where = f"merge request {self.merge_request} of {self.project}"
        return ForgeError(f"cannot {what} {where}: {why}")


def without_commands(body: str) -> str:
    """Return a text in which no line is a command to GitLab."""
    return _QUICK_ACTION.sub("\\1\u200b/", body)
