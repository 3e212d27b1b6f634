"""What a review is made of, read from disk: the run, its latencies, main's run, the plan."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import runs, texts
from harness.errors import UserError
from harness.load.samples import read_samples
from harness.results import RunResult
from harness.review import plan_table
from harness.review.figures import Samples
from harness.review.plan_table import Plan
from harness.review.tuned_file import RUN_ID

# Above, reading takes longer than the intervals are worth.
_MOST_BYTES = 24_000_000

# an environment of envs/, or what `dyno tune --function` calls its own
_ENV = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}|function [A-Za-z0-9_-]{1,140}")


@dataclass(frozen=True, slots=True)
class Source:
    """A run as it is on disk.

    Attributes:
        result: The run.
        folder: Where its result.json is.
        endpoint: Of the embedded AWS that it measured; empty for AWS, or if nobody knows.
    """

    result: RunResult
    folder: Path
    endpoint: str = ""

    def samples(self) -> Samples:
        """Return the latencies that its load tests left, as far as they are at hand."""
        found = {}
        for load in self.result.load:
            path = (self.folder / load.samples_path).resolve()
            inside = load.samples_path and path.is_relative_to(self.folder.resolve())
            if not inside or not path.is_file() or path.stat().st_size > _MOST_BYTES:
                continue
            with contextlib.suppress(OSError, ValueError):
                found[load.label] = read_samples([path])
        return found


def find(project: Path, name: str | None, *, of_functions: bool = False) -> Source:
    """Return the run that a command names.

    Args:
        project: Folder that holds `runs/`.
        name: A run id, or the path of a result.json, of its folder, or of a folder of one run, as
            an artefact is; None is the newest run.
        of_functions: Whether a tuning of a function that stays counts for the newest, too.

    Raises:
        UserError: There is no such run, or it cannot be read.
    """
    if name is not None and ("/" in name or name.endswith(".json")):
        path = Path(name)
        return of_file(_in_folder(path) if path.is_dir() else path)
    folder = runs.find(project / "runs", name, standing=False, tuner_only=of_functions)
    endpoint = folder.read_lease().endpoint
    source = of_file(folder.result)
    return Source(source.result, source.folder, endpoint)


def _in_folder(folder: Path) -> Path:
    """Return the path of the result in a run's folder, or in a folder of one run.

    Raises:
        UserError: There are several.
    """
    found = sorted(folder.glob("*/result.json"))
    if len(found) > 1 and not (folder / "result.json").exists():
        raise UserError(f"{folder}: has the results of {len(found)} runs; name one of them")
    return found[0] if found and not (folder / "result.json").exists() else folder / "result.json"


def of_file(path: Path) -> Source:
    """Return the run of a result.json, wherever it is.

    Raises:
        UserError: It cannot be read, or is not the result of a run.
    """
    content = _json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: not the result of a run")
    result = RunResult.from_json(content, str(path))
    # It becomes part of a path, a branch and a commit's trailer.
    for key, value, form in (("run_id", result.run_id, RUN_ID), ("env", result.env, _ENV)):
        if not form.fullmatch(value):
            raise UserError(f"{path}: {key}: {json.dumps(value)} is none")
    lease = path.parent / "lease.json"
    endpoint = ""
    if lease.is_file():
        with contextlib.suppress(UserError):
            endpoint = runs.RunFolder(path.parent).read_lease().endpoint
    return Source(result, path.parent, endpoint)


def plan_of_file(path: Path) -> Plan:
    """Return the plan of what `terraform show -json` wrote.

    Raises:
        UserError: It cannot be read, or is no plan.
    """
    return plan_table.parse(_json(path), str(path))


def _json(path: Path) -> Any:
    try:
        return texts.parse_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: not JSON: {error}") from error
