"""`tuned.auto.tfvars.json` of an environment: the memory size, and the evidence for it.

    {
      "//": {"note": "...", "run_id": "...", "former": [{"memory_mb": 512, "run_id": ""}], ...},
      "memory_mb": 1024
    }

Terraform reads the file by itself and skips the key "//", which JSON tfvars have for comments;
any other key that the root does not declare would be a warning on every plan. The former sizes
are in the file, newest last, and not only in git's history: CI checks out without history.

A root may call the variable otherwise, or have the sizes of several functions in a map: `Key`.
Terraform takes a variable as a whole, so the file has the whole map then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambda_dyno.core.config import MEMORY_SIZES_MB
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.reading import parse_json, read_object, read_text
from lambda_dyno.core.results import SAFE_RUN_ID
from lambda_dyno.gates.recommendation import TUNED_FILE

NAME = TUNED_FILE
KEY = "memory_mb"

_EVIDENCE = "//"
_MOST_FORMER = 10


@dataclass(frozen=True, slots=True)
class Key:
    """Where a root takes the size from.

    Attributes:
        variable: The variable.
        inside: The function's key in it, if it is a map of sizes; empty: it is the size.
        default: Of such a map, as the root declares it.
    """

    variable: str = KEY
    inside: str = ""
    default: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.variable}.{self.inside}" if self.inside else self.variable


OURS = Key()


@dataclass(frozen=True, slots=True)
class Former:
    """A memory size that was in force, and the run that was its evidence; empty if none."""

    memory_mb: int
    run_id: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)  # of all functions, of a map


@dataclass(frozen=True, slots=True)
class Tuned:
    """The content of the file.

    Attributes:
        memory_mb: The size; None if the file does not set it.
        run_id: The run that is its evidence; empty if it was written by hand.
        former: The sizes before, newest last.
        others: Other variables in the file, which are kept.
        sizes: Of all functions, where the variable is a map.
    """

    memory_mb: int | None = None
    run_id: str = ""
    former: tuple[Former, ...] = ()
    others: Mapping[str, Any] | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)


def parse(text: str | None, where: str, key: Key = OURS) -> Tuned:
    """Return what the file says.

    Args:
        text: Its content; None if there is no such file.
        where: Its path, for the error message.
        key: Where the size is.

    Raises:
        UserError: Terraform could not read it either, or the memory size or the run in it is none.
    """
    if text is None:
        return Tuned()
    content = parse_json(text, where)
    if not isinstance(content, dict):
        raise UserError(f"{where}: must be a JSON object of variables, such as {{}}")
    evidence = content.pop(_EVIDENCE, None)
    memory_mb, sizes = _sizes(content.pop(key.variable, None), key, where)
    evidence = evidence if isinstance(evidence, dict) else {}
    listed = evidence.get("former")
    former = [
        Former(entry[KEY], _run_id(entry, where), _former_sizes(entry))
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, dict) and is_size(entry.get(KEY))
    ]
    return Tuned(memory_mb, _run_id(evidence, where), tuple(former), content, sizes)


def _sizes(value: Any, key: Key, where: str) -> tuple[int | None, dict[str, int]]:
    """Return the function's size, and those of all functions if there is a map of them."""
    if not key.inside:
        if value is not None and not is_size(value):
            raise UserError(f"{where}: {key}: {brief(json.dumps(value))} is not {_SIZES}")
        return value, {}
    if value is not None and not isinstance(value, dict):
        raise UserError(f"{where}: {key.variable}: must be a map of sizes")
    sizes = dict(value or {})
    for name, size in sizes.items():
        if not is_size(size):
            shown = brief(json.dumps(size))
            raise UserError(f"{where}: {key.variable}.{brief(name)}: {shown} is not {_SIZES}")
    return sizes.get(key.inside, key.default.get(key.inside)), sizes


def _former_sizes(entry: Mapping[str, Any]) -> dict[str, int]:
    listed = entry.get("sizes")
    found = listed.items() if isinstance(listed, dict) else ()
    return {name: size for name, size in found if is_size(size)}


def _run_id(holder: Mapping[str, Any], where: str) -> str:
    """Return the run that is named as evidence; empty if none is.

    Raises:
        UserError: It is no run's id.
    """
    found = holder.get("run_id") or ""
    if found and not (isinstance(found, str) and SAFE_RUN_ID.fullmatch(found)):
        raise UserError(f"{where}: run_id: {brief(json.dumps(found))} is no run's id; take it out")
    return str(found)


def render(tuned: Tuned, env: str, evidence: Mapping[str, Any], key: Key = OURS) -> str:
    """Return the content of the file.

    Args:
        tuned: What it says.
        env: The environment.
        evidence: Where the size comes from.
        key: Where the size is.
    """
    note = f"Written by `dyno apply`; `dyno rollback --env {env}` writes the former size back."
    comment = {
        "note": note,
        "run_id": tuned.run_id,
        **evidence,
        "former": [
            {
                KEY: former.memory_mb,
                "run_id": former.run_id,
                **({"sizes": dict(former.sizes)} if former.sizes else {}),
            }
            for former in tuned.former[-_MOST_FORMER:]
        ],
    }
    value: Any = tuned.memory_mb
    if key.inside:
        value = {**key.default, **tuned.sizes, key.inside: tuned.memory_mb}
    content = {_EVIDENCE: comment, **(tuned.others or {}), key.variable: value}
    return json.dumps(content, indent=2) + "\n"


def is_size(value: Any) -> bool:
    """Whether a value is a memory size that Lambda has."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and value in MEMORY_SIZES_MB


def declares_memory(folder: Path, key: Key = OURS) -> bool:
    """Whether a root has the variable that the file sets."""
    declared = re.compile(rf'^\s*variable\s+"{re.escape(key.variable)}"', re.MULTILINE)
    return any(declared.search(read_text(path)) for path in folder.glob("*.tf"))


def overriding(folder: Path, key: Key = OURS) -> list[str]:
    """Return the files of a root that set the size too and win: Terraform takes the last name."""
    later = [path for path in folder.glob("*.auto.tfvars*") if path.name > NAME]
    return sorted(path.name for path in later if _sets_memory(path, key))


def _sets_memory(path: Path, key: Key) -> bool:
    if path.suffix != ".json":
        assigned = re.compile(rf"^\s*{re.escape(key.variable)}\s*=", re.MULTILINE)
        return bool(assigned.search(read_text(path)))
    return key.variable in read_object(path)


_SIZES = f"a whole number of MB from {MEMORY_SIZES_MB[0]} to {MEMORY_SIZES_MB[-1]}"
