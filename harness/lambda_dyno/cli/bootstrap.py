"""`dyno bootstrap`: prepare an environment's account."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from lambda_dyno.cli.support import EnvOption, JsonOption, RegionOption, print_json, project
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.progress import Ui

if TYPE_CHECKING:
    from lambda_dyno.deploy.bootstrap import Bootstrapped
    from lambda_dyno.deploy.repository import Repository

RepoOption = Annotated[
    str | None,
    typer.Option(
        "--repo",
        help="GitHub repository that gets roles: OWNER/NAME, and GitHub is asked whether its "
        "tokens have ids; or OWNER@ID/NAME@ID, and nobody is asked.",
    ),
]
BranchOption = Annotated[
    str | None,
    typer.Option(
        "--branch", help="Its branch that is deployed from; its default branch if left out."
    ),
]
ImmutableOption = Annotated[
    bool | None,
    typer.Option(
        "--immutable-subject/--no-immutable-subject",
        help="Whether its tokens have ids, where GitHub does not tell; repositories that were "
        "created, renamed or transferred since 15 July 2026 have them.",
        show_default=False,
    ),
]
KeepOption = Annotated[
    int | None,
    typer.Option(
        "--keep-versions",
        min=0,
        help="Days that superseded versions of states stay; 0: for ever. At first 90.",
    ),
]


def bootstrap(
    env: EnvOption = "local",
    repo: RepoOption = None,
    branch: BranchOption = None,
    immutable: ImmutableOption = None,
    keep_versions: KeepOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prepare an environment's account: a bucket for states, and roles for GitHub's workflows.

    Run it once, with credentials that may make buckets and roles; again, it changes nothing.
    What is left out stays as it is; a first time without --repo makes no roles.
    """
    from lambda_dyno.deploy import bootstrap as bootstrapping

    ui = Ui()
    repository = _repository(ui, env, repo, branch, immutable)
    done = bootstrapping.bootstrap(
        project(), env, ui, repository=repository, keep_versions_days=keep_versions, region=region
    )
    if as_json:
        print_json(done.to_json())
    else:
        _print(done)


def _repository(
    ui: Ui, env: str, repo: str | None, branch: str | None, immutable: bool | None
) -> Repository | None:
    """Return whose workflows get roles, as GitHub's tokens name it; None: nobody new."""
    from lambda_dyno.deploy.repository import find_repository

    if repo is None:
        for flag, given in (("--branch", branch), ("--[no-]immutable-subject", immutable)):
            if given is not None:
                raise UserError(f"{flag}: say of which repository, too: --repo OWNER/NAME")
        return None
    with ui.step("github", f"asking which subject the tokens of {repo} have") as step:
        found = find_repository(
            repo, branch=branch, immutable=immutable, env=env, environ=os.environ, say=ui.note
        )
        step.update(f"its tokens are of repo:{found.claim}, and its branch is {found.branch}")
    return found


def _print(done: Bootstrapped) -> None:
    what = f"{len(done.changes)} changes" if done.changes else "nothing to change"
    typer.echo(f"account {done.account_id}, {done.region}: {what}")
    typer.echo(f"states go to s3://{done.bucket.name}")
    if done.repository is None:
        typer.echo(
            "no roles for GitHub's workflows; with them: "
            f"make bootstrap ENV={done.env} REPO=OWNER/NAME"
        )
        return
    typer.echo(f"\nPut into the variables of {done.repository.slug} (none is a secret):")
    for use, text in (
        ("gate", f"for pull requests and the sweep, if they work in {done.env}"),
        ("deploy", f"for deployments to {done.env} and its tuning, if it is what you deploy"),
    ):
        typer.echo(f"  # {text}")
        for variable in done.variables:
            if variable.use == use:
                typer.echo(f"  {variable.command(done.repository)}")
    _print_environments(done.env, done.repository)


def _print_environments(env: str, repository: Repository) -> None:
    """Say what keeps other branches out: GitHub makes a missing environment open for all."""
    branch = repository.branch
    typer.echo(
        f"\nBefore that, let branch {branch} alone use the environments of the scheduled workflows."
        "\nGitHub makes a missing one by itself, for every branch; a pull request could then assume"
        "\ntheir roles:"
    )
    for command in repository.limit_commands():
        typer.echo(f"  {command}")
    typer.echo(
        f"\nThe deploy role is for the GitHub environment {env}: make it under Settings, "
        f"Environments,\nwith reviewers, and with {branch} as its only deployment branch.\n"
        f"Under Settings, Rules, let {branch} take pull requests only, with a review from code "
        "owners:\nGitHub Actions may approve one, and owns nothing."
    )
