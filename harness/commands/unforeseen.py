"""What nobody foresaw: one line, where the traceback is, and a status that no SLO has."""

from __future__ import annotations

import traceback
from typing import Any

from typer.core import TyperGroup

from harness.commands.support import project
from harness.errors import EXIT_STEP_FAILED, UserError
from harness.private import make_folder
from harness.progress import Ui


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
    """Say what happened in one line, keep the traceback in a file, and return the exit status.

    Args:
        error: What nobody handled.
        ui: Where to say it.
    """
    cause = error.__cause__ if isinstance(error, UnforeseenError) and error.__cause__ else error
    what = " ".join(str(cause).split())
    ui.error(f"{type(cause).__name__}: {what}" if what else type(cause).__name__, _kept(cause))
    return EXIT_STEP_FAILED


def _kept(error: BaseException) -> str:
    """Write the traceback down, and say where; it may hold what is nobody else's business."""
    try:
        path = project() / ".dyno" / "traceback.txt"
        make_folder(path.parent)
        path.touch(mode=0o600)
        path.write_text("".join(traceback.format_exception(error)))
    except (OSError, UserError):
        return ""
    return f"nobody foresaw this; please report it with {path}"
