"""REST APIs of GitHub and GitLab: each request tried again where that helps, within limits.

- 5xx, 408, time-outs and lost connections: tried again with growing waits;
- rate limits (429, or 403 that says so): tried again after the wait that the server names, and
  given up at once if that is beyond the budget;
- everything else is an answer.

A request that is not safe to make twice brings a `recover` that looks for what a lost answer
may have made. The token goes into one header, to one host, and into no message.
"""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from lambda_dyno import __version__
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.forge.comments import ForgeError
from lambda_dyno.forge.retry import RetryBudget

DEFAULT_API_URL = "https://api.github.com"

_HEADERS = {
    "Accept": "application/vnd.github+json",
    "User-Agent": f"lambda-dyno/{__version__}",
    "X-GitHub-Api-Version": "2022-11-28",
}
_CONNECT_TIMEOUT_S = 5.0
_MOST_REDIRECTS = 3
_MOST_PAGES = 50
MOST_ENTRIES = 100 * _MOST_PAGES  # that are read of a list, by 100 on a page
# A secondary rate limit that names no time: GitHub asks for a minute, and more each time.
_UNNAMED_WAIT_S = 60.0
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_TOKEN = re.compile(r"[!-~]*")  # a header takes no more
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said, in the end."""

    status: int
    body: Any  # parsed JSON; None without any
    headers: Mapping[str, str]
    next_url: str = ""  # of the next page

    @property
    def ok(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        """The server's own words on an error, on one line."""
        if not isinstance(self.body, dict):
            return ""
        parts = [self.body.get("message") or ""]
        parts += [
            error.get("message") or "" if isinstance(error, dict) else error
            for error in self.body.get("errors") or ()
        ]
        return "; ".join(" ".join(str(part).split())[:300] for part in parts if part)


@dataclass
class ForgeApi:
    """Talks to a forge's API; without more, GitHub's.

    Raises a UserError for an address that is not safe, a ForgeError for a token that is none.

    Attributes:
        base_url: Such as "https://api.github.com".
        token: The bearer token; empty: none is sent.
        retry_budget: How long to try again.
        read_timeout_s: Longest silence of the server.
        name: What the forge is called.
        headers: Sent with each request.
    """

    base_url: str
    token: str = field(repr=False)
    retry_budget: RetryBudget = field(default_factory=RetryBudget)
    read_timeout_s: float = 20.0
    name: str = "GitHub"
    headers: Mapping[str, str] = field(default_factory=lambda: _HEADERS)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            known = bool(_HOST.fullmatch(parts.hostname or "")) and parts.port != 0
        except ValueError:  # such as half an IPv6 address, or a port that is no number
            known = False
        if not known or not self.base_url.isprintable() or " " in self.base_url:
            raise UserError(
                f"{brief(self.base_url)}: the address of {self.name}'s API must be one, such as "
                f"{DEFAULT_API_URL}"
            )
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise UserError(
                f"{self.base_url}: the address of {self.name}'s API must begin with https://, "
                "or the token could be read on the way"
            )
        if not _TOKEN.fullmatch(self.token):
            raise ForgeError(
                f"the token for {self.name} has a character that no token has, such as the end of "
                "a line; set it again, without"
            )
        self._session = requests.Session()
        self._session.headers.update(self.headers)
        self._session.auth = self._authorize

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        recover: Callable[[], Any] | None = None,
    ) -> Answer:
        """Make a request, and make it again where that helps.

        Args:
            method: Such as "GET".
            path: After the base URL, or a whole URL of the same host.
            body: Sent as JSON; None for none.
            recover: Called before a request is repeated. If it returns something, a lost
                answer's request had worked: that is then the body of the answer.

        Raises:
            ForgeError: No answer within the limits.
        """
        url = self._url(path)
        attempt = 0
        while True:
            attempt += 1
            outcome = self._once(method, url, body)
            if isinstance(outcome, Answer):
                return outcome
            if not self.retry_budget.wait(attempt, outcome.wait_s):
                raise ForgeError(self._given_up(outcome, attempt))
            if recover is not None and (made := recover()) is not None:
                return Answer(200, made, {})

    def entries(
        self, path: str, refusal: Callable[[Answer], ForgeError]
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the objects of a list, page by page.

        Args:
            path: Of the first page.
            refusal: Makes the error of an answer that is no list.

        Raises:
            ForgeError: The list cannot be read.
        """
        for _ in range(_MOST_PAGES):
            answer = self.request("GET", path)
            if not answer.ok or not isinstance(answer.body, list):
                raise refusal(answer)
            yield from answer.body
            path = answer.next_url
            if not path:
                return

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the token, if any; without it, requests would look into ~/.netrc."""
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request

    def _url(self, path: str) -> str:
        is_whole = path.startswith(("http://", "https://"))
        url = path if is_whole else f"{self.base_url.rstrip('/')}/{path}"
        ours, theirs = urlsplit(self.base_url), urlsplit(url)
        if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
            raise ForgeError(f"{self.name} points to another host, {theirs.netloc}: not followed")
        return url

    def _once(self, method: str, url: str, body: Any) -> Answer | _TransientFailure:
        try:
            response = self._send(method, url, body)
        except requests.exceptions.SSLError as error:
            raise ForgeError(f"{self.name}: {self._scrubbed(error)}") from None
        except (
            requests.exceptions.ConnectionError,
            requests.exceptions.Timeout,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ) as error:
            return _TransientFailure(_cause(error))
        except requests.exceptions.RequestException as error:
            raise ForgeError(f"{self.name}: {self._scrubbed(error)}") from None
        answer = _answer(response)
        if answer.status >= 500 or answer.status == 408:
            return _TransientFailure(f"it answers {answer.status}", _retry_after(answer.headers))
        if (wait := _rate_limit(answer)) is not None:
            return _TransientFailure(f"its rate limit is reached ({answer.status})", wait)
        if answer.ok and answer.body is None and response.content:
            raise ForgeError(f"{self.name} answers with something that is not JSON: {url}")
        return answer

    def _send(self, method: str, url: str, body: Any) -> requests.Response:
        """Send a request and follow redirects with its own method, on the same host only."""
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._session.request(
                method,
                url,
                data=None if body is None else json.dumps(body).encode(errors="replace"),
                headers={} if body is None else {"Content-Type": "application/json"},
                timeout=(_CONNECT_TIMEOUT_S, self.read_timeout_s),
                allow_redirects=False,
            )
            if response.status_code not in (301, 302, 307, 308):
                return response
            url = self._url(urljoin(url, response.headers.get("Location", "")))
        raise ForgeError(f"{self.name}: too many redirects")

    def _given_up(self, failure: _TransientFailure, attempts: int) -> str:
        tried = f"after {attempts} attempt{'' if attempts == 1 else 's'}"
        later = f"; it asks to wait for {failure.wait_s:.0f} s" if failure.wait_s else ""
        return f"{self.name} cannot be reached {tried}: {failure.text}{later}"

    def _scrubbed(self, error: Exception) -> str:
        text = " ".join(str(error).split())
        return text.replace(self.token, "***") if self.token else text


@dataclass(frozen=True, slots=True)
class _TransientFailure:
    """Something that may pass."""

    text: str
    wait_s: float | None = None  # what the server asked for


def _cause(error: Exception) -> str:
    if isinstance(error, requests.exceptions.Timeout):
        return "it does not answer in time"
    text = str(error)
    if "refused" in text:
        return "the connection is refused"
    if "resolve" in text or "Name or service" in text:
        return "its name is not known here"
    return "the connection is lost"


def _answer(response: requests.Response) -> Answer:
    try:
        body = response.json() if response.content else None
    except ValueError:
        body = None
    url = response.links.get("next", {}).get("url", "")
    return Answer(response.status_code, body, response.headers, url)


def _rate_limit(answer: Answer) -> float | None:
    """Return the seconds that a rate limit asks for, or None if it is none."""
    headers = answer.headers
    wait_s = _retry_after(headers)
    spent = headers.get("X-RateLimit-Remaining") == "0"
    is_named = spent or "Retry-After" in headers or "rate limit" in answer.message.lower()
    if answer.status != 429 and not (answer.status == 403 and is_named):
        return None
    if wait_s is None and spent:
        wait_s = _until_reset(headers)
    return _UNNAMED_WAIT_S if wait_s is None else wait_s


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After asks for, as such or as a date."""
    value = headers.get("Retry-After", "")
    if value.isdecimal():
        return float(value)
    date = _timestamp(value)
    return None if date is None else max(0.0, date - time.time())


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until the limit is reset, by the server's own clock if it tells it."""
    reset = headers.get("X-RateLimit-Reset", "")
    if not reset.isdecimal():
        return None
    now = _timestamp(headers.get("Date", "")) or time.time()
    return max(0.0, float(reset) - now) + 1.0


def _timestamp(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None
