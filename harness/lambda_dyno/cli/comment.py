"""`dyno comment`: a run's review as one comment on the pull request."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lambda_dyno.cli.forge import (
    RepoOption,
    RunArgument,
    WaitOption,
)
from lambda_dyno.cli.support import JsonOption, print_json, project
from lambda_dyno.core.errors import StepError, UserError, brief
from lambda_dyno.forge.provider import Provider
from lambda_dyno.report.terminal import TerminalUi

if TYPE_CHECKING:
    from lambda_dyno.review.comment_parts import Review
    from lambda_dyno.review.post import Published


HELP = """
Write a run's review as one comment on the pull request, or bring it up to date.

On GitHub the same text becomes the job's summary. Where nothing changed it is two lines: all SLOs \
met, the size as on main, no figure beyond the noise, an empty plan. A forge that refuses or does \
not answer is a warning: a comment never fails a gate, unless --strict asks for it.

The token comes from the environment alone: GITHUB_TOKEN (`pull-requests: write`), GITLAB_TOKEN (a \
project access token with the scope `api`), or AWS credentials for CodeCommit. Pull request, \
address and page of the job come from the job's own variables (GITHUB_*, CI_*, CODEBUILD_*).

Before the run, --begin says "measuring" with the job's page; the review takes its place. With \
--job-result a job that left no run says that in its place.

Examples:

\b
  dyno comment --begin
  dyno comment evidence/ --baseline main-evidence/ --plan-json plan/
  dyno comment --provider gitlab --job-result failure
  dyno comment --provider codecommit --dry-run
"""


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
    begin: Annotated[
        bool, typer.Option("--begin", help="Say that it is being measured, and where the log is.")
    ] = False,
    job_result: Annotated[
        str,
        typer.Option(
            envvar="DYNO_JOB_RESULT",
            help="How the job that measured ended, to say where it left no run: success, failure, "
            "cancelled or skipped. GitLab's after_script and CodeBuild's post_build say it.",
        ),
    ] = "",
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="result.json of a run on main, to compare with, or a folder that may have one; "
            "its history.json (`dyno history --json`) becomes a line with main's last runs."
        ),
    ] = None,
    plan_json: Annotated[
        Path | None,
        typer.Option(
            help="What `terraform show -json PLANFILE` or `dyno deploy --plan-json` wrote, or a "
            "folder that may have its plan.json."
        ),
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
    """Replaced by `HELP`."""
    from lambda_dyno.forge import stores
    from lambda_dyno.review import comment, comment_parts, post
    from lambda_dyno.review.notice import MEASURING, notice

    if source and run_id and source != run_id:
        raise UserError(f"{source} and --run {run_id}: give one of them")
    if begin and (source or run_id):
        raise UserError("--begin is said before there is a run: name none")
    _check_key(key)
    ended = _job_result(job_result)
    place = stores.place(provider, pull, repository, max_wait_s)
    flavour = comment_parts.FLAVOURS[provider.value]
    page = artefact_url or place.page
    review, state, problem = None, MEASURING, ""
    if not begin:
        try:
            review = _review(source or run_id, baseline, plan_json, page)
        except UserError as error:
            if not ended:
                raise
            state, problem = ended, str(error)
            _warn(f"no review: {problem}")
    if review is None:
        made = comment.Composed(notice(flavour, key, state, page, problem), ())
    else:
        made = comment.compose(review, flavour, key=key)
    if dry_run:
        if as_json:
            print_json(post.Published(made.text, made.left_out).to_json() | {"body": made.text})
        else:
            typer.echo(made.text, nl=False)
        return
    if review is None:
        done = post.publish_text(made.text, flavour, place.store, key=key)
    else:
        done = post.publish(review, flavour, place.store, key=key, summary_path=place.summary_path)
    _print(done, strict=strict, as_json=as_json)


def _review(name: str | None, baseline: Path | None, plan_json: Path | None, page: str) -> Review:
    """Return what there is to tell of a run.

    Raises:
        UserError: There is no such run, or a file is not what it should be.
    """
    from lambda_dyno.review import main_trend, run_source

    review = run_source.find(project(), name).review(baseline, plan_json, page)
    trend = main_trend.of_folder(baseline, review.result.env) if baseline else ""
    return replace(review, trend=trend)


def _job_result(given: str) -> str:
    """Return how the job that measured ended; empty if nobody says.

    Raises:
        UserError: It is no such word.
    """
    from lambda_dyno.forge.ci_environment import job_result
    from lambda_dyno.review.notice import RESULTS

    if given and given not in RESULTS:
        raise UserError(f"--job-result {brief(given)}: must be one of {', '.join(RESULTS)}")
    return given or job_result(os.environ)


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
    elif not done.posted and not done.summary and not _in_job():
        raise UserError(
            "there is no pull request to comment on: give --pull, or run it in a job that a pull "
            "request started"
        )
    elif not done.posted:
        summary = "only its summary was written" if done.summary else "no comment was written"
        TerminalUi().note(f"no pull request started this job: {summary}")


def _in_job() -> bool:
    """Tell whether a CI system runs us, whose jobs are the same for branches."""
    return any(name in os.environ for name in ("CODEBUILD_BUILD_ID", "GITLAB_CI", "GITHUB_ACTIONS"))


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
