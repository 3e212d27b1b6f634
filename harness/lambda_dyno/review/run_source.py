"""What a review is made of, read from disk: the run, its latencies, main's run, the plan."""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.reading import UnreadableError, read_json
from lambda_dyno.core.results import SAFE_RUN_ID, RunResult
from lambda_dyno.core.samples import read_samples
from lambda_dyno.review import plan_summary
from lambda_dyno.review.comment_parts import Review
from lambda_dyno.review.deltas import Samples
from lambda_dyno.review.plan_summary import Plan
from lambda_dyno.runs import result_store, run_folder

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
    """

    result: RunResult
    folder: Path

    def samples(self) -> Samples:
        """Return the latencies that its load tests left, as far as they are at hand."""
        found = {}
        for load in self.result.load:
            with contextlib.suppress(OSError, UnreadableError, ValueError, TypeError):
                path = (self.folder / load.samples_path).resolve()
                inside = load.samples_path and path.is_relative_to(self.folder.resolve())
                if inside and path.is_file() and path.stat().st_size <= _MOST_BYTES:
                    found[load.label] = read_samples([path])
        return found

    def review(
        self, baseline: Path | None = None, plan_json: Path | None = None, artefact_url: str = ""
    ) -> Review:
        """Return everything that there is to tell of it.

        Args:
            baseline: The result.json of a run on main, or a folder that may have one; None:
                there is none to compare with.
            plan_json: What `terraform show -json` wrote, or a folder that may have its
                plan.json; None: no plan is told.
            artefact_url: Where its evidence is.

        Raises:
            UserError: A file is not what it should be.
        """
        main_path = _possible(baseline, "result.json")
        plan_path = _possible(plan_json, "plan.json")
        main = of_file(main_path) if main_path else None
        return Review(
            result=self.result,
            samples=self.samples(),
            baseline=main.result if main else None,
            baseline_samples=main.samples() if main else {},
            plan=plan_of_file(plan_path) if plan_path else None,
            artefact_url=artefact_url,
        )


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
        return of_file(_in_folder(path) if os.path.isdir(path) else path)  # noqa: PTH112 - too long
    folder = run_folder.find(project / "runs", name, standing=False, tuner_only=of_functions)
    return of_file(folder.result)


def _possible(path: Path | None, name: str) -> Path | None:
    """Return a file; of a folder the one of this name, or None: CI has no artefact to unpack.

    Raises:
        UserError: There are several, or no file can have such a name.
    """
    try:
        if path is None or path.suffix == ".json" or path.is_file():
            return path
    except OSError as error:
        raise UserError(f"{str(path)[:60]!r}: {error.strerror}") from None
    found = _in_folder(path) if name == "result.json" else path / name
    return found if found.exists() else None


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
    result = result_store.parse(read_json(path), str(path))
    # It becomes part of a path, a branch and a commit's trailer.
    for key, value, form in (("run_id", result.run_id, SAFE_RUN_ID), ("env", result.env, _ENV)):
        if not form.fullmatch(value):
            raise UserError(f"{path}: {key}: {brief(json.dumps(value))} is none")
    if not result.endpoint and (path.parent / "lease.json").is_file():  # of an older release
        with contextlib.suppress(UserError):
            lease = run_folder.RunFolder(path.parent).read_lease()
            result = replace(result, endpoint=lease.endpoint)
    return Source(result, path.parent)


def plan_of_file(path: Path) -> Plan:
    """Return the plan of what `terraform show -json` wrote.

    Raises:
        UserError: It cannot be read, or is no plan.
    """
    return plan_summary.parse(read_json(path), str(path))
