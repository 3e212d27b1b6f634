"""The errors that Lambda Dyno raises on purpose, and the exit status each one has."""

from __future__ import annotations

import os

EXIT_PASS = 0
EXIT_SLO_MISSED = 1
EXIT_USER_ERROR = 2
EXIT_STEP_FAILED = 3
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def brief(value: object, *, most: int = 80) -> str:
    """Return a value as a message may show it: on one line, short, and harmless to a terminal.

    Args:
        value: What somebody gave; a text is shown without quotes.
        most: Longest text, in characters.
    """
    text = str(value)
    shown = printable(text[: most + 1])
    return shown if len(text) <= most else f"{shown[: most - 3]}..."


def printable(text: str, besides: str = "") -> str:
    """Return a text whose characters all show, as Python would write the others.

    Args:
        text: The text.
        besides: Characters that stay as they are, such as the end of a line.
    """
    return "".join(c if c.isprintable() or c in besides else ascii(c)[1:-1] for c in text)


def told(error: OSError) -> str:
    """Return what the system refused, and where, on one line."""
    if not error.strerror:
        return brief(" ".join(str(error).split()) or type(error).__name__, most=300)
    if not isinstance(error.filename, str | bytes | os.PathLike):
        return error.strerror
    return f"{brief(os.fsdecode(error.filename), most=300)}: {error.strerror}"


class DynoError(Exception):
    """Base of all errors that are reported without a traceback.

    Attributes:
        exit_code: What the process exits with when nobody handles the error.
    """

    exit_code = EXIT_STEP_FAILED


class UserError(DynoError):
    """The user's mistake: bad input, a missing tool or credential. Nothing was changed yet.

    The message names what is wrong, where (file and key), and what is allowed.
    """

    exit_code = EXIT_USER_ERROR


class StepError(DynoError):
    """A step of a run failed.

    Attributes:
        step: Name of the step, such as "up" or "load".
        hint: What the user can do about it; empty if there is nothing to say.
    """

    def __init__(self, step: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.step = step
        self.hint = hint
