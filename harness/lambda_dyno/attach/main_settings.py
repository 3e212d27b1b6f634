"""What the default branch's dyno.toml allows, where the tree at hand is somebody's proposal.

A pull request is free to say what it measures; what that may cost, where requests may go and which
of them may write is for those to say who review it. In a CI job that is not of the default branch
these come from the commit that the remote's default branch has here, and from nowhere else. That
is a second wall: a pull request may also change its own workflow, so the first one is the role that
the job has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lambda_dyno.core.config import SETTINGS_FILE, Env, Settings, parse_settings
from lambda_dyno.core.errors import DynoError, UserError
from lambda_dyno.core.reading import parse_toml, read_text
from lambda_dyno.evidence import location
from lambda_dyno.load import collection_files
from lambda_dyno.runs.git import WorkingTree

_BRANCH = re.compile(r"[A-Za-z0-9_][\w./-]{0,200}", re.ASCII)
# What a function is called with, and who else is called for it.
_EVENTS = ("payload", "payload_s3", "pre_processor_arn", "post_processor_arn")
_NOT_REVIEWED = (
    "a pull request cannot change what a function with real data is called with: it must be as on "
    "the default branch, in the clone"
)
_CI = ("GITHUB_ACTIONS", "GITLAB_CI", "CODEBUILD_BUILD_ID")


def is_proposal(environ: Mapping[str, str]) -> bool:
    """Whether the tree at hand is none that was reviewed: a CI job of no default branch."""
    in_ci = any(environ.get(name) for name in _CI)
    return in_ci and location.trust_of(environ) != location.MAIN


def limited(
    settings: Settings,
    env: str | None,
    project: Path,
    environ: Mapping[str, str],
    note: Callable[[str], None],
) -> Settings:
    """Return settings that allow no more than the default branch's do.

    Args:
        settings: Of the tree at hand, and of the command line.
        env: The environment that they are of; None: none, so nothing was reviewed.
        project: Folder that holds `envs/`, in the working tree.
        environ: The process's environment.
        note: Told what does not count.

    Raises:
        UserError: They call the function with something that was not reviewed.
    """
    if not is_proposal(environ):
        return settings
    main = _of_main(env, project, environ)
    if main.why:
        note(f"the limits are the built-in ones: {main.why}")
    _require_reviewed_events(settings, main)
    own, allowed = settings.attach, main.settings.attach
    attach = own.model_copy(
        update={
            "hosts": [host for host in own.hosts if host in allowed.hosts],
            "in_place": own.in_place and allowed.in_place,
            "max_requests": min(own.max_requests, allowed.max_requests),
            "max_cost_usd": min(own.max_cost_usd, allowed.max_cost_usd),
        }
    )
    safe = [name for name in settings.tuning.safe if name in main.settings.tuning.safe]
    if safe and not _are_same_tests(settings, project, main):
        safe = []  # another request may have the name by now
    changed = [f"[attach] {name}" for name in _differing(own.model_dump(), attach.model_dump())]
    if safe != settings.tuning.safe:
        changed.append("[tuning] safe")
    if changed:
        note(f"{', '.join(changed)}: a pull request cannot widen what the default branch allows")
    tuning = settings.tuning.model_copy(update={"safe": safe})
    return settings.model_copy(update={"attach": attach, "tuning": tuning})


@dataclass(frozen=True, slots=True)
class _Main:
    """The default branch, as this clone has it.

    Attributes:
        settings: Its settings of the environment, or the built-in ones.
        why: Why it is the latter; empty: it is not.
        folder: Of the environment in the tree at hand.
        file: Returns the text of a file there, by its path from the project; None: it has none.
    """

    settings: Settings
    why: str = ""
    folder: Path | None = None
    file: Callable[[PurePosixPath], str | None] = lambda _: None


def _require_reviewed_events(settings: Settings, main: _Main) -> None:
    """Make sure that a function with real data is called with nothing that nobody has reviewed.

    What a collection sends is held to what reads; an event may mean anything.

    Raises:
        UserError: Something is other than on the default branch.
    """
    tuning, reviewed = settings.tuning, main.settings.tuning
    for key in _EVENTS:
        value = getattr(tuning, key)
        if value not in (None, "") and value != getattr(reviewed, key):
            raise UserError(f"[tuning] {key}: {_NOT_REVIEWED}")
    if tuning.payload_file and (
        tuning.payload_file != reviewed.payload_file
        or main.folder is None
        or not _is_same_file(main.folder / tuning.payload_file, main)
    ):
        raise UserError(f"[tuning] payload_file: {_NOT_REVIEWED}")


def _are_same_tests(settings: Settings, project: Path, main: _Main) -> bool:
    """Whether the collections, and all that their requests are made of, are as on that branch."""
    if main.folder is None:
        return False
    env = Env(main.folder.name, main.folder, settings)
    names = type(settings.smoke).model_fields
    for step in collection_files.STEPS:
        own, reviewed = getattr(settings, step), getattr(main.settings, step)
        if any(getattr(own, name) != getattr(reviewed, name) for name in names):
            return False
        paths = collection_files.of_settings(project, env, step).paths().values()
        if not all(_is_same_file(path, main) for path in paths if path.exists()):
            return False
    return True


def _is_same_file(path: Path, main: _Main) -> bool:
    """Whether a file of the tree at hand is as on the default branch."""
    if main.folder is None:
        return False
    try:
        project, inside = main.folder.parents[1].resolve(), path.resolve()
        there = main.file(PurePosixPath(inside.relative_to(project).as_posix()))
        return there is not None and read_text(inside) == there
    except (DynoError, ValueError):  # it cannot be read, or is not in the project
        return False


def _of_main(env: str | None, project: Path, environ: Mapping[str, str]) -> _Main:
    """Return the default branch's settings, or the built-in ones and why."""
    if env is None:
        return _Main(Settings(), "no --env names settings that somebody has reviewed")
    tree = WorkingTree(project)
    branch = location.default_branch(environ) or tree.remote_head("origin")
    path = PurePosixPath("envs") / env / SETTINGS_FILE
    if not _BRANCH.fullmatch(branch):
        return _Main(Settings(), "nothing says which branch is the default one")
    where = f"origin/{branch}:{path}"
    commit = tree.commit_named(f"refs/remotes/origin/{branch}")
    if not commit:
        return _Main(
            Settings(),
            f"origin/{branch} is not in this clone. Fetch it before: git fetch --depth=1 origin "
            f"+refs/heads/{branch}:refs/remotes/origin/{branch}",
        )
    try:
        text = tree.show(commit, path)
        if text is None:
            return _Main(Settings(), f"there is no {where}")
        settings = parse_settings(parse_toml(text, where), where)
    except DynoError as error:
        return _Main(Settings(), str(error).splitlines()[0])
    folder = project / "envs" / env
    return _Main(settings, folder=folder, file=lambda named: tree.show(commit, named))


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [name for name, value in one.items() if value != other[name]]
