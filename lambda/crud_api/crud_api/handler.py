"""Lambda's entry point. Clients are made here, once per container."""

from __future__ import annotations

import os
from typing import Any

from crud_api.app import App
from crud_api.aws import dynamodb_client


def _table_name() -> str:
    name = os.environ.get("TABLE_NAME")
    if not name:
        raise RuntimeError("The environment variable TABLE_NAME is missing: the table's name.")
    return name


_app = App(dynamodb_client(), _table_name())


def handler(event: Any, context: Any) -> Any:
    """Answer one invocation."""
    return _app.handle(event, context.aws_request_id)
