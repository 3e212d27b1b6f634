"""The table of all settings, made of `core.config`: keys, types and defaults, and its comments."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lambda_dyno.core import config
from lambda_dyno.tuner_contract.keys import KEYS

BEGIN = "<!-- settings: begin (make docs) -->"
END = "<!-- settings: end -->"
_FIELD = re.compile(r" {4}(?P<name>[a-z]\w*): .*?(?: {2}# (?P<beside>.*))?$")


def tables() -> str:
    """Return a table for each section, as Markdown."""
    schema = config.Settings.model_json_schema()
    return "\n\n".join(
        "\n".join(_section(name, _class_of(entry), schema))
        for name, entry in schema["properties"].items()
    )


def _section(name: str, of: str, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    found = schema["$defs"][of]
    meanings = _meanings(of)
    yield f"### `[{path}{name}]`"
    yield ""
    yield found.get("description", "").split("\n\n")[0].replace("\n", " ")
    yield ""
    yield "| key | value | default | what |"
    yield "|---|---|---|---|"
    nested = []
    for key, entry in found["properties"].items():
        if inner := _class_of(entry):
            nested.append((key, inner))
            continue
        meaning = meanings.get(key, "").replace("|", "\\|")
        yield f"| `{key}` | {_value(entry)} | {_default(entry)} | {meaning} |"
    for key, inner in nested:
        yield ""
        yield from _section(key, inner, schema, f"{path}{name}.")


def _class_of(entry: Mapping[str, Any]) -> str:
    """Return the section that an entry is; empty: it is a key."""
    return str(entry.get("$ref", "")).rpartition("/")[2]


def _value(entry: Mapping[str, Any]) -> str:
    """Return what a key takes, in words."""
    if "anyOf" in entry:
        parts = [_value(one) for one in entry["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(parts))
    if "enum" in entry:
        return ", ".join(f"`{json.dumps(one)}`" for one in entry["enum"])
    if "const" in entry:
        return f"`{json.dumps(entry['const'])}`"
    if _class_of(entry):
        return "table"
    kind = {"array": "list", "object": "table", "boolean": "true, false"}.get(
        entry.get("type", ""), entry.get("type", "any JSON")
    )
    if kind == "list" and "items" in entry:
        kind = f"list of {_value(entry['items'])}"
    ends = [
        f"{words} {entry[name]:,.10g}"
        for name, words in _LIMITS.items()
        if isinstance(entry.get(name), int | float)
    ]
    return " ".join([kind, *ends])


_LIMITS = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "below",
}


def _default(entry: Mapping[str, Any]) -> str:
    default = entry.get("default")
    return "–" if default in (None, "", [], {}) else f"`{json.dumps(default)}`"


def _meanings(of: str) -> dict[str, str]:
    """Return what the code says beside each key of a section, or above it."""
    found = {key.field: key.help for key in KEYS if key.setting} if of == "TuningSettings" else {}
    above: list[str] = []
    for cls in reversed(getattr(config, of).__mro__):
        if cls.__module__ != config.__name__ or cls.__name__ == "_TuningKeys":
            continue
        for line in inspect.getsource(cls).splitlines():
            if line.startswith("    # "):
                above.append(line[6:])
            elif field := _FIELD.fullmatch(line):
                beside = field["beside"] or ""
                told = "" if beside.startswith(("type: ", "noqa: ")) else beside
                if said := told or " ".join(above):
                    found[field["name"]] = said
                above = []
            else:
                above = []
    return found
