"""`dyno signal`: an issue for each change for the worse in main's history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lambda_dyno.cli.forge import RepoOption, WaitOption, github_job
from lambda_dyno.cli.history import StoreOption
from lambda_dyno.cli.support import JsonOption, print_json, project
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.report.terminal import TerminalUi

if TYPE_CHECKING:
    from lambda_dyno.forge.ci_environment import GitHubJob
    from lambda_dyno.history.signals import Trend
    from lambda_dyno.review.signals import Done, Place

HELP = """
Open a GitHub issue for each change for the worse in main's history, and close it when it is gone.

A change is one that dyno history tells: figures before and after differ by more than runs \
scatter. Told is what is worse, has not come back since, and what three looks agree on: the \
newest, and those before the last two runs; so never what one run alone shows. An issue has the \
figure, the size of its change with the interval, and the commits between the last run before and \
the first after.

Run it again, and nothing happens twice: an open issue is brought up to date, one that somebody \
has closed stays closed. A history that is lost or empty closes nothing. Issues are found by the \
label lambda-dyno and their first line.

The token comes from the environment alone: GITHUB_TOKEN (`issues: write`). A forge that refuses \
or does not answer is a warning, unless --strict asks for more.

Examples:

\b
  dyno signal --dry-run
  dyno signal --store main-evidence/history
  dyno signal --branch trunk --on embedded --repo acme/shop
"""


def signal(
    repository: RepoOption = "",
    branch: Annotated[str, typer.Option(metavar="NAME", help="Of this git branch.")] = "main",
    function: Annotated[str, typer.Option(metavar="NAME", help="Of this function.")] = "",
    env: Annotated[str, typer.Option(metavar="NAME", help="Of this environment.")] = "",
    on: Annotated[
        Literal["aws", "embedded"], typer.Option(help="Measured on AWS or embedded AWS.")
    ] = "aws",
    store: StoreOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what the history says, ask no forge.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail when an issue cannot be written.")
    ] = False,
    max_wait_s: WaitOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Replaced by `HELP`."""
    from lambda_dyno.forge.comments import ForgeError
    from lambda_dyno.history import record, series, signals

    ui = TerminalUi()
    job = github_job(repository, None)
    wanted = series.Wanted(function, env, branch, on)
    records = [
        one for one in record.read(record.place(store, project), ui.note) if wanted.takes(one)
    ]
    if not records:
        ui.note(f"no run with {wanted.words}: nothing is opened, and nothing closed")
    trends = signals.trends(series.series_of(records))
    if dry_run:
        _show(_would(trends, job), as_json=as_json)
        return
    if not job.repository:
        raise UserError("no repository: give --repo OWNER/NAME")
    done: list[Done] = []
    warning = ""
    try:
        _follow(trends, job, max_wait_s, done)
    except ForgeError as error:
        warning = str(error)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # an answer of another shape than is documented
        warning = f"GitHub answers what nobody expects: {error!r}"
    _show(done, as_json=as_json)
    if warning:
        ui.warn(f"not all issues are up to date: {warning}")
        if strict:
            raise typer.Exit(StepError.exit_code)


def _follow(trends: Sequence[Trend], job: GitHubJob, max_wait_s: float, done: list[Done]) -> None:
    """Bring the issues up to date; what was done is there, too, if the next one fails."""
    from lambda_dyno.forge import issues, stores
    from lambda_dyno.forge.comments import ForgeError
    from lambda_dyno.review import signals

    if not job.token:
        raise ForgeError("GITHUB_TOKEN is not set: hand it over, `env: GITHUB_TOKEN: ...`")
    store = issues.GitHubIssues(stores.github_api(job, max_wait_s), job.repository)
    done.extend(signals.follow(trends, store, _place(job)))


def _place(job: GitHubJob) -> Place:
    from lambda_dyno.history import commits
    from lambda_dyno.review import signals

    page = f"{job.server_url}/{job.repository}" if job.repository else ""
    here = Path.cwd()
    return signals.Place(page, lambda before, after: commits.between(here, before, after))


def _would(trends: Sequence[Trend], job: GitHubJob) -> list[dict[str, str]]:
    """Return what there is to tell."""
    from lambda_dyno.review import signals

    place = _place(job)
    return [
        {"title": signals.title(one), "body": signals.body(trend.id, one, place)}
        for trend in trends
        for one in trend.signals
    ]


def _show(done: Sequence[Done] | list[dict[str, str]], *, as_json: bool) -> None:
    rows = [one if isinstance(one, dict) else asdict(one) for one in done]
    if as_json:
        print_json(rows)
    elif not rows:
        typer.echo("no change for the worse: no issue")
    for row in () if as_json else rows:
        if "body" in row:
            typer.echo(f"{row['title']}\n\n{row['body']}")
        else:
            typer.echo(f"{row['action']}: {row['title']} {row['url']}".rstrip())
