"""The table of all settings, made of the models: keys, types and defaults, and their comments."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from lambda_dyno.core import asked_settings, config
from lambda_dyno.tuner_contract.keys import KEYS

BEGIN = "<!-- settings: begin (make docs) -->"
END = "<!-- settings: end -->"
_MODULES = (config, asked_settings)
_FIELD = re.compile(r" {4}(?P<name>[a-z]\w*): .*?(?: {2}# (?P<beside>.*))?$")
_NO_COMMENT = ("type: ", "noqa: ", "pragma: ")


def tables() -> str:
    """Return a table for each section, as Markdown."""
    schema = config.Settings.model_json_schema()
    meanings = meanings_of(config.Settings)
    return "\n\n".join(
        "\n".join(_top(name, entry, schema, meanings.get(name, "")))
        for name, entry in schema["properties"].items()
    )


def meanings_of(model: type[BaseModel]) -> dict[str, str]:
    """Return what the code says of each key of a section: beside it, or above it."""
    is_tuning = model is config.TuningSettings
    found = {key.field: key.help for key in KEYS if key.setting} if is_tuning else {}
    names = {module.__name__ for module in _MODULES}
    above: list[str] = []
    for cls in reversed(model.__mro__):
        if cls.__module__ not in names or cls.__name__ == "_TuningKeys":
            continue
        for line in inspect.getsource(cls).splitlines():
            if line.startswith("    # "):
                above.append(line[6:])
            elif field := _FIELD.fullmatch(line):
                beside = field["beside"] or ""
                told = "" if beside.startswith(_NO_COMMENT) else beside
                if said := told or " ".join(above):
                    found[field["name"]] = said
                above = []
            else:
                above = []
    return found


def model_of(name: str) -> type[BaseModel]:
    """Return the section that a definition of the schema is."""
    found: type[BaseModel] = next(
        getattr(module, name) for module in _MODULES if hasattr(module, name)
    )
    return found


def _top(
    name: str, entry: Mapping[str, Any], schema: Mapping[str, Any], said: str
) -> Iterator[str]:
    if of := _class_of(entry):
        yield from _section(f"[{name}]", of, schema, name)
        return
    # a table whose keys are names of one's own: of values, or of tables
    (inner,) = _inner(entry)
    if of := _class_of(inner):
        yield from _section(f"[{name}.NAME]", of, schema, f"{name}.NAME")
        return
    yield from (f"### `[{name}]`", "", f"{said[:1].upper()}{said[1:]}.", "")
    yield from ("| key | value | default | what |", "|---|---|---|---|")
    yield f'| `NAME` | `"env:VARIABLE"` | – | {said} |'


def _section(title: str, of: str, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    found = schema["$defs"][of]
    meanings = meanings_of(model_of(of))
    yield f"### `{title}`"
    yield ""
    yield found.get("description", "").split("\n\n")[0].replace("\n", " ")
    yield ""
    yield "| key | value | default | what |"
    yield "|---|---|---|---|"
    nested = []
    required = set(found.get("required", ()))
    for key, entry in found["properties"].items():
        if inner := _class_of(entry):
            nested.append((f"[{path}.{key}]", inner, f"{path}.{key}"))
            continue
        if of_list := _class_of(entry.get("items", {})):
            nested.append((f"[[{path}.{key}]]", of_list, f"{path}.{key}"))
        meaning = meanings.get(key, "").replace("|", "\\|")
        default = "required" if key in required else _default(entry)
        yield f"| `{key}` | {_value(entry)} | {default} | {meaning} |"
    for inner_title, inner, inner_path in nested:
        yield ""
        yield from _section(inner_title, inner, schema, inner_path)


def _inner(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what the values of a table with any names are."""
    by_pattern = entry.get("patternProperties")
    found = list(by_pattern.values()) if by_pattern else [entry.get("additionalProperties", {})]
    return [one for one in found if isinstance(one, dict)]


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
    if kind == "string" and str(entry.get("pattern", "")).find("env:") >= 0:
        return '`"env:VARIABLE"`'
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
