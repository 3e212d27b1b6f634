"""Messages to Slack and Teams by a webhook, whose address is a secret: it is in no message.

Nothing of a text becomes markup, a link or a mention there: Slack shows plain_text as it is, and
Teams a RichTextBlock. A card has one link, of our own choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from lambda_dyno import __version__
from lambda_dyno.core.errors import UserError
from lambda_dyno.forge.comments import ForgeError
from lambda_dyno.forge.retry import RetryBudget

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MOST_CHARACTERS = 2_900  # Slack: 3,000 for a section
_MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class Message:
    """What is told.

    Attributes:
        title: One line.
        lines: What was found, plain text.
        url: Of the page with the evidence; empty for none.
    """

    title: str
    lines: Sequence[str]
    url: str = ""


def slack(message: Message) -> dict[str, Any]:
    """Return a message as Slack's blocks; its fallback text is ours alone."""
    texts = (message.title, *message.lines[:_MOST_LINES])
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": _plain(text[:_MOST_CHARACTERS])} for text in texts
    ]
    if message.url:
        button = {"type": "button", "text": _plain("Open the run"), "url": message.url}
        blocks.append({"type": "actions", "elements": [button]})
    return {"text": "Lambda Dyno has found something", "blocks": blocks, "unfurl_links": False}


def teams(message: Message) -> dict[str, Any]:
    """Return a message as an adaptive card for a Teams workflow."""

    def block(text: str, **more: Any) -> dict[str, Any]:
        run = {"type": "TextRun", "text": text[:_MOST_CHARACTERS], **more}
        return {"type": "RichTextBlock", "inlines": [run]}

    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            block(message.title, weight="Bolder"),
            *(block(line) for line in message.lines[:_MOST_LINES]),
        ],
    }
    if message.url:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open the run", "url": message.url}]
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


@dataclass(frozen=True, slots=True)
class Channel:
    """A place that messages go to.

    Attributes:
        name: As people call it.
        variable: Environment variable with the webhook's address.
        body: Makes what is sent.
    """

    name: str
    variable: str
    body: Callable[[Message], dict[str, Any]]

    def address(self, environ: Mapping[str, str]) -> str:
        """Return the webhook's address; empty: none is set.

        Raises:
            UserError: It is none that a secret may go to. The address is not in the message.
        """
        url = environ.get(self.variable, "").strip()
        if not url:
            return ""
        try:
            parts = urlsplit(url)
            known = bool(parts.hostname) and parts.port != 0 and url.isascii() and " " not in url
        except ValueError:
            known = False
        if not known or not url.isprintable():
            raise UserError(f"{self.variable}: must be the address of a webhook, https://…")
        if parts.scheme != "https" and (parts.scheme, parts.hostname) not in {
            ("http", host) for host in _LOOPBACK
        }:
            raise UserError(f"{self.variable}: must begin with https://, since it is a secret")
        return url

    def send(self, url: str, message: Message, budget: RetryBudget) -> None:
        """Send a message, and again only where it cannot have arrived.

        Raises:
            ForgeError: It was refused, or nobody answers. The address is not in the message.
        """
        attempt = 0
        while True:
            attempt += 1
            problem, wait_s, passes = self._once(url, self.body(message))
            if not problem:
                return
            if not passes or not budget.wait(attempt, wait_s):
                raise ForgeError(f"{self.name}: {problem}")

    def _once(self, url: str, body: dict[str, Any]) -> tuple[str, float | None, bool]:
        """Return what went wrong, how long to wait, and whether it may pass."""
        try:
            answer = requests.post(
                url,
                json=body,
                headers={"User-Agent": f"lambda-dyno/{__version__}"},
                timeout=(5.0, 20.0),
                allow_redirects=False,
                auth=lambda request: request,  # or requests looks into ~/.netrc
            )
        except requests.exceptions.ReadTimeout:
            return "it does not answer in time; the message may have arrived", None, False
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            is_lost = "refused" not in str(error)
            return (
                ("the connection is lost" if is_lost else "refused the connection"),
                None,
                (not is_lost or isinstance(error, requests.exceptions.ConnectTimeout)),
            )
        except requests.exceptions.RequestException as error:
            return f"the message cannot be sent ({type(error).__name__})", None, False
        if 200 <= answer.status_code < 300:
            return "", None, False
        asked = answer.headers.get("Retry-After", "")
        wait_s = float(asked) if asked.isdecimal() else None
        return f"it answers {answer.status_code}", wait_s, answer.status_code in (429, 503)


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


CHANNELS = (
    Channel("Slack", "DYNO_SLACK_WEBHOOK_URL", slack),
    Channel("Teams", "DYNO_TEAMS_WEBHOOK_URL", teams),
)
