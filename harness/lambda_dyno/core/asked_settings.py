"""What a test asks, and what lets it in: collections, scenarios, secrets and tokens of dyno.toml.

A secret is never written into dyno.toml: a key names the environment variable that has it. So it
is in no lease, no evidence and no commit; the load driver reads it where it needs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from lambda_dyno.core.errors import brief
from lambda_dyno.core.section import Section

SCENARIOS_MAX = 20
VARIABLES_MAX = 50
SECRET_CHARS_MIN = 4  # a shorter one is in every text, and could not be kept out of any

_REFERENCE = re.compile(r"env:(?P<name>[A-Za-z_][A-Za-z0-9_]{0,127})", re.ASCII)
# Kept from the load driver, whose scripts are whoever's wrote the collection: what may act for a
# job or an account. Signed requests have keys of their own.
_NOT_FOR_SCRIPTS = re.compile(r"(AWS|ACTIONS)_.*|(GITHUB|GH)_TOKEN")
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def variable_of(reference: str) -> str:
    """Return the environment variable that "env:NAME" names; empty: it names none."""
    match = _REFERENCE.fullmatch(reference)
    return match["name"] if match else ""


def _reference(value: Any) -> Any:
    """Refuse all but "env:NAME"; what stands there may be the secret, so it is not shown."""
    name = variable_of(value) if isinstance(value, str) else ""
    if value == "":
        return value
    if not name:
        raise ValueError(
            'a secret is not written here: name the environment variable that has it, as "env:NAME"'
        )
    if _NOT_FOR_SCRIPTS.fullmatch(name):
        raise ValueError(f"{name} is for no collection: its scripts could do all that it allows")
    return value


def _given(value: Any) -> Any:
    if value == "":
        return _reference(None)
    return _reference(value)


# The same for editors.
_NAME = r"env:(?!(AWS|ACTIONS)_|(GITHUB|GH)_TOKEN$)[A-Za-z_][A-Za-z0-9_]{0,127}"
_FORM = {"type": "string", "pattern": f"^{_NAME}$"}
Secret = Annotated[str, BeforeValidator(_given), WithJsonSchema(_FORM)]
NoSecretOr = Annotated[
    str,
    BeforeValidator(_reference),
    WithJsonSchema({"type": "string", "pattern": f"^({_NAME})?$"}),
]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]


class ScenarioSettings(Section):
    """One of several things that users do: a folder of a collection, or a collection."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["folder"]}, {"required": ["collection"]}]}
    )

    name: Annotated[str, Field(max_length=60)] = ""  # empty: the folder's, or the collection's
    collection: str = ""  # empty: the test's
    folder: str = ""  # or a request, by its name; empty: all of the collection
    environment: str = ""  # of Postman; empty: the test's
    globals: str = ""  # of Postman; empty: the test's
    data: str = ""  # rows of iterations, JSON or CSV; empty: the test's
    # of so many iterations as all weights together are, so many are of this one
    weight: Annotated[int, Field(ge=1, le=1000)] = 1

    @model_validator(mode="after")
    def _is_something(self) -> ScenarioSettings:
        if not (self.collection or self.folder):
            raise ValueError("a scenario names a folder, a collection, or both")
        return self


class CollectionSettings(Section):
    """What a test asks; files are relative to the folder of dyno.toml."""

    collection: str = ""  # empty: postman/smoke.postman_collection.json, or load....
    environment: str = ""  # of Postman, as are globals
    globals: str = ""  # of Postman
    data: str = ""  # rows of iterations, JSON or CSV
    api_variable: str = ""  # the variable for the API's address; empty: baseUrl, base_url, apiUrl
    # in the place of one collection: folders or collections, which a smoke test asks one after the
    # other, and a load test's users take turns with
    scenarios: Annotated[list[ScenarioSettings], Field(max_length=SCENARIOS_MAX)] = []


class SmokeSettings(CollectionSettings):
    """The smoke test."""

    @field_validator("scenarios")
    @classmethod
    def _each_once(cls, scenarios: list[ScenarioSettings]) -> list[ScenarioSettings]:
        if any(scenario.weight != 1 for scenario in scenarios):
            raise ValueError("weight: a smoke test asks each scenario once; leave it out")
        return scenarios


class OAuth2Settings(Section):
    """A token that the load driver gets by itself, and again before it expires.

    The table's name is the variable that a collection has it in: `[oauth2.token]` is `{{token}}`.
    """

    token_url: Annotated[str, Field(min_length=1)]  # where tokens are given out
    # what the token is got for: the client itself, a user by name and password, an earlier token
    grant: Literal["client_credentials", "password", "refresh_token"] = "client_credentials"
    client_id: str = ""  # or "env:NAME"
    client_secret: NoSecretOr = ""  # "env:NAME", as are password and refresh_token
    username: str = ""  # or "env:NAME"; of grant password
    password: NoSecretOr = ""  # of grant password
    refresh_token: NoSecretOr = ""  # of grant refresh_token; a new one that comes back is used next
    scope: str = ""  # with spaces between
    audience: str = ""  # where the token server wants one
    client_authentication: Literal["header", "body"] = "header"  # how the client proves itself

    @field_validator("token_url")
    @classmethod
    def _address(cls, value: str) -> str:
        split = urlsplit(value)
        is_local = split.hostname in _LOCAL_HOSTS
        known = split.scheme == "https" or (split.scheme == "http" and is_local)
        if not known or not split.hostname or split.username or split.password or split.fragment:
            raise ValueError(
                f'"{brief(value)}" is no address of a token server, such as '
                "https://auth.example/oauth2/token"
            )
        return value

    @model_validator(mode="after")
    def _has_what_the_grant_needs(self) -> OAuth2Settings:
        needed = {
            "client_credentials": ("client_id", "client_secret"),
            "password": ("username", "password"),
            "refresh_token": ("refresh_token",),
        }[self.grant]
        missing = [name for name in needed if not getattr(self, name)]
        if missing:
            raise ValueError(f'grant = "{self.grant}" needs {" and ".join(missing)}')
        return self

    def references(self) -> Iterator[tuple[str, str]]:
        """Yield key and environment variable of what is not written in dyno.toml."""
        for key in ("client_id", "client_secret", "username", "password", "refresh_token"):
            if name := variable_of(getattr(self, key)):
                yield key, name
