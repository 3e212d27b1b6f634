"""`dyno apply` and `dyno rollback`: a memory size goes into a file, for review."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer

from lambda_dyno.cli.forge import (
    RepoOption,
    RunArgument,
    WaitOption,
    github_job,
)
from lambda_dyno.cli.support import (
    JsonOption,
    RootOption,
    project,
    project_of_root,
    show,
    workplace,
)
from lambda_dyno.core.errors import UserError, brief

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_dyno.core.results import RunResult
    from lambda_dyno.forge.change_request import ChangeRequest, Delivered
    from lambda_dyno.forge.proposal import Proposal
    from lambda_dyno.review.run_source import Source

CommitOption = Annotated[bool, typer.Option("--commit", help="Commit the file, here.")]
OpenPrOption = Annotated[
    bool, typer.Option("--open-pr", help="Push a branch and open a pull request on GitHub.")
]
AutoOption = Annotated[
    bool, typer.Option("--auto", help="Commit on the main branch and push it: no review.")
]
WriteOption = Annotated[
    str | None,
    typer.Option(
        "--write",
        metavar="FILE",
        help="The file that declares the function: a SAM or CloudFormation template, "
        "serverless.yml, cdk.json or *.tfvars.json. Only the number changes.",
    ),
]
ResourceOption = Annotated[
    str,
    typer.Option(
        "--resource",
        metavar="NAME",
        help="What it is called there: a logical id, a function's key, a key of the CDK's "
        "context, a variable. Found by the function's name if left out.",
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change, as a diff; write nothing.")
]
BaseOption = Annotated[
    str, typer.Option("--base", help="Branch it is for; the remote's default if left out.")
]


def apply(
    source: RunArgument = None,
    env: Annotated[
        str | None, typer.Option("--env", help="Environment; must be the run's.")
    ] = None,
    commit: CommitOption = False,
    open_pr: OpenPrOption = False,
    auto: AutoOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Go against what speaks against it, and say so.")
    ] = False,
    if_needed: Annotated[
        bool, typer.Option("--if-needed", help="Nothing to change is no error.")
    ] = False,
    write: WriteOption = None,
    resource: ResourceOption = "",
    dry_run: DryRunOption = False,
    base: BaseOption = "",
    repository: RepoOption = "",
    max_wait_s: WaitOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Write the recommended memory size into envs/ENV/tuned.auto.tfvars.json, with its evidence.

    With --write FILE into the file in which SAM, CloudFormation, the Serverless Framework, the CDK
    or Terraform has it: one number changes, and the evidence is in the commit.

    Nothing that is deployed changes: your tool does that, when it next applies the file. By
    default the file is only written; --commit commits it, --open-pr opens a pull request whose
    review is the approval, --auto pushes it to the main branch without one.
    """
    from lambda_dyno.forge import proposal as applying
    from lambda_dyno.review import run_source

    if resource and write is None:
        raise UserError("--resource: it names a function in the file of --write")
    folder = project() if write is None else workplace()
    found = run_source.find(folder, source, of_functions=True)
    if write is None:
        found, change = _of_environment(folder, found, env, base, force=force)
    else:
        change = _of_file(folder, found.result, write, resource, env, base, force=force)
    mode = _mode(commit=commit, open_pr=open_pr, auto=auto)
    try:
        if dry_run:
            _print_preview(change, as_json=as_json)
            return
        describe = partial(_pull_request_text, found)
        done = _deliver(change, mode, describe, repository, max_wait_s)
    except applying.NothingToDoError as error:
        if not if_needed:
            raise
        show(as_json, {"mode": "none", "env": found.result.env, "reason": str(error)}, str(error))
        return
    _print_delivered(done, as_json=as_json)


def _of_environment(
    folder: Path, found: Source, env: str | None, base: str, *, force: bool
) -> tuple[Source, ChangeRequest]:
    """Return the run, as one of its environment, and the change of that environment's file."""
    from lambda_dyno.forge import proposal as applying
    from lambda_dyno.forge import tuned_env
    from lambda_dyno.forge.change_request import ChangeRequest

    result = tuned_env.of_run(folder, found.result, env)
    known = tuned_env.settings_of(folder, result)
    path = applying.tuned_path(known.name, known.settings.environment.root)
    propose = partial(
        applying.propose,
        result,
        now=datetime.now(UTC),
        settings=known.settings if result.function_arn else None,
        force=force,
        path=path,
        key=tuned_env.key_of(folder, known),
    )
    return replace(found, result=result), ChangeRequest.of(folder, path, propose, base)


def _of_file(
    folder: Path,
    result: RunResult,
    write: str,
    resource: str,
    env: str | None,
    base: str,
    *,
    force: bool,
) -> ChangeRequest:
    """Return the change of a file of another tool."""
    from lambda_dyno.forge import declared_proposal
    from lambda_dyno.forge.change_request import ChangeRequest

    if env is not None and env != result.env:
        raise UserError(
            f"not applied: run {result.run_id} was made for {result.env}, not for {brief(env)}"
        )
    file = _file_of(folder, write)
    propose = partial(declared_proposal.propose, result, file=file, resource=resource, force=force)
    return ChangeRequest.of(folder, file, propose, base)


def _file_of(folder: Path, write: str) -> PurePosixPath:
    """Return the path of a file from the project's folder.

    Raises:
        UserError: It is not there, is a link, or not in the project.
    """
    path = Path(write)
    where = f"--write {brief(write, most=300)}"
    try:
        is_link, is_file = path.is_symlink(), path.is_file()
        real = path.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{where}: no file can have such a name") from error
    if is_link or not is_file:
        raise UserError(f"{where}: {'a link' if is_link else 'not a file that is there'}")
    if not real.is_relative_to(folder.resolve()):
        raise UserError(f"{where}: not in the project {folder}")
    if ".git" in real.relative_to(folder.resolve()).parts:
        raise UserError(f"{where}: a file of git's own")
    return PurePosixPath(real.relative_to(folder.resolve()).as_posix())


def rollback(
    env: Annotated[
        str | None, typer.Option("--env", help="Environment; the one that was tuned if left out.")
    ] = None,
    root: RootOption = None,
    write: WriteOption = None,
    resource: ResourceOption = "",
    dry_run: DryRunOption = False,
    commit: CommitOption = False,
    open_pr: OpenPrOption = False,
    auto: AutoOption = False,
    base: BaseOption = "",
    repository: RepoOption = "",
    max_wait_s: WaitOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Write the memory size of before the last `dyno apply` back into the environment's file.

    With --write FILE into that file: the former size is in the commit that changed it. Nothing that
    is deployed changes until your tool applies the file. The modes are those of `dyno apply`.
    """
    if write is not None:
        if env is not None or root is not None:
            raise UserError("--write and --env or --root: give one of them")
        change = _rollback_of_file(workplace(), write, resource, base)
    elif resource:
        raise UserError("--resource: it names a function in the file of --write")
    else:
        change = _rollback_of_environment(env, root, base)
    if dry_run:
        _print_preview(change, as_json=as_json)
        return
    mode = _mode(commit=commit, open_pr=open_pr, auto=auto)
    done = _deliver(change, mode, lambda made: f"{made.body}\n", repository, max_wait_s)
    _print_delivered(done, as_json=as_json)


def _rollback_of_environment(env: str | None, root: str | None, base: str) -> ChangeRequest:
    """Return the change that undoes the last one of an environment's own file."""
    from lambda_dyno.core.config import load_env, load_root
    from lambda_dyno.forge import tuned_env
    from lambda_dyno.forge.change_request import ChangeRequest
    from lambda_dyno.forge.proposal import propose_rollback, tuned_path

    folder, below = project_of_root(root)
    if below and env is None:
        known = load_root(folder, below)
    else:
        known = load_env(folder, tuned_env.to_roll_back(folder, env))
    path = tuned_path(known.name, below or known.settings.environment.root)
    key = tuned_env.key_of(folder, known)
    propose = partial(propose_rollback, known.name, now=datetime.now(UTC), path=path, key=key)
    return ChangeRequest.of(folder, path, propose, base)


def _rollback_of_file(folder: Path, write: str, resource: str, base: str) -> ChangeRequest:
    """Return the change that undoes the last one of a file of another tool."""
    from lambda_dyno.forge import declared_proposal
    from lambda_dyno.forge.change_request import ChangeRequest
    from lambda_dyno.runs.git import WorkingTree

    file, tree = _file_of(folder, write), WorkingTree(folder)
    tree.require()
    commits = tree.trailers_of_file(file, "Dyno-", declared_proposal.TRAILERS)
    propose = partial(
        declared_proposal.propose_rollback, file=file, resource=resource, commits=commits
    )
    return ChangeRequest.of(folder, file, propose, base)


def _print_preview(change: ChangeRequest, *, as_json: bool) -> None:
    made, diff = change.preview()
    note = f"{made.note}\n" if made.note else ""
    show(
        as_json,
        {**made.to_json(), "mode": "dry-run", "diff": diff},
        f"{diff}{note}nothing is written",
    )


def _mode(*, commit: bool, open_pr: bool, auto: bool) -> str:
    wanted = {"--commit": commit, "--open-pr": open_pr, "--auto": auto}
    given = [flag for flag, is_given in wanted.items() if is_given]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)}: give one of them")
    return given[0].removeprefix("--") if given else "write"


def _deliver(
    change: ChangeRequest,
    mode: str,
    describe: Callable[[Proposal], str],
    repository: str,
    max_wait_s: float,
) -> Delivered:
    from lambda_dyno.forge import stores
    from lambda_dyno.forge.change_request import REMOTE
    from lambda_dyno.forge.github import GitHubPulls

    if mode == "write":
        return change.write()
    if mode == "commit":
        return change.commit()
    job = github_job(repository, None, change.tree.remote_url(REMOTE))
    change = replace(change, tree=replace(change.tree, token=job.token, server_url=job.server_url))
    if mode == "auto":
        return change.push_to_base()
    change.tree.require()
    if not job.repository:
        raise UserError("no repository on GitHub: give --repo OWNER/NAME")
    if not job.token:
        raise UserError(
            "GITHUB_TOKEN is not set: opening a pull request needs a token with contents: write "
            "and pull-requests: write"
        )
    pulls = GitHubPulls(stores.github_api(job, max_wait_s), job.repository)
    return change.open_pull_request(pulls, describe)


def _pull_request_text(found: Source, proposal: Proposal) -> str:
    from lambda_dyno.gates import recommendation
    from lambda_dyno.review.comment import describe_proposal

    review = found.review(artefact_url=github_job("", None).run_url)
    path = proposal.path.as_posix()
    is_own = proposal.path.name == recommendation.TUNED_FILE
    back = f"--env {proposal.env}" if is_own else f"--write {shlex.quote(path)}"
    return describe_proposal(path, f"dyno rollback {back}", review)


def _print_delivered(done: Delivered, *, as_json: bool) -> None:
    made = done.proposal
    commit = f"{done.commit[:9]} {made.title}"
    where = {
        "write": "review and commit it; it is in force when it is deployed",
        "commit": f"committed: {commit}",
        "auto": f"pushed to {done.branch}: {commit}",
        "open-pr": f"pull request {done.pull_request}: {done.url}",
    }[done.mode]
    what = f"{made.path}: memory_mb {made.memory_mb} in place of {made.former_mb}"
    note = f"\n{made.note}" if made.note else ""
    show(as_json, done.to_json(), f"{what}{note}\n{where}")
