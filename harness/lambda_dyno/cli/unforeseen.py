"""What goes wrong: one line, where the traceback is if nobody foresaw it, and a status."""

from __future__ import annotations

import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from lambda_dyno.cli.support import project
from lambda_dyno.core.errors import (
    EXIT_STEP_FAILED,
    DynoError,
    StepError,
    UserError,
    brief,
    told,
)
from lambda_dyno.core.private import make_folder
from lambda_dyno.core.progress import Ui

# What every error of a command line is; releases of typer name it, and keep it, differently.
MISUSE: type[Exception] = next(
    kind for kind in reversed(typer.BadParameter.__mro__) if hasattr(kind, "format_message")
)


class Commands(TyperGroup):
    """The commands; typer takes every broken pipe for a reader that is gone, and exits with 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command.

        Raises:
            UnforeseenError: The system refused something.
        """
        try:
            return super().invoke(ctx)
        except OSError as error:
            raise UnforeseenError from error


class UnforeseenError(Exception):
    """Carries an error past typer; its cause is the error."""


def tell(error: Exception, ui: Ui) -> int:
    """Say what went wrong in one line, and return the exit status.

    Args:
        error: What nobody handled. Unless it was raised on purpose, its traceback goes to a file.
        ui: Where to say it.
    """
    if isinstance(error, DynoError):
        ui.error(str(error), error.hint if isinstance(error, StepError) else "")
        return error.exit_code
    cause = error.__cause__ if isinstance(error, UnforeseenError) and error.__cause__ else error
    if isinstance(cause, OSError) and cause.strerror:  # the machine's doing, not ours
        kept = _kept(cause)
        ui.error(f"{told(cause)}{f' (traceback: {kept})' if kept else ''}")
        return EXIT_STEP_FAILED
    what = brief(" ".join(str(cause).split()), most=1000)
    kept = _kept(cause)
    report = f" (nobody foresaw this; please report it with {kept})" if kept else ""
    ui.error(f"{type(cause).__name__}{f': {what}' if what else ''}{report}")
    return EXIT_STEP_FAILED


def tell_misuse(error: Any, ui: Ui) -> int:
    """Say in one line what is wrong with a command line, and return the exit status.

    Args:
        error: A `MISUSE`. Without any command it says nothing, and has shown the help.
        ui: Where to say it.
    """
    parameter = getattr(error, "param", None)
    flags = [name for name in getattr(parameter, "opts", ()) if name.startswith("-")]
    said = error.message.removeprefix("Value error, ")
    text = f"{max(flags, key=len)}: {said or 'missing'}" if flags else error.format_message()
    context = getattr(error, "ctx", None)
    if text:
        command = context.command_path if context else "dyno"
        ui.error(f"{brief(' '.join(text.split()), most=300)} (see {command} --help)")
    return int(error.exit_code)


def _kept(error: BaseException) -> str:
    """Write the traceback down, and return where; it may hold what is nobody else's business."""
    try:
        path = project() / ".dyno" / "traceback.txt"
        make_folder(path.parent)
        path.unlink(missing_ok=True)  # should it be a pipe, or a link
        path.touch(mode=0o600)
        path.write_text("".join(traceback.format_exception(error)), errors="backslashreplace")
    except (OSError, UserError):
        return ""
    return str(path)
