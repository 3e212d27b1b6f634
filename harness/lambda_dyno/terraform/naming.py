"""What a root calls the variables that a run gives it, and the outputs that a run reads.

A root of somebody else has names of its own; `[environment.variables]` and `[environment.outputs]`
say which are which:

    [environment.variables]
    name_prefix = "project"
    memory_mb = "lambda_memory"
    "packages.orders.path" = "orders_zip"

    [environment.outputs]
    function_arn = "functions.orders"   # of an object or a list: its keys, or numbers from 0

Pure: names, and values by their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambda_dyno.core.config import EnvironmentSettings


@dataclass(frozen=True, slots=True)
class Names:
    """A root's own names.

    Attributes:
        variables: Of variables, by what a run calls them.
        outputs: Of outputs, likewise; with dots what is inside of one.
        values: Of further variables of the root: what they are set to.
        function: Which one is loaded, of a root that tells several; empty: the first by name.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    function: str = ""

    @classmethod
    def of(cls, settings: EnvironmentSettings) -> Names:
        """Return the names that an environment's settings say."""
        return cls(settings.variables, settings.outputs, settings.values, settings.function)

    def variable(self, name: str) -> str:
        """Return what the root calls a variable of ours."""
        return self.variables.get(name, name)

    def output(self, name: str) -> str:
        """Return the name of the output that has an output of ours, or is it."""
        return self.outputs.get(name, name).partition(".")[0]


OURS = Names()


def with_inner(packages: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the parts of packages by dotted names: "packages.orders.path"."""
    return {
        f"packages.{name}.{part}": value
        for name, package in packages.items()
        for part, value in package.items()
    }


def read(outputs: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return a root's outputs, with those that it calls otherwise by our names, too.

    One that is not there is None, as an output of ours that a root has not.
    """
    return {**outputs, **{ours: inside(outputs, theirs) for ours, theirs in names.outputs.items()}}


def inside(value: Any, path: str) -> Any:
    """Return what is in objects and lists at a dotted path; None: nothing."""
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def read_changes(changes: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return a plan's `output_changes` with those that the root calls otherwise by our names."""
    found = dict(changes)
    for ours, theirs in names.outputs.items():
        name, _, path = theirs.partition(".")
        change = changes.get(name, {})
        found[ours] = _inside_of_change(change, path) if path else change
    return found


def _inside_of_change(change: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the part of an output's change: unknown and sensitive may be said of the whole."""
    parts = {}
    for name in ("after", "after_unknown", "after_sensitive"):
        whole = change.get(name)
        parts[name] = whole if isinstance(whole, bool) else inside(whole, path)
    return parts
