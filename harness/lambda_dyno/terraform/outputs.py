"""What a root module tells: its outputs by name, one by one or those of a module as one object.

A root that calls one module needs no output of its own for each of the module's:

    output "environment" { value = module.environment }

is as good as all of them. Any other output of that name is a root's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OBJECT = "environment"
_MARK = "function_arn"  # what every environment tells


def flat(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a root's outputs by name, with those in its object; the root's own come first."""
    inner = outputs.get(OBJECT)
    if not isinstance(inner, Mapping) or _MARK not in inner:
        return dict(outputs)
    return {**inner, **{name: value for name, value in outputs.items() if name != OBJECT}}


def flat_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan's `output_changes` by name, with those in the root's object."""
    change = changes.get(OBJECT, {})
    parts = {part: change.get(part) for part in ("after", "after_unknown", "after_sensitive")}
    names: set[str] = set().union(*(part for part in parts.values() if isinstance(part, Mapping)))
    inner = {
        name: {
            part: value.get(name) if isinstance(value, Mapping) else value
            for part, value in parts.items()
        }
        for name in names
    }
    return flat({**changes, OBJECT: inner} if inner else changes)


def may_tell(declared: Mapping[str, Mapping[str, Any]], name: str) -> bool:
    """Whether a root's declared outputs have one of that name, as far as the files tell.

    Args:
        declared: Attributes of the outputs, by name.
        name: Of what is needed.
    """
    value = str(declared.get(OBJECT, {}).get("value", ""))
    return name in declared or value.startswith("module.")
