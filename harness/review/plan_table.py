"""Terraform's resource changes as tables: what is destroyed or replaced comes first.

Reads what `terraform show -json PLAN` writes (format 1.x; keys that it does not know are
ignored, as that format asks of its readers). A comment may be public and text may be a secret
that nobody marked as one, so only numbers and booleans are shown; of the rest, the names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.errors import UserError
from harness.report.tables import Cell, Column, Row, Table

Action = Literal["destroy", "replace", "forget", "update", "create", "import", "move"]

# In the order of what a reviewer must see first.
ACTIONS: tuple[Action, ...] = (
    "destroy",
    "replace",
    "forget",
    "update",
    "create",
    "import",
    "move",
)
DANGEROUS: tuple[Action, ...] = ("destroy", "replace", "forget")

_WORDS: Mapping[Action, str] = {
    "destroy": "destroyed",
    "replace": "replaced",
    "forget": "forgotten by Terraform, but left standing",
    "update": "changed in place",
    "create": "created",
    "import": "imported",
    "move": "moved to another address",
}

_REASONS = {
    "replace_because_tainted": "it is tainted",
    "replace_because_cannot_update": "",  # the attributes say more
    "replace_by_request": "asked for with -replace",
    "replace_by_triggers": "by replace_triggered_by",
    "delete_because_no_resource_config": "it is no longer in the configuration",
    "delete_because_no_module": "its module is no longer in the configuration",
    "delete_because_wrong_repetition": "its count or for_each has changed",
    "delete_because_count_index": "count is smaller",
    "delete_because_each_key": "its key is no longer in for_each",
    "delete_because_no_move_target": "what it was moved to is not in the configuration",
}

_MOST_ATTRIBUTES = 6


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource."""

    action: Action
    address: str
    what: str  # why it goes, or which attributes change


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan's resource changes, what needs attention first."""

    changes: tuple[Change, ...]

    @property
    def dangerous(self) -> tuple[Change, ...]:
        """Changes that end a resource, or Terraform's hold on it."""
        return tuple(change for change in self.changes if change.action in DANGEROUS)

    @property
    def harmless(self) -> tuple[Change, ...]:
        """All other changes."""
        return tuple(change for change in self.changes if change.action not in DANGEROUS)


def parse(content: Any, source: str) -> Plan:
    """Return the changes of a plan.

    Args:
        content: What `terraform show -json PLAN` wrote, parsed.
        source: Where it came from, for the error message.

    Raises:
        UserError: It is not a plan, or of a format that is not known here.
    """
    version = content.get("format_version") if isinstance(content, Mapping) else None
    if not isinstance(version, str) or not (
        "planned_values" in content or "resource_changes" in content
    ):
        raise UserError(f"{source}: not a plan; make one with `terraform show -json PLANFILE`")
    if str(version).partition(".")[0] not in ("0", "1"):
        raise UserError(f"{source}: plan format {version}; known here: 0.x and 1.x")
    found: list[Change] = []
    try:
        for entry in content.get("resource_changes") or ():
            if entry.get("mode", "managed") == "managed":
                found += _changes(entry)
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{source}: not a plan: {error!r} in resource_changes") from error
    found.sort(key=lambda change: (ACTIONS.index(change.action), change.address))
    return Plan(tuple(found))


def summary(plan: Plan) -> str:
    """Return how many resources each thing happens to, as one sentence."""
    counts = Counter(change.action for change in plan.changes)
    if not counts:
        return "Terraform changes no resource."
    parts = [f"{counts[action]:,} {_WORDS[action]}" for action in ACTIONS if counts[action]]
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"Resources: {text}."


def table(changes: Sequence[Change], caption: str) -> Table:
    """Return changes as a table; what ends a resource is in bold."""
    columns = tuple(Column(title, numeric=False) for title in ("Change", "Resource", "What"))
    rows = tuple(
        Row(
            (
                Cell(change.action, best=change.action in DANGEROUS),
                Cell(change.address, best=change.action in DANGEROUS),
                Cell(change.what),
            )
        )
        for change in changes
    )
    return Table(caption, columns, rows)


def _changes(entry: Mapping[str, Any]) -> Iterable[Change]:
    """Yield what happens to one entry of resource_changes; nothing for a no-op."""
    change = entry["change"]
    address = str(entry["address"])
    if entry.get("deposed"):
        address = f"{address} (deposed {entry['deposed']})"
    action = _action(change, entry)
    if action is not None:
        yield Change(action, address, _what(action, change, entry))


def _action(change: Mapping[str, Any], entry: Mapping[str, Any]) -> Action | None:
    actions = set(change["actions"])
    if {"create", "delete"} <= actions or {"create", "forget"} <= actions:
        return "replace"
    for name, action in _SINGLE.items():
        if name in actions:
            return action
    if change.get("importing"):
        return "import"
    return "move" if entry.get("previous_address") else None


_SINGLE: Mapping[str, Action] = {
    "delete": "destroy",
    "forget": "forget",
    "update": "update",
    "create": "create",
}


def _what(action: Action, change: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    parts = [_REASONS.get(str(entry.get("action_reason") or ""), "")]
    if action == "replace":
        forcing = [_path(path) for path in change.get("replace_paths") or ()]
        parts.append(f"because of {_listed(forcing)}" if forcing else "")
        if change["actions"][0] == "create":
            parts.append("the new one first")
    elif action == "update":
        parts.append(_listed(list(_attributes(change))))
    if entry.get("previous_address"):
        parts.append(f"was {entry['previous_address']}")
    return "; ".join(part for part in parts if part)


def _path(path: Sequence[Any]) -> str:
    return ".".join(str(step) for step in path)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_ATTRIBUTES
    shown = list(names[:_MOST_ATTRIBUTES]) + ([f"{more} more"] if more > 0 else [])
    return ", ".join(shown)


def _attributes(change: Mapping[str, Any]) -> Iterable[str]:
    """Yield the attributes that change, with their values where those may be shown."""
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown") or {}
    for name in sorted({*before, *after, *unknown}):
        if unknown.get(name) is True:
            yield f"{name} (known after apply)"
        elif before.get(name) != after.get(name):
            hidden = _is_sensitive(change, name)
            yield name if hidden else _with_values(name, before.get(name), after.get(name))


def _is_sensitive(change: Mapping[str, Any], name: str) -> bool:
    marks = (change.get("before_sensitive"), change.get("after_sensitive"))
    return any(mark is True or (isinstance(mark, Mapping) and mark.get(name)) for mark in marks)


def _with_values(name: str, before: Any, after: Any) -> str:
    if all(value is None or isinstance(value, bool | int | float) for value in (before, after)):
        return f"{name} {_value(before)} → {_value(after)}"
    return name


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return (
        str(value).lower()
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )
