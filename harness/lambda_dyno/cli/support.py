"""What the commands of `dyno` share: where the project is, how results are printed."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from lambda_dyno.cli.completion import env_names, run_ids
from lambda_dyno.cli.numbers import whole
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.files import short_path
from lambda_dyno.report.streams import is_screen
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.tuner_contract.keys import KEYS

EXIT_STATUS_HELP = """
Exit status: 0 everything passed, 1 an SLO is missed, 2 your mistake (input, tools,
credentials; nothing was made), 3 a step failed, 130 interrupted.
"""

EnvOption = Annotated[
    str,
    typer.Option("--env", help="Environment: a folder of envs/.", autocompletion=env_names),
]
RunOption = Annotated[
    str | None,
    typer.Option(
        "--run",
        help="Run id; the newest standing one if left out.",
        autocompletion=run_ids,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait when another command works on it, instead of failing.")
]
_KEY_HELP = {key.field: key.help for key in KEYS}
NumOption = Annotated[int | None, typer.Option(help=_KEY_HELP["num"])]
StrategyOption = Annotated[str | None, typer.Option(help=_KEY_HELP["strategy"])]
PortOption = Annotated[
    int | None, typer.Option(help="Port of the embedded AWS; a free one if left out.")
]
RootOption = Annotated[
    str | None,
    typer.Option(
        "--root",
        metavar="FOLDER",
        help="Terraform root, anywhere in the repository. Its settings are the dyno.toml in it, "
        "or, if it has none, those of --env.",
    ),
]
RegionOption = Annotated[str | None, typer.Option(help="AWS region, over dyno.toml's.")]


def unwrap_help(app: typer.Typer) -> None:
    """Let the terminal break the lines of an app's help: rich keeps those of docstrings.

    Args:
        app: An app whose commands are all there.
    """
    for command in app.registered_commands:
        text = command.help or (command.callback.__doc__ if command.callback else None)
        command.help = text and _unwrapped(text)
        command.epilog = command.epilog and _unwrapped(command.epilog)
    if isinstance(app.info.help, str):
        app.info.help = _unwrapped(app.info.help)


def _unwrapped(text: str) -> str:
    """Return a text with a line per paragraph; where click is told to keep lines, they stay."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(
        part if part.startswith("\b") else " ".join(part.split()) for part in paragraphs
    )


def project() -> Path:
    """Return the folder of the project: the working folder or the first above it with envs/.

    Raises:
        UserError: There is none.
    """
    here = _working_folder()
    found = project_with_environments()
    if found is not None:
        return found
    for folder in (here, *here.parents):
        if any(folder.glob("runs/*/lease.json")):  # of roots that have their settings beside them
            return folder
    raise UserError(f"no envs/*/dyno.toml in {here} or above it; change into the project first")


def project_with_environments() -> Path | None:
    """Return the working folder, or the first above it, with envs/; None: there is none.

    Raises:
        UserError: The working folder cannot be found.
    """
    here = _working_folder()
    folders = (folder for folder in (here, *here.parents) if any(folder.glob("envs/*/dyno.toml")))
    return next(folders, None)


def workplace() -> Path:
    """Return where runs are kept of what has no envs/: the project, else the repository's top.

    Without either it is the working folder. A SAM, CDK or Serverless service needs no file of ours.

    Raises:
        UserError: The working folder cannot be found.
    """
    try:
        return project()
    except UserError:
        here = _working_folder()
        tops = (folder for folder in (here, *here.parents) if (folder / ".git").exists())
        return next(tops, here)


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise UserError(f"the working folder cannot be found: {error.strerror}") from error


def project_of_root(root: str | None) -> tuple[Path, str]:
    """Return the project's folder, and the folder of --root from there; empty: none is given.

    Raises:
        UserError: There is no project, or the root is not below it.
    """
    if root is None:
        return project(), ""
    folder, path = workplace(), Path(root)
    where = f"--root {brief(root, most=300)}"
    try:
        is_folder, real = path.is_dir(), path.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{where}: no folder can have such a name") from error
    if not is_folder:
        raise UserError(f"{where}: there is no such folder")
    if not real.is_relative_to(folder.resolve()):
        raise UserError(f"{where}: not in the project {folder}")
    below = real.relative_to(folder.resolve()).as_posix()
    if below == ".":
        raise UserError(
            f"{where}: it is the repository itself, and a run works on a copy of the root: move "
            "the Terraform into a folder of its own, such as infra"
        )
    if below.startswith("envs/"):
        raise UserError(f"{where}: say --env {brief(below.partition('/')[2])}")
    return folder, below


def reopened(
    run_id: str | None,
    overrides: dict[str, Any] | None = None,
    *,
    any_state: bool = False,
    wait: bool = False,
) -> Any:
    """Return a context that holds a standing run, locked against other commands."""
    from lambda_dyno.run import lifecycle

    return lifecycle.reopened(
        project(), run_id, TerminalUi(), overrides or {}, any_state=any_state, wait=wait
    )


def power_values(text: str) -> list[int] | str:
    """Return what --power names: memory sizes in MB, or "ALL"."""
    if text.strip().upper() == "ALL":
        return "ALL"
    return memory_sizes(text, "--power", "128,512,1024, or ALL")


def memory_sizes(text: str, flag: str, such_as: str = "128,1024") -> list[int]:
    """Return the memory sizes in MB that a flag names.

    Raises:
        UserError: It names something else.
    """
    try:
        return [whole(part) for part in text.split(",")]
    except ValueError:
        raise UserError(
            f"{flag} {brief(text)}: give memory sizes in MB with commas between, such as {such_as}"
        ) from None


def print_json(value: Any) -> None:
    """Print a result for programs."""
    typer.echo(json.dumps(value, indent=2))


def show(as_json: bool, value: Any, text: str | Callable[[], None]) -> None:
    """Print a result for programs, or as a text (or by what prints one) for people."""
    if as_json:
        print_json(value)
    elif isinstance(text, str):
        typer.echo(text)
    else:
        text()


def summary(opened: Any, parts: tuple[str, ...] | None = None) -> None:
    """Print a run's result for people."""
    from rich.console import Console

    from lambda_dyno.report import console

    out = Console(highlight=False)
    if parts is None and is_screen(out):
        out.print()  # the steps are right above it
    console.print_summary(opened.result, out, short_path(opened.report_path), parts=parts)
