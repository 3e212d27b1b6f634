"""`dyno apply` and `dyno rollback`: a memory size goes into a file, for review."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from lambda_dyno.cli.forge import (
    RepoOption,
    RunArgument,
    WaitOption,
    github_job,
)
from lambda_dyno.cli.support import JsonOption, project, show
from lambda_dyno.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

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
    base: BaseOption = "",
    repository: RepoOption = "",
    max_wait_s: WaitOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Write the recommended memory size into envs/ENV/tuned.auto.tfvars.json, with its evidence.

    Nothing that is deployed changes: Terraform does that, when it next applies the file. By
    default the file is only written; --commit commits it, --open-pr opens a pull request whose
    review is the approval, --auto pushes it to the main branch without one.
    """
    from lambda_dyno.core.config import load_env
    from lambda_dyno.forge import proposal as applying
    from lambda_dyno.forge import tuned_env
    from lambda_dyno.forge.change_request import ChangeRequest
    from lambda_dyno.review import run_source

    found = run_source.find(project(), source, of_functions=True)
    result = tuned_env.of_run(project(), found.result, env)
    found = replace(found, result=result)
    settings = load_env(project(), found.result.env).settings

    propose = partial(
        applying.propose,
        found.result,
        now=datetime.now(UTC),
        settings=settings if found.result.function_arn else None,
        force=force,
    )
    change = ChangeRequest.of(project(), found.result.env, propose, base)
    mode = _mode(commit=commit, open_pr=open_pr, auto=auto)
    try:
        describe = partial(_pull_request_text, found)
        done = _deliver(change, mode, describe, repository, max_wait_s)
    except applying.NothingToDoError as error:
        if not if_needed:
            raise
        show(as_json, {"mode": "none", "env": found.result.env, "reason": str(error)}, str(error))
        return
    _print_delivered(done, as_json=as_json)


def rollback(
    env: Annotated[
        str | None, typer.Option("--env", help="Environment; the one that was tuned if left out.")
    ] = None,
    commit: CommitOption = False,
    open_pr: OpenPrOption = False,
    auto: AutoOption = False,
    base: BaseOption = "",
    repository: RepoOption = "",
    max_wait_s: WaitOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Write the memory size of before the last `dyno apply` back into the environment's file.

    Nothing that is deployed changes until Terraform applies the file. The modes are those of
    `dyno apply`.
    """
    from lambda_dyno.forge import tuned_env
    from lambda_dyno.forge.change_request import ChangeRequest
    from lambda_dyno.forge.proposal import propose_rollback

    name = tuned_env.to_roll_back(project(), env)
    propose = partial(propose_rollback, name, now=datetime.now(UTC))
    change = ChangeRequest.of(project(), name, propose, base)
    mode = _mode(commit=commit, open_pr=open_pr, auto=auto)
    done = _deliver(change, mode, lambda made: f"{made.body}\n", repository, max_wait_s)
    _print_delivered(done, as_json=as_json)


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
    from lambda_dyno.review.comment import describe_proposal

    review = found.review(artefact_url=github_job("", None).run_url)
    return describe_proposal(proposal.path.as_posix(), proposal.env, review)


def _print_delivered(done: Delivered, *, as_json: bool) -> None:
    made = done.proposal
    commit = f"{done.commit[:9]} {made.title}"
    where = {
        "write": "review and commit it; it is in force when Terraform has applied it",
        "commit": f"committed: {commit}",
        "auto": f"pushed to {done.branch}: {commit}",
        "open-pr": f"pull request {done.pull_request}: {done.url}",
    }[done.mode]
    what = f"{made.path}: memory_mb {made.memory_mb} in place of {made.former_mb}"
    show(as_json, done.to_json(), f"{what}\n{where}")
