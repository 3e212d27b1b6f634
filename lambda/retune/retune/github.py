"""GitHub's REST API, as far as an app needs it to send one `repository_dispatch`."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from retune.errors import NotDispatched
from retune.rs256 import PrivateKey, token

_TIMEOUT_S = 20
_CLOCKS_APART_S = 60  # as GitHub's documentation advises
_LIFE_S = 300  # of at most 600
_TOKEN = re.compile(r"[A-Za-z0-9_.-]{1,1024}")
_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class App:
    """A GitHub App, where it is installed, and the one repository that it tells."""

    api_url: str
    app_id: str
    installation_id: str
    repository: str  # owner/name
    key: PrivateKey


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token goes to nobody but the API."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse it."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def dispatch(app: App, event_type: str, payload: Mapping[str, Any], now_s: int) -> None:
    """Send a `repository_dispatch`.

    The installation's token is asked for this one repository and this one permission, and ends
    within the hour.

    Args:
        app: Who tells whom.
        event_type: What workflows filter by.
        payload: `client_payload`; at most ten keys.
        now_s: Seconds since 1970.

    Raises:
        NotDispatched: GitHub refuses it, or does not answer.
    """
    claims = {"iat": now_s - _CLOCKS_APART_S, "exp": now_s + _LIFE_S, "iss": app.app_id}
    try:
        signed = token(app.key, claims)
    except ValueError as error:
        raise NotDispatched(
            "the app's key cannot sign: its parts do not belong together"
        ) from error
    asked = {
        "repositories": [app.repository.partition("/")[2]],
        "permissions": {"contents": "write"},
    }
    url = f"{app.api_url}/app/installations/{app.installation_id}/access_tokens"
    found = str(_post(url, signed, asked).get("token", ""))
    if not _TOKEN.fullmatch(found):
        raise NotDispatched(f"{url}: no token in the answer")
    url = f"{app.api_url}/repos/{app.repository}/dispatches"
    _post(url, found, {"event_type": event_type, "client_payload": dict(payload)})


def _post(url: str, bearer: str, body: Mapping[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - the module takes https alone
        url,
        json.dumps(body).encode(),
        {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {bearer}",
            "Content-Type": "application/json",
            "User-Agent": "lambda-dyno",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        method="POST",
    )
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_S) as answer:
            content = answer.read(_BYTES_MAX)
        found = json.loads(content) if content else {}
    except urllib.error.HTTPError as error:
        error.close()
        raise NotDispatched(f"{url}: HTTP status {error.code}") from None
    except (OSError, ValueError) as error:
        raise NotDispatched(f"{url}: {type(error).__name__}") from None
    return found if isinstance(found, dict) else {}
