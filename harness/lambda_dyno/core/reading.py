"""Files that somebody else may have written: read within limits, or refused in one sentence.

Nothing here waits (a pipe without a writer), takes memory without bound, or hands on what the
rest of the harness cannot hold: JSON and TOML are read down to values that can be written again.
"""

from __future__ import annotations

import errno
import json
import math
import os
import stat
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.tuner_contract.values import decode

# A plan of 600 resources takes 5 MB, the result of a run at most 1 MB.
MOST_BYTES = 64_000_000
# Terraform's plans go to 20 levels; Python's own limit differs between its parts and releases.
MOST_LEVELS = 200
_DESCRIPTORS = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
_SHARED_INTEGER_BITS = 1024  # beyond, no other program's number holds it: a double ends there


class UnreadableError(UserError):
    """A file that cannot be read, or not as what it should be.

    Attributes:
        problem: What is wrong with it, without its name.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.problem = problem


class MissingError(UnreadableError):
    """There is no such file."""


def read_bytes(path: Path, *, most_bytes: int = MOST_BYTES, where: str = "") -> bytes:
    """Return the content of a regular file.

    Args:
        path: The file; a link to one is one.
        most_bytes: How long it may be.
        where: What it is called in messages; empty takes the path.

    Raises:
        MissingError: It is not there.
        UnreadableError: It is a folder, a pipe or a device, too long, or may not be read.
    """
    where = where or brief(path, most=300)
    # a descriptor that somebody gave us, as in `--payload <(jq ...)`: then a pipe is meant
    is_given = str(path).startswith(_DESCRIPTORS)
    try:
        # without waiting for the other end, should it be a pipe
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if is_given else os.O_NONBLOCK))
    except FileNotFoundError as error:
        if path.is_symlink():
            problem = "cannot be read: it is a link to nothing"
            raise UnreadableError(where, problem) from error
        raise MissingError(where, f"cannot be read: {error.strerror}") from error
    except OSError as error:
        raise UnreadableError(where, f"cannot be read: {error.strerror}") from error
    except ValueError as error:  # a NUL in it
        raise UnreadableError(where, "cannot be read: no file has such a name") from error
    mode = os.fstat(handle).st_mode
    if stat.S_ISDIR(mode):
        os.close(handle)
        raise UnreadableError(where, f"cannot be read: {os.strerror(errno.EISDIR)}")
    if not stat.S_ISREG(mode) and not (is_given and stat.S_ISFIFO(mode)):
        os.close(handle)
        raise UnreadableError(where, f"cannot be read: it is {_kind(mode)}, not a file")
    with os.fdopen(handle, "rb") as file:
        try:
            content = file.read(most_bytes + 1)
        except OSError as error:
            raise UnreadableError(where, f"cannot be read: {error.strerror}") from error
    if len(content) > most_bytes:
        raise UnreadableError(where, f"longer than {most_bytes:,} bytes")
    return content


def read_text(
    path: Path, *, most_bytes: int = MOST_BYTES, where: str = "", of_windows: bool = False
) -> str:
    """Return the content of a UTF-8 file, without a byte order mark.

    Args:
        path: The file.
        most_bytes: How long it may be.
        where: What it is called in messages; empty takes the path.
        of_windows: Whether it may be in UTF-16 too, with the mark that tells.

    Raises:
        MissingError: It is not there.
        UnreadableError: As `read_bytes`, or it is in another encoding.
    """
    content = read_bytes(path, most_bytes=most_bytes, where=where)
    try:
        return decode(content) if of_windows else content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(
            where or brief(path, most=300), f"not UTF-8: byte {error.start + 1} is none"
        ) from error


def read_json(path: Path, *, most_bytes: int = MOST_BYTES, where: str = "") -> Any:
    """Return the value in a JSON file.

    Raises:
        MissingError: It is not there.
        UnreadableError: As `read_text`, or it is not JSON.
    """
    text = read_text(path, most_bytes=most_bytes, where=where, of_windows=True)
    return parse_json(text, where or brief(path, most=300))


def read_object(path: Path, *, most_bytes: int = MOST_BYTES, where: str = "") -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        MissingError: It is not there.
        UnreadableError: As `read_json`, or it is another value.
    """
    content = read_json(path, most_bytes=most_bytes, where=where)
    if not isinstance(content, dict):
        raise UnreadableError(
            where or brief(path, most=300), f"must be a JSON object, not {brief(content)}"
        )
    return content


def parse_json(text: str | bytes, where: str) -> Any:
    """Return the value in a JSON text.

    Args:
        text: As text, or UTF-8.
        where: What it is called in messages.

    Raises:
        UnreadableError: It is not JSON, or holds what no other program could read (a number that
            is none, half a character, hundreds of levels).
    """
    if isinstance(text, str):
        text = text.removeprefix("\ufeff")  # a byte order mark of Windows
    return _checked(
        lambda: json.loads(text, parse_constant=_refuse, parse_float=_finite), "JSON", where
    )


def read_toml(path: Path, *, most_bytes: int = MOST_BYTES, where: str = "") -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        MissingError: It is not there.
        UnreadableError: As `read_text`, or it is not TOML.
    """
    text = read_text(path, most_bytes=most_bytes, where=where, of_windows=True)
    return parse_toml(text, where or brief(path, most=300))


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """Return the tables of a text that is TOML.

    Raises:
        UnreadableError: It is none.
    """
    # what TOML has and JSON has not, such as a date or `inf`, is a matter of the key
    content = _checked(lambda: tomllib.loads(text), "TOML", where, keep=True)
    assert isinstance(content, dict)
    return content


def problem_of_json(value: Any) -> str:
    """Return why a value cannot be written as JSON that any program reads; empty if it can."""
    for level, part in _parts(value):
        if level > MOST_LEVELS:
            return f"more than {MOST_LEVELS} levels deep"
        problem = _problem_of_part(part)
        if problem:
            return problem
    return ""


def _checked(parse: Callable[[], Any], language: str, where: str, *, keep: bool = False) -> Any:
    try:
        value = parse()
    except RecursionError as error:
        problem = f"not {language}: more than {MOST_LEVELS} levels deep"
        raise UnreadableError(where, problem) from error
    except ValueError as error:
        raise UnreadableError(where, f"not {language}: {_line(error)}") from error
    problem = _too_deep(value) if keep else problem_of_json(value)
    if problem:
        raise UnreadableError(where, f"not {language} that can be used: {problem}")
    return value


def _line(error: ValueError) -> str:
    """Return what a parser says, on one line; the interpreter's own limits in our words."""
    text = " ".join(str(error).split())
    if "set_int_max_str_digits" in text:
        return "a number of thousands of digits"
    return brief(text, most=200)


def _too_deep(value: Any) -> str:
    deepest = max(level for level, _ in _parts(value))
    return f"more than {MOST_LEVELS} levels deep" if deepest > MOST_LEVELS else ""


def _parts(value: Any) -> Iterator[tuple[int, Any]]:
    """Yield every part of a value with its level, down to the first level that is too deep."""
    waiting = [(1, value)]
    while waiting:
        level, part = waiting.pop()
        yield level, part
        if level > MOST_LEVELS:
            continue
        if isinstance(part, dict):
            waiting += [(level + 1, inner) for pair in part.items() for inner in pair]
        elif isinstance(part, list):
            waiting += [(level + 1, inner) for inner in part]


def _problem_of_part(part: Any) -> str:
    match part:
        case str():
            try:
                part.encode()
            except UnicodeEncodeError:
                return f"{brief(part)} has half a character (a lone surrogate)"
        case float() if not math.isfinite(part):
            return f"{part} is no number that JSON has"
        case int() if part.bit_length() > _SHARED_INTEGER_BITS:
            return "a number of hundreds of digits"
        case None | bool() | int() | float() | dict() | list():
            pass
        case _:
            return f"{brief(str(part))} is a {type(part).__name__}, which JSON has not: quote it"
    return ""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON value")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{brief(digits)} is too large a number")
    return value


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")


def read_argument(path: str, flag: str) -> Any:
    """Return what a JSON file has that the command line names; - is standard input.

    Raises:
        UserError: It cannot be read, or is not JSON.
    """
    where = f"{flag} {brief(path, most=300)}"
    if path != "-":
        return read_json(Path(path), where=where)
    try:
        text = decode(sys.stdin.buffer.read(MOST_BYTES))
    except (OSError, ValueError) as error:
        raise UserError(f"{where}: cannot be read: {error}") from error
    return parse_json(text, where)
