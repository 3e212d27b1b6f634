"""The JSON Schema of dyno.toml, made of the models, for editors: completion, help and mistakes.

It refuses what a key alone tells: unknown keys, wrong types, values out of range. What keys say
together, `dyno` itself refuses.

Draft 7, which taplo (Even Better TOML) and all others read: there a `$ref` stands alone.
"""

from __future__ import annotations

import json
from typing import Any

from lambda_dyno.core.config import Settings
from lambda_dyno.core.section import TEXT_CHARS_MAX
from tools import settings_docs


def text() -> str:
    """Return the schema as the file has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> dict[str, Any]:
    """Return the schema."""
    made = Settings.model_json_schema(ref_template="#/definitions/{model}")
    definitions = made.pop("$defs")
    parts = {"Settings": made, **definitions}
    for name, part in parts.items():
        _describe(part, settings_docs.meanings_of(settings_docs.model_of(name)))
    sizes = definitions["TuningSettings"]["properties"]["power_values"]
    about = sizes.pop("description", "")
    definitions["TuningSettings"]["properties"]["power_values"] = {
        "description": about,
        "anyOf": [sizes, {"const": "ALL"}],  # a list of all of them
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "dyno.toml",
        "description": "Settings of an environment of Lambda Dyno: docs/settings.md.",
        **_plain(made),
        "definitions": {name: _plain(definition) for name, definition in definitions.items()},
    }


def _describe(part: dict[str, Any], meanings: dict[str, str]) -> None:
    part.pop("title", None)
    for key, entry in part.get("properties", {}).items():
        if meaning := meanings.get(key):
            entry["description"] = f"{meaning[:1].upper()}{meaning[1:]}"


def _plain(value: Any) -> Any:
    """Return a part of the schema without what says nothing in TOML, which has no null."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _plain(inner) for key, inner in value.items()}
    if isinstance(found.get("properties"), dict):
        for entry in found["properties"].values():
            entry.pop("title", None)
    some = [one for one in found.get("anyOf", ()) if one != {"type": "null"}]
    if "anyOf" in found:
        found.pop("anyOf")
        found.update({"anyOf": some} if len(some) > 1 else some[0])
    if found.get("default", 0) is None or isinstance(found.get("default"), dict):
        found.pop("default")
    if "patternProperties" in found:
        found["additionalProperties"] = False
    if found.get("type") == "string" and not {"pattern", "enum", "maxLength"} & found.keys():
        found["maxLength"] = TEXT_CHARS_MAX
    if "$ref" in found and len(found) > 1:
        found["allOf"] = [{"$ref": found.pop("$ref")}]
    return found
