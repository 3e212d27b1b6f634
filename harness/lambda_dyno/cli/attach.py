"""`dyno run --url URL --function NAME`: a function and an API that somebody else deployed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from lambda_dyno.cli.support import project
from lambda_dyno.core.config import load_env
from lambda_dyno.core.errors import UserError
from lambda_dyno.report.terminal import TerminalUi

if TYPE_CHECKING:
    from lambda_dyno.run.run import Run

_PANEL = "What somebody else deployed"

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="Address of the API in front of --function, with its stage: of API Gateway, a "
        "function URL, or a domain of this account.",
        rich_help_panel=_PANEL,
    ),
]
FunctionOption = Annotated[
    str | None,
    typer.Option(
        "--function",
        metavar="NAME",
        help="Name or ARN of the function, with the alias if the API calls one. Without --url it "
        "is tuned and held against the cost limits alone.",
        rich_help_panel=_PANEL,
    ),
]
YesOption = Annotated[
    bool,
    typer.Option(
        "--yes",
        help="Go above max_requests and max_cost_usd of \\[attach]; not in a pull request.",
        rich_help_panel=_PANEL,
    ),
]
# Flags that a run which deploys nothing has no place for.
_OF_AN_ENVIRONMENT = {
    "keep": "nothing is deployed that could be kept",
    "port": "no embedded AWS is started; AWS_ENDPOINT_URL names one that runs",
}


class AttachedEnv(NamedTuple):
    """The settings of an attached run: those of an environment, or the built-in ones (None)."""

    name: str | None


def env_of(
    context: typer.Context, env: str, url: str | None, function: str | None
) -> AttachedEnv | None:
    """Return whose settings an attached run has; None: it is none.

    Args:
        context: Of the command, which knows whether --env was given.
        env: Its value, or its default.
        url: What --url names.
        function: What --function names.
    """
    given = _is_given(context, "env")
    if url is not None or function is not None:
        return AttachedEnv(env if given else None)
    return AttachedEnv(env) if load_env(project(), env).settings.attach.is_set else None


def refuse(context: typer.Context) -> None:
    """Refuse flags that an attached run has no place for.

    Raises:
        UserError: One of them was given.
    """
    for name, why in _OF_AN_ENVIRONMENT.items():
        if _is_given(context, name):
            raise UserError(f"--{name}: {why}")


def prepare(env: AttachedEnv, overrides: Mapping[str, Any], *, yes: bool) -> Run:
    """Return an attached run that is ready to begin; who is asked is at a terminal, or said --yes.

    Raises:
        UserError: Something is not allowed, or not wanted.
    """
    from lambda_dyno.run import attach_prepare

    asked = _ask if sys.stdin is not None and sys.stdin.isatty() else None
    return attach_prepare.prepare(
        project(),
        env.name,
        TerminalUi(),
        overrides=overrides,
        confirm=(lambda _: True) if yes else asked,
    )


def _ask(what: str) -> bool:
    # not typer's own question: of Ctrl-C and of the input's end it makes the same error
    print(f"{what}. Go on? [y/N]: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
