"""Dispatch: tell a repository on GitHub, so that a workflow of it may propose the change."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from retune.aws import client, error_code
from retune.errors import NotDispatched
from retune.github import App, dispatch
from retune.rs256 import PrivateKey

_TOLD = ("cause", "env", "function_arn", "function_key", "memory_mb", "outcome", "recommended_mb")


def handler(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """Send the notice of `{"notice"}` as a `repository_dispatch`."""
    notice = event["notice"]
    app = App(
        api_url=os.environ["GITHUB_API_URL"],
        app_id=os.environ["GITHUB_APP_ID"],
        installation_id=os.environ["GITHUB_INSTALLATION_ID"],
        repository=os.environ["GITHUB_REPOSITORY"],
        key=_key(os.environ["GITHUB_KEY_SECRET_ARN"]),
    )
    told = {name: notice[name] for name in _TOLD if name in notice}
    payload = {**told, "retuning_id": notice["retuning_id"], "row": notice["row"]}
    dispatch(app, os.environ["GITHUB_EVENT_TYPE"], payload, int(time.time()))
    return {"dispatched": True}


def _key(secret_arn: str) -> PrivateKey:
    try:
        found = client("secretsmanager").get_secret_value(SecretId=secret_arn)
    except ClientError as error:
        raise NotDispatched(f"{secret_arn}: {error_code(error)}") from error
    except BotoCoreError as error:
        raise NotDispatched(f"{secret_arn}: {type(error).__name__}") from error
    try:
        return PrivateKey.from_pem(found.get("SecretString") or "")
    except ValueError as error:  # without its text: the secret might be in it
        raise NotDispatched(
            f"{secret_arn}: no RSA private key in PEM, as GitHub gives it"
        ) from error
