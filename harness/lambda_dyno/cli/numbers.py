"""Numbers of the command line, as people write them: digits, a point, no tricks of Python's."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import typer
from typer.models import ParameterInfo

from lambda_dyno.core.errors import brief

# Python takes 1_28 and digits of every script for numbers, and "nan" and "inf".
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_REAL = re.compile(r"[+-]?([0-9]{1,18}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def whole(text: str) -> int:
    """Return a whole number.

    Raises:
        ValueError: The text is none.
    """
    if not _WHOLE.fullmatch(text.strip()):
        raise ValueError(f"{brief(text)} is not a whole number")
    return int(text)


def real(text: str) -> float:
    """Return a number.

    Raises:
        ValueError: The text is none.
    """
    if not _REAL.fullmatch(text.strip()) or not math.isfinite(float(text)):
        raise ValueError(f"{brief(text)} is not a number")
    return float(text)


def strict_numbers(app: typer.Typer) -> None:
    """Let all numbers of an app's commands be read by `whole` and `real`.

    Args:
        app: An app whose commands are all there.
    """
    for command in app.registered_commands:
        assert command.callback is not None
        hints = get_type_hints(command.callback, include_extras=True)
        command.callback.__annotations__ = hints  # of a text, typer would make them anew
        for hint in hints.values():
            kind, *infos = get_args(hint) or (hint,)
            read = _reader(kind)
            for info in infos:
                if read is not None and isinstance(info, ParameterInfo):
                    info.parser = _within(read, info.min, info.max)


def _reader(kind: Any) -> Callable[[str], float] | None:
    kinds = set(get_args(kind) or (kind,)) - {type(None)}
    if kinds == {int}:
        return whole
    return real if kinds == {float} else None


def _within(
    read: Callable[[str], float], least: float | None, most: float | None
) -> Callable[[Any], Any]:
    """Return a reader that holds to an option's limits; what is a number already is a default."""

    def parse(given: Any) -> Any:
        value = read(given) if isinstance(given, str) else given
        if least is not None and value < least:
            raise ValueError(f"{value:g} is not allowed: at least {least:g}")
        if most is not None and value > most:
            raise ValueError(f"{value:g} is not allowed: at most {most:g}")
        return value

    return parse
