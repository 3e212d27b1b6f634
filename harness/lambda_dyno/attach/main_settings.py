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
from pathlib import Path, PurePosixPath
from typing import Any

from lambda_dyno.core.config import SETTINGS_FILE, Settings, parse_settings
from lambda_dyno.core.errors import DynoError
from lambda_dyno.core.reading import parse_toml
from lambda_dyno.evidence import location
from lambda_dyno.runs.git import WorkingTree

_BRANCH = re.compile(r"[A-Za-z0-9_][\w./-]{0,200}", re.ASCII)
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
    """
    if not is_proposal(environ):
        return settings
    main, why = _of_main(env, project, environ)
    if why:
        note(f"the limits are the built-in ones: {why}")
    own, allowed = settings.attach, main.attach
    attach = own.model_copy(
        update={
            "hosts": [host for host in own.hosts if host in allowed.hosts],
            "in_place": own.in_place and allowed.in_place,
            "max_requests": min(own.max_requests, allowed.max_requests),
            "max_cost_usd": min(own.max_cost_usd, allowed.max_cost_usd),
        }
    )
    safe = [name for name in settings.tuning.safe if name in main.tuning.safe]
    changed = [f"[attach] {name}" for name in _differing(own.model_dump(), attach.model_dump())]
    if safe != settings.tuning.safe:
        changed.append("[tuning] safe")
    if changed:
        note(f"{', '.join(changed)}: a pull request cannot widen what the default branch allows")
    tuning = settings.tuning.model_copy(update={"safe": safe})
    return settings.model_copy(update={"attach": attach, "tuning": tuning})


def _of_main(env: str | None, project: Path, environ: Mapping[str, str]) -> tuple[Settings, str]:
    """Return the default branch's settings, or the built-in ones and why."""
    if env is None:
        return Settings(), "no --env names settings that somebody has reviewed"
    tree = WorkingTree(project)
    branch = location.default_branch(environ) or tree.remote_head("origin")
    path = PurePosixPath("envs") / env / SETTINGS_FILE
    if not _BRANCH.fullmatch(branch):
        return Settings(), "nothing says which branch is the default one"
    where = f"origin/{branch}:{path}"
    commit = tree.commit_named(f"refs/remotes/origin/{branch}")
    if not commit:
        return Settings(), (
            f"origin/{branch} is not in this clone. Fetch it before: git fetch --depth=1 origin "
            f"+refs/heads/{branch}:refs/remotes/origin/{branch}"
        )
    try:
        text = tree.show(commit, path)
        if text is None:
            return Settings(), f"there is no {where}"
        return parse_settings(parse_toml(text, where), where), ""
    except DynoError as error:
        return Settings(), str(error).splitlines()[0]


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [name for name, value in one.items() if value != other[name]]
