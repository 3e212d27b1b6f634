"""What GitHub says of the job that we are in, by its environment variables; nothing is checked."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MERGE_REF = re.compile(r"refs/pull/([0-9]{1,18})/(?:merge|head)")


def server_url(environ: Mapping[str, str]) -> str:
    """Return the address of its pages, and of git over HTTPS."""
    return environ.get("GITHUB_SERVER_URL") or "https://github.com"


def run_url(environ: Mapping[str, str], repository: str) -> str:
    """Return the page of the workflow run; empty outside of one, or without "owner/name"."""
    number = environ.get("GITHUB_RUN_ID", "")
    if not number or not repository:
        return ""
    return f"{server_url(environ)}/{repository}/actions/runs/{number}"


def pull_number(environ: Mapping[str, str]) -> str:
    """Return the digits of the pull request whose merge is checked out; empty: of none."""
    found = _MERGE_REF.fullmatch(environ.get("GITHUB_REF", ""))
    return found[1] if found else ""
