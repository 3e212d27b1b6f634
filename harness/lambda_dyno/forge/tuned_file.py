"""`tuned.auto.tfvars.json` of an environment: the memory size, and the evidence for it.

    {
      "//": {"note": "...", "run_id": "...", "former": [{"memory_mb": 512, "run_id": ""}], ...},
      "memory_mb": 1024
    }

Terraform reads the file by itself and skips the key "//", which JSON tfvars have for comments;
any other key that the root does not declare would be a warning on every plan. The former sizes
are in the file, newest last, and not only in git's history: CI checks out without history.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
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
_DECLARED = re.compile(r'^\s*variable\s+"memory_mb"', re.MULTILINE)
_ASSIGNED = re.compile(r"^\s*memory_mb\s*=", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Former:
    """A memory size that was in force, and the run that was its evidence; empty if none."""

    memory_mb: int
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Tuned:
    """The content of the file.

    Attributes:
        memory_mb: The size; None if the file does not set it.
        run_id: The run that is its evidence; empty if it was written by hand.
        former: The sizes before, newest last.
        others: Other variables in the file, which are kept.
    """

    memory_mb: int | None = None
    run_id: str = ""
    former: tuple[Former, ...] = ()
    others: Mapping[str, Any] | None = None


def parse(text: str | None, where: str) -> Tuned:
    """Return what the file says.

    Args:
        text: Its content; None if there is no such file.
        where: Its path, for the error message.

    Raises:
        UserError: Terraform could not read it either, or the memory size or the run in it is none.
    """
    if text is None:
        return Tuned()
    content = parse_json(text, where)
    if not isinstance(content, dict):
        raise UserError(f"{where}: must be a JSON object of variables, such as {{}}")
    evidence = content.pop(_EVIDENCE, None)
    memory_mb = content.pop(KEY, None)
    if memory_mb is not None and not is_size(memory_mb):
        raise UserError(f"{where}: {KEY}: {brief(json.dumps(memory_mb))} is not {_SIZES}")
    evidence = evidence if isinstance(evidence, dict) else {}
    listed = evidence.get("former")
    former = [
        Former(entry[KEY], _run_id(entry, where))
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, dict) and is_size(entry.get(KEY))
    ]
    return Tuned(memory_mb, _run_id(evidence, where), tuple(former), content)


def _run_id(holder: Mapping[str, Any], where: str) -> str:
    """Return the run that is named as evidence; empty if none is.

    Raises:
        UserError: It is no run's id.
    """
    found = holder.get("run_id") or ""
    if found and not (isinstance(found, str) and SAFE_RUN_ID.fullmatch(found)):
        raise UserError(f"{where}: run_id: {brief(json.dumps(found))} is no run's id; take it out")
    return str(found)


def render(tuned: Tuned, env: str, evidence: Mapping[str, Any]) -> str:
    """Return the content of the file.

    Args:
        tuned: What it says.
        env: The environment.
        evidence: Where the size comes from.
    """
    note = f"Written by `dyno apply`; `dyno rollback --env {env}` writes the former size back."
    comment = {
        "note": note,
        "run_id": tuned.run_id,
        **evidence,
        "former": [
            {KEY: former.memory_mb, "run_id": former.run_id}
            for former in tuned.former[-_MOST_FORMER:]
        ],
    }
    content = {_EVIDENCE: comment, **(tuned.others or {}), KEY: tuned.memory_mb}
    return json.dumps(content, indent=2) + "\n"


def is_size(value: Any) -> bool:
    """Whether a value is a memory size that Lambda has."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and value in MEMORY_SIZES_MB


def declares_memory(folder: Path) -> bool:
    """Whether a root has the variable that the file sets."""
    return any(_DECLARED.search(read_text(path)) for path in folder.glob("*.tf"))


def overriding(folder: Path) -> list[str]:
    """Return the files of a root that set the size too and win: Terraform takes the last name."""
    later = [path for path in folder.glob("*.auto.tfvars*") if path.name > NAME]
    return sorted(path.name for path in later if _sets_memory(path))


def _sets_memory(path: Path) -> bool:
    if path.suffix != ".json":
        return bool(_ASSIGNED.search(read_text(path)))
    return KEY in read_object(path)


_SIZES = f"a whole number of MB from {MEMORY_SIZES_MB[0]} to {MEMORY_SIZES_MB[-1]}"
