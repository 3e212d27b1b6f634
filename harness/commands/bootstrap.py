"""`dyno bootstrap`: prepare an environment's account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands.support import EnvOption, JsonOption, RegionOption, print_json, project
from harness.progress import Ui

if TYPE_CHECKING:
    from harness.delivery.bootstrap import Bootstrapped

RepoOption = Annotated[
    str | None,
    typer.Option("--repo", help="GitHub repository that gets roles: OWNER/NAME, exactly."),
]
BranchOption = Annotated[
    str | None, typer.Option("--branch", help="Its branch that may plan, tune and sweep; main.")
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
    keep_versions: KeepOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prepare an environment's account: a bucket for states, and roles for GitHub's workflows.

    Run it once, with credentials that may make buckets and roles; again, it changes nothing.
    What is left out stays as it is; a first time without --repo makes no roles.
    """
    from harness.delivery import bootstrap as bootstrapping

    repository = None
    if repo is not None:
        branch = branch or bootstrapping.DEFAULT_BRANCH
        repository = bootstrapping.parse_repository(repo, branch)
    elif branch is not None:
        from harness.errors import UserError

        raise UserError(f"--branch {branch}: say of which repository, too: --repo OWNER/NAME")
    done = bootstrapping.bootstrap(
        project(), env, Ui(), repository=repository, keep_versions_days=keep_versions, region=region
    )
    if as_json:
        print_json(done.to_json())
    else:
        _print(done)


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
    typer.echo(
        f"\nThe deploy role is for the GitHub environment {done.env}: make it under Settings, "
        "Environments, with reviewers."
    )
