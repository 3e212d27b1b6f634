"""A server in the place of GitLab's REST API: the notes of one merge request.

It refuses what GitLab refuses (a wrong token, path or body), does what a line that begins with a
slash says, and can be told to fail.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.github_server import Fault
from tests.support.serving import TestServer

PROJECT, PROJECT_ID, MERGE_REQUEST = "acme/tools/shop", "4242", 9
TOKEN = "glpat-0123456789TheSecret"
US, THEM = 71, 13


@dataclass
class GitLab:
    """The server's memory."""

    notes: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)  # quick actions that a note has done
    page: int = 2
    port: int = 0

    @property
    def url(self) -> str:
        """Address of the API."""
        return f"http://127.0.0.1:{self.port}/api/v4"

    def add(self, body: str, author: int = US) -> dict[str, Any]:
        """Put a note on the merge request."""
        note = {"id": 500 + len(self.notes), "body": body, "author": {"id": author}}
        self.notes.append(note)
        return note

    @property
    def environment(self) -> dict[str, str]:
        """What a job of a merge request's pipeline is told."""
        return {
            "CI": "true",
            "GITLAB_CI": "true",
            "CI_API_V4_URL": self.url,
            "CI_PROJECT_ID": PROJECT_ID,
            "CI_MERGE_REQUEST_PROJECT_ID": PROJECT_ID,
            "CI_MERGE_REQUEST_IID": str(MERGE_REQUEST),
            "CI_PIPELINE_URL": "https://gitlab.example/acme/tools/shop/-/pipelines/77",
            "CI_JOB_STATUS": "running",
            "GITLAB_TOKEN": TOKEN,
        }


@contextmanager
def running() -> Iterator[GitLab]:
    """Run a server until the block ends."""
    memory = GitLab()

    class Handler(_Handler):
        gitlab = memory

    with TestServer(Handler).running() as server:
        memory.port = server.server_address[1]
        yield memory


class _Handler(BaseHTTPRequestHandler):
    gitlab: GitLab

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def log_message(self, *_: Any) -> None:
        pass

    def _handle(self) -> None:
        self.gitlab.requests.append((self.command, self.path))
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        for fault in self.gitlab.faults:
            if fault.times > 0 and fault.method in ("", self.command):
                fault.times -= 1
                if fault.after:
                    self._answer(raw)
                if not fault.status or fault.after:
                    self.close_connection = True
                else:
                    self._reply(fault.status, {"message": fault.message}, fault.headers)
                return
        self._reply(*self._answer(raw))

    def _reply(self, status: int, body: Any, headers: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _answer(self, raw: bytes) -> tuple[int, Any, dict[str, str]]:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "401 Unauthorized"}, {}
        url = urlsplit(self.path)
        if url.path == "/api/v4/user" and self.command == "GET":
            return 200, {"id": US, "username": "project_4242_bot"}, {}
        projects = (PROJECT_ID, PROJECT.replace("/", "%2F"))
        found = re.fullmatch(
            r"/api/v4/projects/([^/]+)/merge_requests/(\d+)/notes(?:/(\d+))?", url.path
        )
        if not found or found[1] not in projects or int(found[2]) != MERGE_REQUEST:
            return 404, {"message": "404 Not Found"}, {}
        if self.command == "GET" and not found[3]:
            return self._page({name: value[0] for name, value in parse_qs(url.query).items()})
        body = json.loads(raw)
        if set(body) != {"body"} or not body["body"]:
            return 400, {"message": '400 Bad request - Note {:note=>["can\'t be blank"]}'}, {}
        self.gitlab.commands += re.findall(r"^\s*(/[a-z]+)", body["body"], re.MULTILINE)
        if self.command == "POST" and not found[3]:
            return 201, self.gitlab.add(body["body"]), {}
        for note in self.gitlab.notes:
            if self.command == "PUT" and str(note["id"]) == found[3]:
                if note["author"]["id"] != US:
                    return 403, {"message": "403 Forbidden"}, {}
                note["body"] = body["body"]
                return 200, note, {}
        return 404, {"message": "404 Note Not Found"}, {}

    def _page(self, query: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        size, page = (
            min(int(query.get("per_page", 20)), self.gitlab.page),
            int(query.get("page", 1)),
        )
        headers = {}
        if page * size < len(self.gitlab.notes):
            path = self.path.partition("?")[0]
            there = f"http://127.0.0.1:{self.gitlab.port}{path}?page={page + 1}&per_page={size}"
            headers["Link"] = f'<{there}>; rel="next"'
        return 200, self.gitlab.notes[(page - 1) * size : page * size], headers
