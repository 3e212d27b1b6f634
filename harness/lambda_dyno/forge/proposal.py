"""Apply under review: a run's recommendation becomes a change of a file, never of a function.

Pure: from a result and the file's content to a `Proposal`, or to the reasons against it.
`forge.change_request` writes, commits or proposes it. What is deployed changes when
Terraform applies the file, after whatever review the team has.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from lambda_dyno.core import formatting
from lambda_dyno.core.config import Settings
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.results import Point, RunResult, TuningResult
from lambda_dyno.forge import tuned_file
from lambda_dyno.forge.tuned_file import OURS, Former, Key, Tuned
from lambda_dyno.gates import phrases, recommendation
from lambda_dyno.gates.load_phrases import load_sentence
from lambda_dyno.gates.objections import Objection, objections

_WIDTH = 72


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of an environment's memory size, ready to be written.

    Attributes:
        env: The environment.
        path: The file, relative to the project.
        content: What it will be.
        memory_mb: The new size.
        former_mb: The size until now.
        run_id: The run that is the evidence.
        title: The commit's first line and the pull request's title.
        body: The commit's text.
        branch: What a branch for it is called.
        note: What else it means, for who reads it; empty: nothing.
    """

    env: str
    path: PurePosixPath
    content: str
    memory_mb: int
    former_mb: int
    run_id: str
    title: str
    body: str
    branch: str
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what `dyno apply --json` prints of it."""
        return {
            "env": self.env,
            "path": self.path.as_posix(),
            "memory_mb": self.memory_mb,
            "former_memory_mb": self.former_mb,
            "run_id": self.run_id,
            "title": self.title,
        }


def tuned_path(env: str, root: str = "") -> PurePosixPath:
    """Return the path of an environment's file, relative to the project."""
    return PurePosixPath(recommendation.tuned_path(env, root))


class NothingToDoError(UserError):
    """What would be written is in force already."""


def propose(
    result: RunResult,
    file: str | None,
    *,
    now: datetime,
    settings: Settings | None = None,
    force: bool = False,
    path: PurePosixPath | None = None,
    key: Key = OURS,
) -> Proposal:
    """Return the change that a run recommends.

    Args:
        result: The run.
        file: The environment's file as it is; None if there is none.
        now: The time, for the evidence.
        settings: Of the environment; None takes those of the run.
        force: Whether to go against objections that are not absolute.
        path: Of the file; None: that of a root in envs/.
        key: Where the root takes the size from.

    Raises:
        NothingToDoError: The recommended size is the current one.
        UserError: Something speaks against it; a line for each reason.
    """
    path = path or tuned_path(result.env)
    former = tuned_file.parse(file, path.as_posix(), key)
    others = _others(result, former, key)
    against = list(objections(result, settings=settings))
    tuning = result.tuning
    if tuning is not None and not any(objection.absolute for objection in against):
        current = former.memory_mb or tuning.current_power
        if tuning.power == current and not others:
            raise NothingToDoError(
                f"run {result.run_id} recommends {current} MB, and {result.env} has it already"
            )
        if tuning.current_power != current:
            against.append(
                Objection(
                    f"run {result.run_id} measured {result.env} at {tuning.current_power} "
                    f"MB, and {path} says {current} MB by now: make tune ENV={result.env}"
                )
            )
    refuse(against, force)
    assert tuning is not None  # without one, there was an absolute objection
    return _proposal(result, tuning, former, now, against, path, key, others)


def _others(result: RunResult, former: Tuned, key: Key) -> dict[str, int]:
    """Return the sizes of the functions that are not loaded, where the root has a map of sizes."""
    if not key.inside:
        return {}
    now = {**key.default, **former.sizes}
    return {
        function.name: function.tuning.power
        for function in result.functions
        if function.name in now and now[function.name] != function.tuning.power
    }


def refuse(found: Sequence[Objection], force: bool) -> None:
    """Refuse what something speaks against.

    Raises:
        UserError: Something does, a line for each reason; of what is not absolute, unless forced.
    """
    against = [objection for objection in found if objection.absolute or not force]
    if not against:
        return
    lines = [f"not applied: {objection.text}" for objection in against]
    if not any(objection.absolute for objection in against):
        lines.append("--force applies it all the same, and says so in the evidence.")
    raise UserError("\n".join(lines))


def _proposal(
    result: RunResult,
    tuning: TuningResult,
    former: Tuned,
    now: datetime,
    against: Sequence[Objection],
    path: PurePosixPath,
    key: Key,
    others: Mapping[str, int],
) -> Proposal:
    current = former.memory_mb or tuning.current_power
    tuned = replace(
        former,
        memory_mb=tuning.power,
        run_id=result.run_id,
        former=(*former.former, Former(current, former.run_id, former.sizes)),
        sizes={**former.sizes, **others},
    )
    evidence = _evidence(result, tuning, current, now)
    if against:
        evidence["forced_against"] = [objection.text for objection in against]
    return Proposal(
        env=result.env,
        path=path,
        content=tuned_file.render(tuned, result.env, evidence, key),
        memory_mb=tuning.power,
        former_mb=current,
        run_id=result.run_id,
        title=f"Set memory of {result.env} to {tuning.power} MB",
        body=_commit_body(result, tuning, against),
        branch=f"dyno/memory-{result.env}",
        note="; ".join(f"{name}: {size} MB" for name, size in sorted(others.items())),
    )


def _evidence(
    result: RunResult, tuning: TuningResult, current: int, now: datetime
) -> dict[str, Any]:
    sizes = sorted({current, tuning.power})
    return {
        "measured_at": result.started_at,
        "written_at": now.isoformat(timespec="seconds"),
        "commit": result.git_sha,
        "region": tuning.region,
        "architecture": tuning.architecture,
        "strategy": tuning.strategy,
        "verdict": _verdict_at(result, tuning.power),
        "measured": [size for mb in sizes if (size := _measured(result, tuning, mb))],
    }


def _verdict_at(result: RunResult, memory_mb: int) -> str:
    """Return the verdict on a size; on the deployed one where there is none of its own."""
    if result.verdict is None:
        return ""
    own = [size.outcome for size in result.verdict.sizes if size.memory_mb == memory_mb]
    return own[0] if own else result.verdict.outcome


def _measured(result: RunResult, tuning: TuningResult, memory_mb: int) -> dict[str, Any]:
    """Return the figures of one size that decided."""
    point = Point.of(tuning.detail(memory_mb))
    if point is None:
        return {}
    found: dict[str, Any] = {
        "memory_mb": memory_mb,
        "duration_ms": round(point.duration_ms, 3),
        "cost_per_million_usd": round(point.cost_usd * 1e6, 4),
    }
    for load in result.load:
        if load.memory_mb == memory_mb and load.latency_ms is not None:
            found["load_p95_ms"] = round(load.latency_ms.p95, 3)
    return found


def _commit_body(result: RunResult, tuning: TuningResult, against: Sequence[Objection]) -> str:
    return wrapped(evidence_text(result, tuning, against), result.run_id)


def evidence_text(
    result: RunResult, tuning: TuningResult, against: Sequence[Objection]
) -> list[str]:
    """Return the paragraphs that say why a size is proposed, and against what."""
    commit = f" of commit {formatting.commit(result.git_sha)}" if result.git_sha else ""
    measured = (
        f"Measured by run {result.run_id}{commit} in {tuning.region} on {tuning.architecture}, "
        f"strategy {tuning.strategy}. "
    ) + (
        "Not load-tested: the deployment's check judges it."
        if result.function_arn
        else f"{phrases.headline(result).text}."
    )
    return [
        recommendation.recommendation(tuning, result.money),
        measured,
        load_sentence(result.load),
        *(f"Forced, although {objection.text}." for objection in against),
    ]


def propose_rollback(
    env: str,
    file: str | None,
    *,
    now: datetime,
    path: PurePosixPath | None = None,
    key: Key = OURS,
) -> Proposal:
    """Return the change that undoes the last apply.

    Args:
        env: The environment.
        file: The environment's file as it is; None if there is none.
        now: The time, for the evidence.
        path: As in `propose`, as is `key`.
        key: Where the root takes the size from.

    Raises:
        UserError: There is no former size.
    """
    path = path or tuned_path(env)
    tuned = tuned_file.parse(file, path.as_posix(), key)
    if tuned.memory_mb is None:
        raise UserError(f"{path}: no tuned memory size in it: there is nothing to roll back")
    if not tuned.former:
        raise UserError(f"{path}: names no former size: there is nothing to roll back to")
    back = tuned.former[-1]
    before = replace(
        tuned,
        memory_mb=back.memory_mb,
        run_id=back.run_id,
        former=tuned.former[:-1],
        sizes=back.sizes,
    )
    evidence = {
        "written_at": now.isoformat(timespec="seconds"),
        "rolled_back": {"memory_mb": tuned.memory_mb, "run_id": tuned.run_id},
    }
    of_run = f", which run {tuned.run_id} recommended" if tuned.run_id else ""
    text = f"This undoes {formatting.integer(tuned.memory_mb)} MB{of_run}."
    return Proposal(
        env=env,
        path=path,
        content=tuned_file.render(before, env, evidence, key),
        memory_mb=back.memory_mb,
        former_mb=tuned.memory_mb,
        run_id=back.run_id,
        title=f"Set memory of {env} back to {back.memory_mb} MB",
        body=wrapped([text], back.run_id),
        branch=f"dyno/rollback-{env}",
    )


def wrapped(paragraphs: Sequence[str], run_id: str, **trailers: str | int) -> str:
    """Return a commit's text: short lines, and trailers that name the evidence.

    Args:
        paragraphs: The text; what is empty is left out.
        run_id: The run that is the evidence; empty: none.
        trailers: Others by their names, `size` for Dyno-Size.
    """
    parts = [textwrap.fill(text, _WIDTH, break_long_words=False) for text in paragraphs if text]
    lines = [f"Dyno-Run: {run_id or 'none'}"]
    lines += [f"Dyno-{name.capitalize()}: {value}" for name, value in trailers.items()]
    return "\n\n".join([*parts, "\n".join(lines)])
