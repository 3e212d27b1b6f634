"""What the commands that talk to a forge share: options, the job's context, the limits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from lambda_dyno.cli.completion import finished_run_ids

if TYPE_CHECKING:
    from lambda_dyno.forge.ci_environment import GitHubJob

RunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN_ID|RESULT.JSON|FOLDER/]",
        autocompletion=finished_run_ids,
        help="A run, or a folder with one, such as an unpacked artefact; the newest if none.",
    ),
]
RepoOption = Annotated[
    str, typer.Option("--repo", help="OWNER/NAME; $GITHUB_REPOSITORY if left out.")
]
WaitOption = Annotated[
    float,
    typer.Option("--max-wait-s", min=0, max=3600, help="Seconds to wait, at most, to try again."),
]


def github_job(repository: str, pull: int | None, remote: str = "") -> GitHubJob:
    """Return what the job's environment says of GitHub; what is given goes before it."""
    from lambda_dyno.forge import ci_environment

    return ci_environment.github_job(os.environ, repository=repository, pull=pull, remote=remote)
