"""`dyno notify`: one message where something was found, and the webhook's address in none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.results import RunResult
from tests.support.report_samples import VERDICT
from tests.support.review_project import Project, good_run
from tests.support.serving import TestServer

SLACK, TEAMS = "DYNO_SLACK_WEBHOOK_URL", "DYNO_TEAMS_WEBHOOK_URL"
HOOK = "T0/B0/TheSecret"


@dataclass
class Webhook:
    """A server in the place of both."""

    url: str = ""
    bodies: list[Any] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)  # answers; 200 after these


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    memory = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            status = memory.statuses.pop(0) if memory.statuses else 200
            if self.path != f"/{HOOK}" or self.headers.get("Authorization"):
                status = 404
            if status == 200:
                memory.bodies.append(json.loads(raw))
            self.send_response(status)
            self.send_header("Retry-After", "0")
            self.send_header("Location", "https://evil.example/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with TestServer(Handler).running() as server:
        memory.url = f"{server.url}/{HOOK}"
        yield memory


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project without a run."""
    for name in (SLACK, TEAMS):
        monkeypatch.delenv(name, raising=False)
    return Project(tmp_path, monkeypatch, capsys)


def nothing() -> RunResult:
    """A run that passes with the size that it recommends."""
    run = good_run()
    assert run.tuning is not None
    return replace(run, tuning=replace(run.tuning, current_power=run.tuning.power), advice=None)


def test_one_message_to_each_of_what_was_found(project: Project, webhook: Webhook) -> None:
    """A size that moves, as text: no markup, no mention, one link of our own."""
    hostile = "<!channel> @eve see https://evil.example [x](http://y.z) *b*"
    checks = tuple(replace(one, outcome="fail", reason=hostile) for one in VERDICT.checks[:1])
    project.add_run(good_run(verdict=replace(VERDICT, outcome="fail", checks=checks)))
    page = {"GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "42"}
    done = project.dyno("notify", "--json", **page, **{SLACK: webhook.url, TEAMS: webhook.url})
    assert done.status == 0, done.err
    assert done.json["sent"] == ["Slack", "Teams"]
    slack, teams = webhook.bodies
    assert slack["text"] == "Lambda Dyno has found something"
    *sections, actions = slack["blocks"]
    assert {section["text"]["type"] for section in sections} == {"plain_text"}
    assert actions["elements"][0]["url"] == "https://github.com/acme/shop/actions/runs/42"
    (attachment,) = teams["attachments"]
    card = attachment["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert "entities" not in json.dumps(card)
    for texts in (
        [section["text"]["text"] for section in sections],
        [block["inlines"][0]["text"] for block in card["body"]],
    ):
        assert len(texts) == 3
        assert texts[1].startswith("Missed: ") and texts[2].startswith("Recommended: 128 → 512 MB")
        assert "https://" not in texts[1] and "@eve" not in texts[1]
    assert HOOK not in done.out + done.err


def test_nothing_found_is_no_message(project: Project, webhook: Webhook) -> None:
    """And a run that is slower than its baseline is something."""
    project.add_run(nothing())
    done = project.dyno("notify", **{SLACK: webhook.url})
    assert (done.status, done.out) == (0, "nothing found: no message\n")
    assert webhook.bodies == []

    main = nothing()
    assert main.tuning is not None
    faster = [
        replace(
            detail,
            duration_ms=detail.duration_ms
            and replace(
                detail.duration_ms,
                trimmed_mean=detail.duration_ms.trimmed_mean / 2,
                ci95=(detail.duration_ms.ci95[0] / 2, detail.duration_ms.ci95[1] / 2),
            ),
        )
        for detail in main.tuning.details
    ]
    path = project.folder / "main.json"
    main = replace(main, tuning=replace(main.tuning, details=tuple(faster)))
    path.write_text(json.dumps(main.to_json()))
    found = project.dyno("notify", "--baseline", "main.json", "--json", **{SLACK: webhook.url})
    assert "Slower than main's run" in found.json["findings"][0], found.out
    assert "at 512 MB" in found.json["findings"][0]
    assert len(webhook.bodies) == 1


@pytest.mark.parametrize(
    ("statuses", "sent", "warning"),
    [
        ([429, 503], 1, ""),
        ([500], 0, "Slack: it answers 500"),
        ([302], 0, "Slack: it answers 302"),
        ([429] * 9, 0, "Slack: it answers 429"),
    ],
)
def test_a_message_is_sent_again_only_where_it_cannot_have_arrived(
    project: Project, webhook: Webhook, statuses: list[int], sent: int, warning: str
) -> None:
    """No second message, no redirect, and no address in a warning."""
    project.add_run(good_run())
    webhook.statuses += statuses
    done = project.dyno("notify", **{SLACK: webhook.url})
    assert done.status == 0
    assert len(webhook.bodies) == sent
    assert warning in done.err
    assert "Secret" not in done.out + done.err
    if warning:
        webhook.statuses[:] = [500]
        assert project.dyno("notify", "--strict", **{SLACK: webhook.url}).status == 3


def test_nobody_there_is_a_warning_without_the_address(project: Project) -> None:
    """Requests' own errors have it."""
    project.add_run(good_run())
    address = {TEAMS: f"http://127.0.0.1:9/{HOOK}"}
    done = project.dyno("notify", "--max-wait-s", "0", **address)
    assert done.status == 0
    assert "no message: Teams: refused the connection" in done.err
    assert "Secret" not in done.out + done.err


@pytest.mark.parametrize(
    "address",
    ["http://hooks.slack.com/TheSecret", "TheSecret", "ftp://127.0.0.1/TheSecret", "https://"],
)
def test_an_address_that_is_none_is_said_without_it(project: Project, address: str) -> None:
    """Before anything is read."""
    done = project.dyno("notify", **{SLACK: address})
    assert done.status == 2
    assert f"{SLACK}: must be" in done.err and "Secret" not in done.err


def test_without_an_address_it_says_so(project: Project) -> None:
    """The workflows have no secret until somebody sets one."""
    project.add_run(good_run())
    done = project.dyno("notify")
    assert done.status == 0
    assert f"{SLACK} or {TEAMS} is not set" in done.err
    assert "Recommended: 128 → 512 MB" in done.out
