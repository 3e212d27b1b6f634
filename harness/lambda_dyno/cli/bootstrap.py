"""`dyno bootstrap`: prepare an environment's account."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from lambda_dyno.cli.support import EnvOption, JsonOption, RegionOption, project, show
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.progress import Ui
from lambda_dyno.report.terminal import TerminalUi

if TYPE_CHECKING:
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

KmsKeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--kms-key",
        metavar="ARN",
        help="Customer managed KMS key of a function or a payload that the roles' power tuners may "
        "use; may be given several times, all of them each time.",
    ),
]

EvidenceOption = Annotated[
    bool,
    typer.Option(
        "--evidence",
        help="Make an evidence store, too: a bucket that only grows, which pull requests add to "
        "below their own keys, and main's roles below main's.",
    ),
]

RetuneOption = Annotated[
    list[str] | None,
    typer.Option(
        "--retune-role",
        metavar="ARN",
        help="Role of modules/retune that adds to main's retunings in the evidence store; may be "
        "given several times, all of them each time.",
    ),
]


def bootstrap(
    env: EnvOption = "local",
    repo: RepoOption = None,
    branch: BranchOption = None,
    immutable: ImmutableOption = None,
    keep_versions: KeepOption = None,
    kms_key: KmsKeyOption = None,
    evidence: EvidenceOption = False,
    retune_role: RetuneOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prepare an environment's account: a bucket for states, and roles for GitHub's workflows.

    Run it once, with credentials that may make buckets and roles; again, it changes nothing.
    What is left out stays as it is; a first time without --repo makes no roles.
    """
    from lambda_dyno.deploy import bootstrap as bootstrapping
    from lambda_dyno.deploy import next_steps

    ui = TerminalUi()
    repository = _repository(ui, env, repo, branch, immutable)
    done = bootstrapping.bootstrap(
        project(),
        env,
        ui,
        repository=repository,
        keep_versions_days=keep_versions,
        kms_key_arns=kms_key or None,
        evidence=evidence,
        retune_role_arns=retune_role or None,
        region=region,
    )
    show(as_json, done.to_json(), "\n".join(next_steps.lines(done)))


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
