"""A run's recommendation as a change of the file in which another tool declares the function.

Pure, as `proposal` is: the same reasons against it, the same evidence in the commit. JSON has no
place for a comment, so the former size is in the commit's trailers, and not in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from lambda_dyno.core import formatting
from lambda_dyno.core.config import MEMORY_SIZES_MB, Settings
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.results import RunResult
from lambda_dyno.declared import places
from lambda_dyno.declared.places import Place
from lambda_dyno.forge import proposal
from lambda_dyno.forge.proposal import NothingToDoError, Proposal
from lambda_dyno.gates.objections import Objection, objections

TRAILERS = ("Run", "Resource", "Size", "Former", "Undoes")
_RESOURCE = re.compile(r"[\w.:/@-]{1,255}", re.ASCII)


def propose(
    result: RunResult,
    text: str | None,
    *,
    file: PurePosixPath,
    resource: str = "",
    settings: Settings | None = None,
    force: bool = False,
) -> Proposal:
    """Return the change of a file that a run recommends.

    Args:
        result: The run.
        text: The file as it is; None: there is none.
        file: Its path, relative to the project.
        resource: What the function is called there; empty: it is found by its name.
        settings: Of the environment; None takes those of the run.
        force: Whether to go against objections that are not absolute.

    Raises:
        NothingToDoError: The file says so already.
        UserError: Something speaks against it, or the file does not say clearly where.
    """
    if text is None:
        raise UserError(f"{file}: there is no such file")
    against = list(objections(result, settings=settings))
    tuning = result.tuning
    if tuning is None or any(objection.absolute for objection in against):
        proposal.refuse(against, force)
        raise AssertionError("what is absolute is refused")
    name = tuning.function_arn.rsplit(":", 1)[-1]
    place = places.find(text, file, name, require_resource(resource))
    former = place.memory_mb if place.memory_mb is not None else tuning.current_power
    if former == tuning.power and place.is_there:
        raise NothingToDoError(
            f"run {result.run_id} recommends {former} MB, and {file} says so of {place.name}"
        )
    if tuning.power == tuning.current_power and former == tuning.current_power:
        raise NothingToDoError(
            f"run {result.run_id} recommends {former} MB, and {name} has it already"
        )
    if former != tuning.current_power:
        against.append(
            Objection(
                f"run {result.run_id} measured {name} at {tuning.current_power} MB, and {file} "
                f"says {former} MB of {place.name}: deploy it, and tune it again"
            )
        )
    proposal.refuse(against, force)
    content = place.with_size(tuning.power)
    title = f"Set memory of {place.name} to {tuning.power} MB"
    paragraphs = [*proposal.evidence_text(result, tuning, against), _noted(place)]
    return Proposal(
        env=result.env,
        path=file,
        content=content,
        memory_mb=tuning.power,
        former_mb=former,
        run_id=result.run_id,
        title=title,
        body=proposal.wrapped(
            paragraphs, result.run_id, resource=place.name, size=tuning.power, former=former
        ),
        branch=_branch("memory", place.name),
        note=place.note,
    )


def propose_rollback(
    text: str | None,
    *,
    file: PurePosixPath,
    resource: str,
    commits: Iterable[tuple[str, Mapping[str, str]]],
) -> Proposal:
    """Return the change that undoes the last one that `dyno apply` has committed to a file.

    Args:
        text: The file as it is.
        file: Its path.
        resource: What the function is called there; empty: the last one that was changed.
        commits: Of the file, newest first, each with its trailers.

    Raises:
        UserError: There is no such commit, or the file says another size by now.
    """
    if text is None:
        raise UserError(f"{file}: there is no such file")
    commit, last = _last(file, require_resource(resource), commits)
    name = require_resource(last["Resource"])
    size, former = _size(last.get("Size", ""), commit), _size(last.get("Former", ""), commit)
    place = places.find(text, file, "", name)
    if place.memory_mb != size:
        raise UserError(
            f"{file} says {place.memory_mb} MB of {name}, and commit {commit[:9]} set {size}: "
            "somebody has changed it since. Nothing is rolled back"
        )
    run_id = last.get("Run", "")
    words = f"This undoes {formatting.integer(size)} MB, which run {run_id} recommended."
    return Proposal(
        env="",
        path=file,
        content=place.with_size(former),
        memory_mb=former,
        former_mb=size,
        run_id="",
        title=f"Set memory of {name} back to {former} MB",
        body=proposal.wrapped(
            [words], "", resource=name, size=former, former=size, undoes=commit[:12]
        ),
        branch=_branch("rollback", name),
        note=place.note,
    )


def require_resource(resource: str) -> str:
    """Return a resource's name if it may be part of a commit's text and of a message.

    Raises:
        UserError: It may not.
    """
    if resource and not _RESOURCE.fullmatch(resource):
        raise UserError(
            f"--resource {brief(repr(resource))}: a logical id, a function's key, a key of the "
            "CDK's context or a variable: letters, digits and . : / @ - _"
        )
    return resource


def _last(
    file: PurePosixPath, resource: str, commits: Iterable[tuple[str, Mapping[str, str]]]
) -> tuple[str, Mapping[str, str]]:
    """Return the newest change that no rollback has undone."""
    undone = set()
    for commit, trailers in commits:
        if "Resource" not in trailers or (resource and trailers["Resource"] != resource):
            continue
        if undoes := trailers.get("Undoes"):
            undone.add(undoes)
        elif commit[:12] not in undone:
            return commit, trailers
    which = f" of {resource}" if resource else ""
    raise UserError(
        f"{file}: no size{which} that `dyno apply --write` has committed, in the history that is "
        "here: there is nothing to roll back. What is not committed: git checkout -- FILE"
    )


def _size(text: str, commit: str) -> int:
    if not text.isdecimal() or len(text) > 5 or int(text) not in MEMORY_SIZES_MB:
        raise UserError(f"commit {commit[:9]}: {brief(repr(text))} in its trailers is no size")
    return int(text)


def _noted(place: Place) -> str:
    return f"{place.note}." if place.note else ""


def _branch(what: str, name: str) -> str:
    return f"dyno/{what}-{re.sub(r'[^A-Za-z0-9-]+', '-', name).strip('-')[:80] or 'function'}"
