"""dyno.toml's JSON Schema: what the models say, for editors, and every file in this project."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import lambda_dyno
from tests.support import bad_inputs as bad
from tools import settings_docs, settings_schema

pytestmark = pytest.mark.contract

PROJECT = Path(__file__).parents[2]
SCHEMA = Path(lambda_dyno.__file__).parent / "schemas" / "dyno.schema.json"
LINE = "#:schema "
# What the models check by code, and what only TOML or dyno can tell: no JSON Schema says it.
BY_CODE = {
    *("commit", "function", "payload_s3", "post_processor_arn", "pre_processor_arn", "region"),
    *("state_bucket", "store", "payload", "invocations_per_month"),
    *("variables", "outputs", "values", "payload_files"),
}
_WHOLE = ("1.5",)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "*dyno.toml"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [PROJECT / name for name in listed]


def test_the_schema_is_what_the_models_say() -> None:
    """`make docs` writes it."""
    assert SCHEMA.read_text(encoding="utf-8") == settings_schema.text()


def test_every_key_says_what_it_is() -> None:
    """An editor shows it, and so does docs/settings.md."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    parts = {
        "top": schema["properties"],
        **{name: part["properties"] for name, part in schema["definitions"].items()},
    }
    sections = {name for name, entry in parts["top"].items() if "allOf" in entry or "$ref" in entry}
    silent = [
        f"{name}.{key}"
        for name, properties in parts.items()
        for key, entry in properties.items()
        if not entry.get("description")
        and not (name == "top" and key in sections)
        and "$ref" not in entry
        and "allOf" not in entry
    ]
    assert silent == []


@pytest.mark.parametrize("path", [str(path.relative_to(PROJECT)) for path in files()])
def test_every_file_here_fits_and_names_it(
    path: str, validator: jsonschema.Draft7Validator
) -> None:
    """Its first line leads an editor to the schema."""
    text = (PROJECT / path).read_text(encoding="utf-8")
    validator.validate(tomllib.loads(text))
    first = text.splitlines()[0]
    assert first.startswith(LINE), first
    assert ((PROJECT / path).parent / first.removeprefix(LINE)).resolve() == SCHEMA.resolve()


@pytest.mark.parametrize(
    "text",
    [
        '[load]\nscenarios = [{ folder = "Browse", weight = 3 }, { collection = "a.json" }]',
        '[secrets]\ntoken = "env:SHOP_TOKEN"',
        '[oauth2.t]\ntoken_url = "https://a.b/t"\nclient_id = "x"\nclient_secret = "env:S"',
        '[tuning]\npower_values = "ALL"',
        '[load]\nloop = "open"\nstages = [{ level = 1, duration_s = 2.5 }]',
        '[traffic]\ninvocations_per_month = "cloudwatch"',
        "[tuning]\npayload = { a = [1, { b = true }] }",
    ],
)
def test_what_is_right_fits(text: str, validator: jsonschema.Draft7Validator) -> None:
    """Of what the models check in unusual ways."""
    validator.validate(tomllib.loads(text))


def test_the_schema_refuses_what_the_models_refuse(validator: jsonschema.Draft7Validator) -> None:
    """Each key with each wrong value of its type, but for what only code can tell."""
    passed = []
    for path, value in bad.settings_cases():
        section, key = ".".join(path[:-1]), path[-1]
        text = f"[{section}]\n{key} = {value}\n" if section else f"{key} = {value}\n"
        try:
            content = tomllib.loads(text)
        except ValueError:
            continue
        if _is_told_by_code(key, value) or not _is_json(content):
            continue
        if validator.is_valid(content):
            passed.append(f"{section} {key} = {value[:40]}")
    assert passed == []


def _is_told_by_code(key: str, value: str) -> bool:
    """Whether it takes code: a float as small as that, texts that no terminal may show."""
    is_text = value.startswith('"')
    return (
        key in BY_CODE or value in ("1e-300", "nan", "inf", "-inf") or (is_text and "\\" in value)
    )


def _is_json(content: Any) -> bool:
    try:
        json.dumps(content, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        "[nope]",
        "[load]\nnope = 1",
        "[[load.scenarios]]\nnope = 1",
        '[oauth2.t]\ntoken_url = "x"\nnope = 1',
        '[secrets]\nt = "x"',
    ],
)
def test_what_is_unknown_is_refused(text: str, validator: jsonschema.Draft7Validator) -> None:
    """At each depth."""
    assert not validator.is_valid(tomllib.loads(text))


def test_the_reference_has_every_key() -> None:
    """In docs/settings.md, in the table of its section."""
    page = (PROJECT / "docs" / "settings.md").read_text(encoding="utf-8")
    tables = settings_docs.tables()
    assert tables in page
    for title in ("[[load.scenarios]]", "[[load.stages]]", "[secrets]", "[oauth2.NAME]"):
        assert f"### `{title}`" in tables
