"""`dyno notify`: a message to Slack and Teams, where a scheduled run has found something."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lambda_dyno.cli.forge import RunArgument, WaitOption
from lambda_dyno.cli.support import JsonOption, print_json, project
from lambda_dyno.core.errors import StepError
from lambda_dyno.report.terminal import TerminalUi

HELP = """
Tell Slack or Teams what a scheduled run has found; nothing where it has found nothing.

Told are missed SLOs, a recommendation that is not the deployed size, and, with --baseline, what \
is slower than there beyond the noise (95 % intervals that do not overlap). One message for a run, \
with the job's page.

The addresses of the webhooks are secrets and come from the environment alone: \
DYNO_SLACK_WEBHOOK_URL, DYNO_TEAMS_WEBHOOK_URL. Without one there is no message. A channel that \
refuses is a warning, unless --strict asks for more.

Examples:

\b
  dyno notify
  dyno notify 261201-0215-k3f9 --baseline main-evidence/
  dyno notify --dry-run
"""


def notify(
    source: RunArgument = None,
    baseline: Annotated[
        Path | None,
        typer.Option(help="result.json of a run to compare with, or a folder that may have one."),
    ] = None,
    url: Annotated[str, typer.Option(help="Page to link; the job's if left out.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print it, send nothing.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail when a message cannot be sent.")
    ] = False,
    max_wait_s: WaitOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Replaced by `HELP`."""
    from lambda_dyno.forge import ci_environment, webhooks
    from lambda_dyno.forge.comments import ForgeError
    from lambda_dyno.forge.retry import RetryBudget
    from lambda_dyno.review import run_source
    from lambda_dyno.review.comment_parts import safe_url
    from lambda_dyno.review.findings import findings, title

    addresses = {one: one.address(os.environ) for one in webhooks.CHANNELS}
    review = run_source.find(project(), source, of_functions=True).review(baseline)
    found = findings(review)
    page = safe_url(url or ci_environment.page(os.environ))
    message = webhooks.Message(title(review), found, page)
    sent, warnings = [], []
    if found and not dry_run:
        budget = RetryBudget(max_wait_s=max_wait_s)
        for channel, address in addresses.items():
            if address:
                try:
                    channel.send(address, message, budget)
                    sent.append(channel.name)
                except ForgeError as error:
                    warnings.append(str(error))
    if as_json:
        print_json({"findings": list(found), "sent": sent, "warnings": warnings})
    elif found:
        typer.echo("\n".join((message.title, *found)))
    else:
        typer.echo("nothing found: no message")
    ui = TerminalUi()
    for warning in warnings:
        ui.warn(f"no message: {warning}")
    if found and not dry_run and not any(addresses.values()):
        names = " or ".join(channel.variable for channel in webhooks.CHANNELS)
        ui.note(f"no message: {names} is not set")
    if warnings and strict:
        raise typer.Exit(StepError.exit_code)
