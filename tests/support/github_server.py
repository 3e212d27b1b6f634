"""A server in the place of GitHub's REST API: comments, issues and pulls of one repository.

And what it says of repositories: their ids, and which subject their tokens have.

It refuses what GitHub refuses (a wrong path, method, header or body) and can be told to fail.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.support.serving import TestServer

REPOSITORY = "acme/shop"
PULL = 7
TOKEN = "ghs_0123456789abcdefTheSecret"
MOST_CHARACTERS = 65_536

BOT = {"login": "github-actions[bot]", "type": "Bot"}


@dataclass
class Fault:
    """What happens in the place of an answer, so many times."""

    status: int = 0  # 0: the connection is closed without one
    headers: dict[str, str] = field(default_factory=dict)
    message: str = ""
    times: int = 1
    method: str = ""  # only for this method
    after: bool = False  # what was asked for is done, but the answer is lost
    delay_s: float = 0.0  # how long nothing happens before


@dataclass
class Hosted:
    """A repository, as GitHub describes it."""

    owner: str = "acme"
    owner_id: int = 1234
    name: str = "tuning"
    id: int = 5678
    created_at: str = "2024-02-03T04:05:06Z"
    default_branch: str = "main"
    private: bool = False
    former: tuple[str, ...] = ()  # names that it had
    # settings of the subject of its tokens, or a status in their place
    subject: dict[str, Any] | int = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)  # over its description

    @property
    def slug(self) -> str:
        """Its name."""
        return f"{self.owner}/{self.name}"

    def described(self) -> dict[str, Any]:
        """Return its description."""
        return {
            "id": self.id,
            "name": self.name,
            "full_name": self.slug,
            "owner": {"login": self.owner, "id": self.owner_id},
            "private": self.private,
            "created_at": self.created_at,
            "default_branch": self.default_branch,
            **self.more,
        }


@dataclass
class GitHub:
    """The server's memory."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)  # what our side did wrong
    hosted: list[Hosted] = field(default_factory=list)
    moved_from: str = ""  # a repository that is acme/shop now
    port: int = 0

    @property
    def url(self) -> str:
        """Address of the API."""
        return f"http://127.0.0.1:{self.port}"

    def add_comment(self, body: str, user: dict[str, str] = BOT, **more: Any) -> dict[str, Any]:
        """Put a comment on the pull request."""
        number = 1000 + len(self.comments)
        comment = {
            "id": number,
            "body": body,
            "user": user,
            "author_association": "NONE",
            "html_url": f"https://github.com/{REPOSITORY}/pull/{PULL}#issuecomment-{number}",
            **more,
        }
        self.comments.append(comment)
        return comment

    def add_issue(
        self, title: str, body: str, user: dict[str, str] = BOT, **more: Any
    ) -> dict[str, Any]:
        """Open an issue; `labels` are names."""
        number = 100 + len(self.issues)
        labels = [{"name": name} for name in more.pop("labels", ())]
        issue = {
            "number": number,
            "title": title,
            "body": body,
            "state": "open",
            "labels": labels,
            "user": user,
            "author_association": "NONE",
            "html_url": f"https://github.com/{REPOSITORY}/issues/{number}",
            **more,
        }
        self.issues.append(issue)
        return issue

    def methods(self) -> list[str]:
        """Return the methods that were used, in order."""
        return [method for method, _ in self.requests]

    def fault(self, method: str) -> Fault | None:
        """Return the fault that is due, if any."""
        for fault in self.faults:
            if fault.times > 0 and fault.method in ("", method):
                fault.times -= 1
                return fault
        return None


@contextmanager
def running() -> Iterator[GitHub]:
    """Run a server until the block ends."""
    memory = GitHub()

    class Handler(_Handler):
        github = memory

    with TestServer(Handler).running() as server:
        memory.port = server.server_address[1]
        yield memory


Reply = tuple[int, Any, dict[str, str]]


class _Handler(BaseHTTPRequestHandler):
    github: GitHub

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def log_message(self, *_: Any) -> None:
        pass

    def _handle(self) -> None:
        github, method = self.github, self.command
        github.requests.append((method, self.path))
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = github.fault(method)
        if fault is not None:
            time.sleep(fault.delay_s)
        if fault is None:
            self._reply(*self._answer(method, raw))
        elif fault.status and not fault.after:
            self._reply(fault.status, {"message": fault.message}, fault.headers)
        else:
            if fault.after:
                self._answer(method, raw)
            self.close_connection = True

    def _reply(self, status: int, body: Any, headers: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _answer(self, method: str, raw: bytes) -> Reply:
        if method == "GET" and (found := self._of_hosted()):
            return found
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}, {}
        if self.headers.get("Accept") != "application/vnd.github+json":
            self.github.complaints.append("Accept")
        if self.headers.get("X-GitHub-Api-Version") != "2022-11-28":
            self.github.complaints.append("X-GitHub-Api-Version")
        if not (self.headers.get("User-Agent") or "").startswith("lambda-dyno/"):
            self.github.complaints.append("User-Agent")
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        moved = self.github.moved_from
        if moved and url.path.startswith(f"/repos/{moved}/"):
            there = f"{self.github.url}{self.path.replace(moved, REPOSITORY, 1)}"
            return 307, {"message": "Moved Permanently"}, {"Location": there}
        body: Any = None
        if raw:
            if self.headers.get("Content-Type") != "application/json":
                self.github.complaints.append("Content-Type")
            body = json.loads(raw)
        return self._route(method, url.path, query, body)

    def _of_hosted(self) -> Reply | None:
        """Return what is said of a repository; everybody may read what is public."""
        authorization = self.headers.get("Authorization")
        if authorization not in (None, f"Bearer {TOKEN}"):
            return 401, {"message": "Bad credentials"}, {}
        for one in self.github.hosted:
            names = (f"/repos/{one.slug}", f"/repositories/{one.id}")
            former = [f"/repos/{name}" for name in one.former]
            place = next((p for p in (*names, *former) if _is_below(self.path, p)), None)
            if place is None:
                continue
            if one.private and authorization is None:
                return 404, {"message": "Not Found"}, {}
            if place in former:
                there = f"{self.github.url}{names[1]}{self.path.removeprefix(place)}"
                return 301, {"message": "Moved Permanently"}, {"Location": there}
            rest = self.path.removeprefix(place)
            if rest == "":
                return 200, one.described(), {}
            if rest == "/actions/oidc/customization/sub":
                if isinstance(one.subject, int):
                    return one.subject, {"message": "Must have admin rights"}, {}
                return 200, one.subject, {}
        return None

    def _route(self, method: str, path: str, query: dict[str, str], body: Any) -> Reply:
        repository = f"/repos/{REPOSITORY}"
        if path == f"{repository}/issues/{PULL}/comments" and method == "GET":
            return self._page(query)
        if path == f"{repository}/issues/{PULL}/comments" and method == "POST":
            if refusal := _refusal(body):
                return refusal
            return 201, self.github.add_comment(body["body"]), {}
        if path == f"{repository}/issues":
            return self._list_issues(query) if method == "GET" else self._open_issue(body)
        if (found := re.fullmatch(rf"{repository}/issues/(\d+)", path)) and method == "PATCH":
            return self._patch_issue(int(found[1]), body)
        if found := re.fullmatch(rf"{repository}/issues/comments/(\d+)", path):
            if method != "PATCH":
                return 405, {"message": "Method Not Allowed"}, {}
            return self._patch_comment(int(found[1]), body)
        if path == f"{repository}/pulls" and method == "GET":
            return 200, self._open_pulls(query), {}
        if path == f"{repository}/pulls" and method == "POST":
            return self._open_pull(body)
        if (found := re.fullmatch(rf"{repository}/pulls/(\d+)", path)) and method == "PATCH":
            pull = self.github.pulls[int(found[1]) - 1]
            pull.update(body)
            return 200, pull, {}
        return 404, {"message": "Not Found"}, {}

    def _page(self, query: dict[str, str]) -> Reply:
        return self._part(self.github.comments, query)

    def _part(self, entries: list[dict[str, Any]], query: dict[str, str]) -> Reply:
        """Return a page of a list, with the address of the next one."""
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        headers = {}
        if page * size < len(entries):
            following = urlencode({**query, "page": page + 1})
            path = f"{self.github.url}{urlsplit(self.path).path}"
            headers["Link"] = f'<{path}?{following}>; rel="next"'
        return 200, entries[(page - 1) * size : page * size], headers

    def _list_issues(self, query: dict[str, str]) -> Reply:
        """Return issues, the newest first unless it is asked otherwise; pull requests are some."""
        found = [
            issue
            for issue in self.github.issues
            if query.get("state", "open") in ("all", issue["state"])
            and {*query.get("labels", "").split(",")} - {""} <= {e["name"] for e in issue["labels"]}
        ]
        return self._part(found if query.get("direction") == "asc" else found[::-1], query)

    def _open_issue(self, body: Any) -> Reply:
        if set(body) != {"title", "body", "labels"} or not body["title"]:
            return 422, {"message": "Validation Failed"}, {}
        if refusal := _refusal({"body": body["body"]}):
            return refusal
        return 201, self.github.add_issue(body["title"], body["body"], labels=body["labels"]), {}

    def _patch_issue(self, number: int, body: Any) -> Reply:
        if refusal := _refusal({"body": body.get("body")}):
            return refusal
        if not set(body) <= {"body", "state", "state_reason"}:
            return 422, {"message": "Validation Failed"}, {}
        for issue in self.github.issues:
            if issue["number"] == number:
                issue.update(body)
                return 200, issue, {}
        return 404, {"message": "Not Found"}, {}

    def _patch_comment(self, number: int, body: Any) -> Reply:
        if refusal := _refusal(body):
            return refusal
        for comment in self.github.comments:
            if comment["id"] == number:
                comment["body"] = body["body"]
                return 200, comment, {}
        return 404, {"message": "Not Found"}, {}

    def _open_pulls(self, query: dict[str, str]) -> list[dict[str, Any]]:
        owner, _, head = query["head"].partition(":")
        assert owner == REPOSITORY.partition("/")[0]
        return [pull for pull in self.github.pulls if pull["head"]["ref"] == head]

    def _open_pull(self, body: Any) -> Reply:
        if set(body) != {"title", "head", "base", "body"}:
            return 422, {"message": "Validation Failed"}, {}
        number = len(self.github.pulls) + 1
        pull = {
            "number": number,
            "html_url": f"https://github.com/{REPOSITORY}/pull/{number}",
            "title": body["title"],
            "body": body["body"],
            "head": {"ref": body["head"]},
            "base": {"ref": body["base"]},
            "state": "open",
        }
        self.github.pulls.append(pull)
        return 201, pull, {}


def _is_below(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")


def _refusal(body: Any) -> Reply | None:
    """Return what GitHub says to a comment that it does not take."""
    if not isinstance(body, dict) or set(body) != {"body"} or not body["body"]:
        return 422, {"message": "Validation Failed"}, {}
    if len(body["body"]) > MOST_CHARACTERS:
        error = {"message": f"Body is too long (maximum is {MOST_CHARACTERS} characters)"}
        return 422, {"message": "Validation Failed", "errors": [error]}, {}
    return None
