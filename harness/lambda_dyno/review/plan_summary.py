"""Terraform's resource changes as tables: what is destroyed or replaced comes first.

Reads what `terraform show -json PLAN` writes (format 1.x; keys that it does not know are
ignored, as that format asks of its readers). A comment may be public and text may be a secret
that nobody marked as one, so only numbers and booleans are shown; of the rest, the names.

A whole plan holds every value in clear, those of sensitive variables too. `public` makes one of
it that may be kept and handed on: of the same format, with what the tables read and no more.
Its one key that Terraform's has not is `hidden` of a change: attributes whose values are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lambda_dyno.core.errors import UserError
from lambda_dyno.report.tables import Cell, Column, Row, Table

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

_DESCRIPTIONS: Mapping[Action, str] = {
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
    changes: list[Change] = []
    try:
        for entry in content.get("resource_changes") or ():
            if entry.get("mode", "managed") == "managed":
                changes += _changes(entry)
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{source}: not a plan: {error!r} in resource_changes") from error
    changes.sort(key=lambda change: (ACTIONS.index(change.action), change.address))
    return Plan(tuple(changes))


def public(content: Any, source: str) -> dict[str, Any]:
    """Return a plan without any value that is a text or was marked as sensitive.

    It reads as the same changes: `parse` finds no difference.

    Args:
        content: What `terraform show -json PLAN` wrote, parsed.
        source: Where it came from, for the error message.

    Raises:
        UserError: It is not a plan, or of a format that is not known here.
    """
    parse(content, source)
    entries = [
        _public_entry(entry)
        for entry in content.get("resource_changes") or ()
        if entry.get("mode", "managed") == "managed" and any(_changes(entry))
    ]
    return {"format_version": content["format_version"], "resource_changes": entries}


def _public_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    change = entry["change"]
    kept: dict[str, Any] = {"actions": [name for name in change["actions"] if name in _KNOWN]}
    if paths := change.get("replace_paths"):
        kept["replace_paths"] = paths  # names and positions
    if change.get("importing"):
        kept["importing"] = {"unknown": True}  # the id is a value
    if "update" in change["actions"]:
        kept |= _public_values(change)
    names = ("address", "deposed", "previous_address")
    shown = {"mode": "managed"} | {name: entry[name] for name in names if entry.get(name)}
    if entry.get("action_reason") in _REASONS:
        shown["action_reason"] = entry["action_reason"]
    return {**shown, "change": kept}


def _public_values(change: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a table shows, and the names of the others that change."""
    values: dict[str, Any] = {"before": {}, "after": {}, "after_unknown": {}, "hidden": []}
    for attribute in _attributes(change):
        name = attribute.name
        if attribute.unknown:
            values["after_unknown"][name] = True
        elif attribute.shown:
            values["before"][name], values["after"][name] = attribute.before, attribute.after
        else:
            values["hidden"].append(name)
    return values


def summary(plan: Plan) -> str:
    """Return how many resources each thing happens to, as one sentence."""
    counts = Counter(change.action for change in plan.changes)
    if not counts:
        return "Terraform changes no resource."
    parts = [f"{counts[action]:,} {_DESCRIPTIONS[action]}" for action in ACTIONS if counts[action]]
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
_KNOWN = (*_SINGLE, "no-op", "read")


def _what(action: Action, change: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    parts = [_REASONS.get(str(entry.get("action_reason") or ""), "")]
    if action == "replace":
        forcing = [_path(path) for path in change.get("replace_paths") or ()]
        parts.append(f"because of {_listed(forcing)}" if forcing else "")
        if change["actions"][0] == "create":
            parts.append("the new one first")
    elif action == "update":
        parts.append(_listed([str(attribute) for attribute in _attributes(change)]))
    if entry.get("previous_address"):
        parts.append(f"was {entry['previous_address']}")
    return "; ".join(part for part in parts if part)


def _path(path: Sequence[Any]) -> str:
    return ".".join(str(step) for step in path)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_ATTRIBUTES
    shown = list(names[:_MOST_ATTRIBUTES]) + ([f"{more} more"] if more > 0 else [])
    return ", ".join(shown)


@dataclass(frozen=True, slots=True)
class _Attribute:
    """An attribute that changes."""

    name: str
    before: Any = None
    after: Any = None
    unknown: bool = False  # until it is applied
    hidden: bool = False  # sensitive, or left out of the plan

    @property
    def shown(self) -> bool:
        """Whether its values may be."""
        return not self.hidden and all(
            value is None or isinstance(value, bool | int | float)
            for value in (self.before, self.after)
        )

    def __str__(self) -> str:
        if self.unknown:
            return f"{self.name} (known after apply)"
        values = f" {_value(self.before)} → {_value(self.after)}" if self.shown else ""
        return f"{self.name}{values}"


def _attributes(change: Mapping[str, Any]) -> Iterable[_Attribute]:
    """Yield the attributes that change, by name."""
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown, hidden = change.get("after_unknown") or {}, set(change.get("hidden") or ())
    for name in sorted({*before, *after, *unknown, *hidden}):
        if unknown.get(name) is True:
            yield _Attribute(name, unknown=True)
        elif name in hidden or before.get(name) != after.get(name):
            sensitive = name in hidden or _is_sensitive(change, name)
            yield _Attribute(name, before.get(name), after.get(name), hidden=sensitive)


def _is_sensitive(change: Mapping[str, Any], name: str) -> bool:
    marks = (change.get("before_sensitive"), change.get("after_sensitive"))
    return any(mark is True or (isinstance(mark, Mapping) and mark.get(name)) for mark in marks)


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
