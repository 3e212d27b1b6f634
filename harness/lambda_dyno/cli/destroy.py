"""`dyno destroy`: end what `dyno deploy` and `dyno bootstrap` made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from lambda_dyno.cli.completion import env_names
from lambda_dyno.cli.support import EXIT_STATUS_HELP, JsonOption, RegionOption, project, show
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.report.terminal import TerminalUi

if TYPE_CHECKING:
    from lambda_dyno.deploy.destroy import Destroyed, Intent

HELP = f"""
Destroy a standing environment, what `dyno deploy` made, and prove that it is gone.

It says first what would go, data included, and what stays, and asks; with --yes it does not ask. \
In a job of a pull request it refuses. Again, it goes on with what is left, or says that nothing is.

With --bootstrap it takes back what `dyno bootstrap` made instead: roles, policies and, if nothing \
stands any more whose state is in it, the bucket of the states. Evidence always stays.

{EXIT_STATUS_HELP.strip()}
"""


def destroy(
    env: Annotated[
        str,
        typer.Option("--env", help="Environment: a folder of envs/.", autocompletion=env_names),
    ],
    of_bootstrap: Annotated[
        bool, typer.Option("--bootstrap", help="The roles and the bucket of `dyno bootstrap`.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Destroy a standing environment, and prove that it is gone."""
    from lambda_dyno.deploy.destroy import Destruction
    from lambda_dyno.deploy.unbootstrap import Unbootstrap

    kind = Unbootstrap if of_bootstrap else Destruction
    with kind.prepare(project(), env, TerminalUi(), region) as destruction:
        intent = destruction.intent()
        for line in _told(intent):
            typer.echo(line, err=True)
        if (intent.resources or intent.lost) and not yes:
            _ask(env)
        done = destruction.run(intent)
    show(as_json, done.to_json(), _summary(done))
    done.check()


def _told(intent: Intent) -> Iterator[str]:
    """Yield what would go and what stays."""
    where = f"account {intent.account_id}, {intent.region}"
    if not (intent.resources or intent.lost):
        yield f"{intent.env}: nothing is there to destroy in {where}"
        return
    yield f"{intent.env} in {where}: {_counted(len(intent.resources))} will go"
    ordered = sorted(intent.resources, key=lambda one: (one.kind, one.name))
    for kind, found in groupby(ordered, key=lambda one: one.kind):
        names = list(dict.fromkeys(one.name for one in found))
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        yield f"  {kind}: {', '.join(names[:4])}{more}"
    yield from (f"lost: {text}" for text in intent.lost)
    yield from (f"kept: {text}" for text in intent.kept)


def _ask(env: str) -> None:
    """Have the environment's name typed.

    Raises:
        UserError: Nobody can be asked, or something else was typed.
    """
    if not sys.stdin or not sys.stdin.isatty():
        raise UserError("--yes: say it where nobody can be asked; nothing was destroyed")
    typer.echo(f"type {env} to destroy it: ", err=True, nl=False)
    typed = sys.stdin.readline().strip()
    if typed != env:
        raise UserError(f'"{brief(typed)}" is not {env}: nothing was destroyed')


def _summary(done: Destroyed) -> str:
    left = f"{len(done.left)} left" if done.left else "nothing left behind"
    return f"{done.env}: {_counted(len(done.gone))} destroyed, {left}"


def _counted(count: int) -> str:
    return f"{count} resource{'' if count == 1 else 's'}"
