"""The published versions of a deployed function, and which of them callers have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_dyno.aws.accounts import Account


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of the function."""

    number: str
    memory_mb: int

    def __str__(self) -> str:
        return f"version {self.number} ({self.memory_mb:,} MB)"


def live(account: Account, outputs: Mapping[str, Any]) -> Version | None:
    """Return the version that the alias gives its calls to; None before the first time.

    Args:
        account: Where it is.
        outputs: Of the root, as it was applied last; none before the first time.
    """
    name, alias = outputs.get("function_name"), outputs.get("function_alias")
    if not name or not alias:
        return None
    client = account.session.client("lambda")
    try:
        number = str(client.get_alias(FunctionName=name, Name=alias)["FunctionVersion"])
    except client.exceptions.ResourceNotFoundException:
        return None
    return next((version for version in _all(account, name) if version.number == number), None)


def newest(account: Account, function: str) -> Version:
    """Return the version of a function that was published last."""
    return max(_all(account, function), key=lambda version: int(version.number))


def _all(account: Account, function: str) -> list[Version]:
    pages = account.session.client("lambda").get_paginator("list_versions_by_function")
    return [
        Version(entry["Version"], int(entry["MemorySize"]))
        for page in pages.paginate(FunctionName=function)
        for entry in page["Versions"]
        if entry["Version"].isdigit()
    ]
