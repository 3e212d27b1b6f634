"""`dyno comment`: a run's review as one comment on the pull request."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lambda_dyno.cli.forge import (
    RepoOption,
    RunArgument,
    WaitOption,
    github_job,
)
from lambda_dyno.cli.support import JsonOption, print_json, project
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.terminal.progress import TerminalUi

if TYPE_CHECKING:
    from lambda_dyno.review.post import Published


class Provider(StrEnum):
    """Where the pull request is."""

    GITHUB = "github"
    CODECOMMIT = "codecommit"


def comment(
    source: RunArgument = None,
    run_id: Annotated[str | None, typer.Option("--run", help="The same as RUN_ID.")] = None,
    provider: Annotated[Provider, typer.Option(help="Where the pull request is.")] = (
        Provider.GITHUB
    ),
    pull: Annotated[
        int | None, typer.Option(help="Its number; of the event's pull request if left out.")
    ] = None,
    repository: RepoOption = "",
    baseline: Annotated[
        Path | None, typer.Option(help="result.json of a run on main, to compare with.")
    ] = None,
    plan_json: Annotated[
        Path | None, typer.Option(help="What `terraform show -json PLANFILE` wrote.")
    ] = None,
    artefact_url: Annotated[
        str, typer.Option(help="Where the evidence is; the workflow run's page if left out.")
    ] = "",
    key: Annotated[
        str, typer.Option(help="Tells the comments of several gates on one pull request apart.")
    ] = "gate",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print it, write nothing.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail when the comment cannot be written.")
    ] = False,
    max_wait_s: WaitOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Write a run's review as one comment on the pull request, or bring it up to date.

    The same text becomes the job's summary. The token is read from GITHUB_TOKEN, which needs
    `pull-requests: write`. A forge that refuses or does not answer is a warning: a comment
    never fails a gate, unless --strict asks for it.
    """
    from lambda_dyno.forge import stores
    from lambda_dyno.forge.ci_environment import codebuild_url
    from lambda_dyno.review import comment, comment_parts, post, run_source

    if source and run_id and source != run_id:
        raise UserError(f"{source} and --run {run_id}: give one of them")
    found = run_source.find(project(), source or run_id)
    is_github = provider is Provider.GITHUB
    job = github_job(repository if is_github else "", pull)
    flavour = comment_parts.GITHUB if is_github else comment_parts.CODECOMMIT
    _check_key(key)
    page = job.run_url if is_github else codebuild_url(os.environ)
    review = found.review(baseline, plan_json, artefact_url or page)
    if dry_run:
        made = comment.compose(review, flavour, key=key)
        if as_json:
            print_json(post.Published(made.text, made.left_out).to_json() | {"body": made.text})
        else:
            typer.echo(made.text, nl=False)
        return
    done = post.publish(
        review,
        flavour,
        lambda: (
            stores.of_github(job, max_wait_s)
            if is_github
            else stores.of_codecommit(pull, repository)
        ),
        key=key,
        summary_path=job.summary_path,
    )
    _print(done, strict=strict, as_json=as_json)


def _print(done: Published, *, strict: bool, as_json: bool) -> None:
    if as_json:
        print_json(done.to_json())
    elif done.posted:
        what = f"{done.posted.action} the comment"
        typer.echo(f"{what}: {done.posted.comment.url or done.posted.comment.id}")
    elif done.summary:
        typer.echo("wrote the job's summary")
    if done.warning:
        _warn(f"no comment: {done.warning}")
        if strict:
            raise typer.Exit(StepError.exit_code)
    elif not done.posted and not done.summary and "CODEBUILD_BUILD_ID" not in os.environ:
        raise UserError(
            "there is no pull request to comment on: give --pull, or run it in a job that a pull "
            "request started"
        )
    elif not done.posted:
        summary = "only its summary was written" if done.summary else "no comment was written"
        TerminalUi().note(f"no pull request started this job: {summary}")


def _check_key(key: str) -> None:
    from lambda_dyno.review.comment import marker
    from lambda_dyno.review.comment_parts import GITHUB

    try:
        marker(GITHUB, key)
    except ValueError as error:
        raise UserError(f"--key {error}") from error


def _warn(text: str) -> None:
    TerminalUi().warn(text)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        # An annotation, which people see without opening the log.
        line = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        print(f"::warning title=Lambda Dyno::{line}", file=sys.stderr)
