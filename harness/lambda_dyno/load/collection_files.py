"""Postman collections as people export them: which files a test takes, and whether they are some.

A load driver reads them. Here they are looked at before anything is made, so that a run does not
deploy an environment for a broken file.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lambda_dyno.core import assets
from lambda_dyno.core.asked_settings import (
    SECRET_CHARS_MIN,
    CollectionSettings,
    OAuth2Settings,
    ScenarioSettings,
    variable_of,
)
from lambda_dyno.core.config import SETTINGS_FILE, Env
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.reading import read_bytes

STEPS = ("smoke", "load")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One of several things that users do.

    Attributes:
        name: Goes before the names of its requests, in figures.
        collection: The collection that has it.
        folder: Name of its folder, or of a single request, in there; empty: all of it.
        weight: Of so many iterations as all weights together are, so many are of this one.
        environment: File of its environment; None for none.
        globals: File of its globals; None for none.
        data: File with the rows of its iterations; None for none.
    """

    name: str
    collection: Path
    folder: str = ""
    weight: int = 1
    environment: Path | None = None
    globals: Path | None = None
    data: Path | None = None

    def paths(self) -> dict[str, Path]:
        """Return the files that there are, by the settings' names."""
        return {name: path for name in _CHECKS if (path := getattr(self, name)) is not None}

    def for_driver(self) -> dict[str, Any]:
        """Return what the driver takes."""
        paths = {name: str(path.resolve()) for name, path in self.paths().items()}
        return {**paths, "name": self.name, "folder": self.folder, "weight": self.weight}


@dataclass(frozen=True, slots=True)
class CollectionFiles:
    """What a test asks, and with which variables.

    Attributes:
        collection: The collection, of format v1, v2.0 or v2.1; with scenarios that all name their
            own, that of the first.
        environment: File of its environment; None for none.
        globals: File of its globals; None for none.
        data: File with the rows of its iterations, JSON or CSV; None for none.
        api_variable: The variable that is to hold the API's address; empty: `baseUrl`, and
            whatever else of the collection is spelled like that or like `apiUrl`.
        scenarios: What is asked in the place of the whole collection; none: the collection.
        secrets: Variables whose values are in the environment, by "env:NAME".
        oauth2: Variables that hold tokens, and where each is to be had.
    """

    collection: Path
    environment: Path | None = None
    globals: Path | None = None
    data: Path | None = None
    api_variable: str = ""
    scenarios: tuple[Scenario, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)
    oauth2: Mapping[str, OAuth2Settings] = field(default_factory=dict)

    def paths(self) -> dict[str, Path]:
        """Return the files that there are, by the settings' names."""
        if self.scenarios:
            return {
                f"scenarios.{index}.{name}": path
                for index, scenario in enumerate(self.scenarios)
                for name, path in scenario.paths().items()
            }
        return {name: path for name in _CHECKS if (path := getattr(self, name)) is not None}

    def for_driver(self) -> dict[str, Any]:
        """Return what the driver takes: of secrets the names of the variables that have them."""
        one = {} if self.scenarios else {k: str(v.resolve()) for k, v in self.paths().items()}
        some = {
            "scenarios": [scenario.for_driver() for scenario in self.scenarios],
            "secrets": {name: variable_of(where) for name, where in self.secrets.items()},
            "oauth2": {name: token.model_dump() for name, token in self.oauth2.items()},
        }
        told = {name: value for name, value in some.items() if value}
        return {**one, **told, "api_variable": self.api_variable}

    def check(self, named: Mapping[str, str] = MappingProxyType({})) -> None:
        """Make sure that a driver can run them.

        Args:
            named: Where a file is named, such as {"data": "envs/dev/dyno.toml: [load] data"}.

        Raises:
            UserError: A file cannot be read, or is not what it is to be; the message names it.
        """
        for name, path in self.paths().items():
            try:
                _CHECKS[name.rpartition(".")[2]](path)
            except UserError as error:
                where = named.get(name) or named.get(name.rpartition(".")[2])
                if where is None:
                    raise
                raise UserError(f"{where}: {error}") from error
        where = named.get("scenarios", "scenarios")
        for scenario in self.scenarios:
            _check_folder(scenario, where)
        names = [scenario.name for scenario in self.scenarios]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UserError(f"{where}: two are called {brief(twice[0])}: give one another name")

    def check_secrets(self, where: str = SETTINGS_FILE) -> None:
        """Make sure that all secrets are in the environment; no message shows any.

        Raises:
            UserError: One is not there, or is too short to be kept out of what is written.
        """
        wanted = [(f"[secrets] {name}", variable_of(ref)) for name, ref in self.secrets.items()]
        wanted += [
            (f"[oauth2.{name}] {key}", variable)
            for name, token in self.oauth2.items()
            for key, variable in token.references()
        ]
        for key, variable in wanted:
            value = os.environ.get(variable, "")
            if not value:
                raise UserError(f"{where}: {key}: the environment variable {variable} is not set")
            if len(value) < SECRET_CHARS_MIN or "\n" in value:
                raise UserError(
                    f"{where}: {key}: {variable} must be one line of at least {SECRET_CHARS_MIN} "
                    "characters: a shorter one could not be told from the rest of a report"
                )


def own(step: str) -> CollectionFiles:
    """Return this project's own collection for the CRUD API: "smoke" or "load"."""
    return CollectionFiles(assets.root() / "postman" / f"{step}.postman_collection.json")


def of_address(step: str) -> CollectionFiles:
    """Return what asks nothing but an API's address itself, where nobody has a collection."""
    return CollectionFiles(assets.root() / "postman" / f"address-{step}.postman_collection.json")


def of_settings(project: Path, env: Env, step: str) -> CollectionFiles:
    """Return the files that an environment's settings name for a step.

    Args:
        project: Folder that holds `postman/`.
        env: Its settings; what they name is relative to its folder.
        step: "smoke" or "load".
    """
    return _of(project, env, step, getattr(env.settings, step))


def of_deployment(project: Path, env: Env, step: str) -> CollectionFiles:
    """Return the same for the check of a deployment: [deploy.load] comes before [load]."""
    if step == "smoke":
        return of_settings(project, env, step)
    own_load = env.settings.deploy.load
    names = CollectionSettings.model_fields
    kept = {name: value for name in names if (value := getattr(own_load, name))}
    return _of(project, env, step, env.settings.load.model_copy(update=kept))


def _of(project: Path, env: Env, step: str, settings: CollectionSettings) -> CollectionFiles:
    paths = {name: env.folder / value for name in _CHECKS if (value := getattr(settings, name))}
    folder, own_name = project / "postman", getattr(settings, "preset", "")
    of_preset = folder / f"{own_name}.postman_collection.json"
    default = of_preset if own_name and of_preset.is_file() else None
    own_files = [one.collection for one in settings.scenarios]
    if own_files and all(own_files):
        default = env.folder / own_files[0]
    paths.setdefault("collection", default or folder / f"{step}.postman_collection.json")
    return CollectionFiles(
        **paths,
        api_variable=settings.api_variable,
        scenarios=tuple(_scenario(env, one, paths) for one in settings.scenarios),
        secrets=env.settings.secrets,
        oauth2=env.settings.oauth2,
    )


def _scenario(env: Env, settings: ScenarioSettings, test: Mapping[str, Path]) -> Scenario:
    """Return a scenario; what it does not name is the test's."""
    own_paths = {name: env.folder / value for name in _CHECKS if (value := getattr(settings, name))}
    paths = {**test, **own_paths}
    stem = paths["collection"].name.removesuffix(".json").removesuffix(".postman_collection")
    return Scenario(
        name=settings.name or settings.folder or stem,
        folder=settings.folder,
        weight=settings.weight,
        **paths,
    )


def check(project: Path, env: Env) -> None:
    """Look at all files of a project's tests; a collection that is just not there is no test.

    Raises:
        UserError: One cannot be run.
    """
    smoke, load, deploy = env.settings.smoke, env.settings.load, env.settings.deploy.load
    for files, sections in (
        (of_settings(project, env, "smoke"), {"smoke": smoke}),
        (of_settings(project, env, "load"), {"load": load}),
        (of_deployment(project, env, "load"), {"load": load, "deploy.load": deploy}),
    ):
        named = {
            key: f"envs/{env.name}/{SETTINGS_FILE}: [{section}] {key}"
            for section, settings in sections.items()
            for key in CollectionSettings.model_fields
            if getattr(settings, key)
        }
        if named.keys() & {"collection", "scenarios"} or files.collection.exists():
            files.check(named)


def check_secrets(project: Path, env: Env) -> None:
    """Make sure that all secrets of the settings are in the environment.

    Raises:
        UserError: One is not.
    """
    files = of_settings(project, env, "smoke")
    files.check_secrets(f"envs/{env.name}/{SETTINGS_FILE}")


def content_of(path: Path) -> Any:
    """Return what a collection's file holds, whichever way Postman has given it out.

    Raises:
        UserError: It cannot be read, or is no JSON.
    """
    content = _json(path)
    if isinstance(content, dict) and isinstance(content.get("collection"), dict):
        return content["collection"]  # as Postman's API gives it
    return content


def rows_of(path: Path) -> Any:
    """Return what a data file holds: JSON, or the rows of CSV with a header.

    Raises:
        UserError: It cannot be read, or is empty.
    """
    text = _text(path)
    try:
        return json.loads(text)
    except ValueError:
        return list(csv.DictReader(io.StringIO(text)))


def _check_collection(path: Path) -> None:
    content = content_of(path)
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: not a Postman collection: must be a JSON object, not {_kind(content)}"
        )
    is_v1 = all(name in content for name in ("name", "order", "requests"))
    if not is_v1 and "item" not in content:
        raise UserError(
            f"{path}: not a Postman collection: must have `item` (v2.0, v2.1), "
            "or `name`, `order` and `requests` (v1)"
        )
    if not (content["requests"] if is_v1 else _leaves(content["item"])):
        raise UserError(f"{path}: the collection has no request")


def _check_folder(scenario: Scenario, where: str) -> None:
    """Make sure that a scenario's folder, or request, is in its collection."""
    if not scenario.folder:
        return
    content = content_of(scenario.collection)
    is_v2 = "item" in content
    lists = [content["item"]] if is_v2 else [content.get("folders"), content.get("requests")]
    names = [name for one in lists for name in _names(one)]
    if scenario.folder not in names:
        known = ", ".join(dict.fromkeys(names)) or "none has a name"
        raise UserError(
            f"{where}: {scenario.collection} has no folder and no request "
            f"{brief(scenario.folder)}; there are: {brief(known, most=300)}"
        )


def _names(items: Any) -> Iterator[str]:
    """Yield the names of folders and requests, as they stand."""
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            if isinstance(item.get("name"), str):
                yield item["name"]
            yield from _names(item.get("item"))


def _leaves(items: Any) -> int:
    if not isinstance(items, list):
        return 0
    return sum(
        _leaves(item["item"]) if "item" in item else bool(item.get("request"))
        for item in items
        if isinstance(item, dict)
    )


def _check_variables(path: Path, kind: str) -> None:
    """Look at an environment or at globals: an object with `values`, or a list of them."""
    content = _json(path)
    if isinstance(content, dict) and isinstance(content.get(kind), dict):
        content = content[kind]  # as Postman's API gives it
    values = content.get("values") if isinstance(content, dict) else content
    if not isinstance(values, list):
        raise UserError(
            f"{path}: not exported from Postman: must be a JSON object with a list `values`"
        )


def _check_rows(path: Path) -> None:
    """Look at a data file: JSON is a list of objects, anything else is CSV with a header."""
    rows = rows_of(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path}: not a data file: must be a JSON list of objects, or CSV")
    if not rows:
        raise UserError(f"{path}: the data file has no row")


def _json(path: Path) -> Any:
    text = _text(path)
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"{path}: not JSON: {error}") from error
    except RecursionError as error:
        raise UserError(f"{path}: not JSON: nested too deeply") from error


def _text(path: Path) -> str:
    """Return the text of a file that may begin with a byte order mark, as Postman takes it.

    Raises:
        UserError: It cannot be read, or is empty.
    """
    raw = read_bytes(path)
    encoding = "utf-16" if raw.startswith(b"\xff\xfe") else "utf-8-sig"
    text = raw.decode(encoding, errors="replace")
    if not text.strip():
        raise UserError(f"{path}: is empty")
    return text


def _kind(content: Any) -> str:
    names = {list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(content), "a number")


_CHECKS: Mapping[str, Callable[[Path], None]] = {
    "collection": _check_collection,
    "environment": lambda path: _check_variables(path, "environment"),
    "globals": lambda path: _check_variables(path, "globals"),
    "data": _check_rows,
}
