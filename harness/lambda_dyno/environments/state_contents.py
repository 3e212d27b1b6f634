"""What a state of Terraform's names, for people who are asked whether it may go."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lambda_dyno.core.errors import UserError

# What of a resource is its name, the first that it has; an id that AWS made is the last choice.
_NAMES = ("function_name", "bucket", "name", "key", "id")


@dataclass(frozen=True, slots=True)
class Managed:
    """A resource that a state manages.

    Attributes:
        kind: Terraform's type, such as "aws_lambda_function".
        name: What people call it; never a value that could be secret.
        address: Terraform's, without the index of an instance.
        arn: Its ARN; empty: it has none.
        is_protected: Whether AWS refuses to delete it: `deletion_protection_enabled`.
    """

    kind: str
    name: str
    address: str
    arn: str
    is_protected: bool


def managed(content: str, where: str) -> list[Managed]:
    """Return what a state manages, in its order; none of an empty text.

    Args:
        content: The state, version 4.
        where: Of the state, for the message.

    Raises:
        UserError: It is no state.
    """
    if not content.strip():
        return []
    try:
        state = json.loads(content)
        return list(_managed(state))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{where}: not a state of Terraform's ({type(error).__name__})") from error


def _managed(state: Mapping[str, Any]) -> Iterator[Managed]:
    for resource in state["resources"]:
        if resource["mode"] != "managed":
            continue
        module = f"{resource['module']}." if resource.get("module") else ""
        address = f"{module}{resource['type']}.{resource['name']}"
        for instance in resource["instances"]:
            attributes = instance.get("attributes") or {}
            name = next((str(attributes[key]) for key in _NAMES if attributes.get(key)), "?")
            yield Managed(
                kind=str(resource["type"]),
                name=name,
                address=address,
                arn=str(attributes.get("arn") or ""),
                is_protected=attributes.get("deletion_protection_enabled") is True,
            )
