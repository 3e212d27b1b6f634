"""What is wrong in test_bad_inputs.py: values, files and variables, by kind, and where to put them.

A case is made from two tables, such as each key of dyno.toml with each wrong value of its type.
"""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from unittest import mock

from pydantic import BaseModel
from typer.main import get_command

from lambda_dyno.cli import app
from lambda_dyno.core.config import Settings
from lambda_dyno.runs import orphans, run_folder
from lambda_dyno.runs.run_folder import LeaseState, RunFolder
from tests.support import report_samples as samples

_COMMANDS = get_command(app.app)  # made once: that takes longer than most commands

# --- a project --------------------------------------------------------------------------------


def write_project(folder: Path, root: str, state: LeaseState, *, kept: bool = False) -> RunFolder:
    """Write a small project with the environments local and dev, and a finished run of dev.

    Args:
        folder: Where.
        root: What both environments are made of.
        state: Of the run's environment.
        kept: Whether that was kept.
    """
    for env, text in (("local", "[environment]\nemulated = true\n"), ("dev", "")):
        (folder / "envs" / env).mkdir(parents=True)
        (folder / "envs" / env / "main.tf").write_text(root)
        (folder / "envs" / env / "dyno.toml").write_text(text)
    run = run_folder.create(folder / "runs", "dev", "dyno", timedelta(hours=1))
    run.update_lease(state=state, kept=kept, settings=Settings().model_dump())
    outputs = {"api_url": "https://x.execute-api.us-east-2.amazonaws.com/v1", "memory_mb": 128}
    result = replace(samples.run(env="dev", outputs=outputs), run_id=run.run_id)
    run.result.write_text(json.dumps(result.to_json()))
    return run


# --- running a command ------------------------------------------------------------------------


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it said on standard error, but for notes of what went well."""
        return [line for line in self.err.splitlines() if not line.startswith("… ")]


def dyno(folder: Path, *arguments: str, **environ: str) -> Ended:
    """Run a command in this process, without credentials and without a terminal.

    What others' killed programs left on this machine is none of its business.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    variables = {
        **kept,
        "HOME": str(folder),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **environ,
    }
    out, err = io.StringIO(), io.StringIO()
    here = Path.cwd()
    with (
        mock.patch.dict(os.environ, variables, clear=True),
        mock.patch.object(sys, "argv", ["dyno", *arguments]),
        mock.patch.object(sys, "stdout", out),
        mock.patch.object(sys, "stderr", err),
        mock.patch.object(app, "app", _COMMANDS),
        mock.patch.object(orphans, "find", return_value=orphans.Orphans((), ())),
    ):
        os.chdir(folder)
        try:
            app.main()
            status: Any = 0
        except SystemExit as end:
            status = end.code
        finally:
            os.chdir(here)
    return Ended(int(status or 0), out.getvalue(), err.getvalue())


def tree(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return what is in a folder: mode, size and time by path; caches and locks are left out."""
    found: dict[str, tuple[int, int, int]] = {}
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.name in ("lock", ".cache"):
                    continue
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    pending.append(entry.path)
                    found[entry.path] = (status.st_mode, 0, 0)
                else:
                    found[entry.path] = (status.st_mode, status.st_size, status.st_mtime_ns)
    return found


# --- settings ---------------------------------------------------------------------------------

_NO_NUMBER = ('"1"', "true", "[]", "{}", "nan", "inf", "-inf", "1979-05-27", "9" * 5000)
WRONG: Mapping[str, tuple[str, ...]] = {
    "int": (*_NO_NUMBER, "-1", "1.5", "1e300", "9223372036854775808", "-9223372036854775809"),
    "float": (*_NO_NUMBER, "-0.5", "1e300", "-1e300", "9223372036854775808", "1e-300"),
    "str": (
        *("1", "true", "[]", "{}", "nan", "1979-05-27"),
        *(r'"\u0000"', r'"a\nb"', r'"\u001b[31m"', r'"\u202e"', f'"{"x" * 3000}"'),
    ),
    "bool": ("1", "0", '"true"', "[]", "nan", "1979-05-27"),
    "word": ('"nope"', r'"a\nb"', "1", "true", "[]", "nan", f'"{"x" * 3000}"'),
    "list": (
        "1",
        '"x"',
        "true",
        "{}",
        "nan",
        "1979-05-27",
        "[nan]",
        "[[]]",
        "[{}]",
        "[1979-05-27]",
    ),
    "table": (
        *("1", '"x"', "true", "[]", "[{}]", "nan", "1979-05-27"),
        *('{ "a b" = "x" }', "{ t = nan }", '{ "" = "x" }'),
        *('{ "a b" = "env:X" }', '{ t = "hunter22" }', "{ t = 5 }", '{ t = "env:GITHUB_TOKEN" }'),
        *('{ t = "env:AWS_SECRET_ACCESS_KEY" }', "{ t = { nope = 1 } }", '{ t = "env:" }'),
    ),
    "json": (
        "nan",
        "inf",
        "[1.0, -inf]",
        "1979-05-27",
        "{ a = { b = 07:32:00 } }",
        f"[{'9' * 5000}]",
    ),
}
# What looks wrong by its type and is right for the key.
ALLOWED = {
    *((key, "1e-300") for key in ("ramp_up_s", "warm_up_s", "balanced_weight", "error_ratio")),
    *((key, "1e-300") for key in ("discard_top_bottom", "distance_from_best", "confidence")),
    *((key, "1e-300") for key in ("invocations_per_month", "discount")),
    ("stages", "[{}]"),  # two mistakes, and a line for each
    # the same
    *(("oauth2", value) for value in ("{ t = { nope = 1 } }", '{ "a b" = "env:X" }')),
    *(
        (key, value)
        for key in ("oauth2", "secrets")
        for value in ('{ "a b" = "x" }', '{ "" = "x" }')
    ),
    ("folders", "[]"),
}


def setting_keys(
    model: type[BaseModel] = Settings, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Yield the path of each key of dyno.toml."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from setting_keys(kind, (*path, name))
        else:
            yield (*path, name)


def kind_of(path: tuple[str, ...]) -> str:
    """Return which of the kinds in `WRONG` a key is of."""
    model: Any = Settings
    for name in path[:-1]:
        model = model.model_fields[name].annotation
    annotation = model.model_fields[path[-1]].annotation
    if annotation is Any:
        return "json"
    if get_origin(annotation) in (list, dict):
        return "list" if get_origin(annotation) is list else "table"
    if get_origin(annotation) is Literal:
        return "word"
    kinds = set(get_args(annotation) or (annotation,)) - {type(None)}
    (kind,) = (kind for kind in kinds if get_origin(kind) is not Literal)  # or one word
    return str(getattr(kind, "__origin__", kind).__name__)


def settings_cases() -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each key with each value that it must not have, as TOML."""
    for path in setting_keys():
        for value in WRONG[kind_of(path)]:
            if (path[-1], value) not in ALLOWED:
                yield path, value


# --- files ------------------------------------------------------------------------------------

DEEP = 100_000


def _write(content: bytes) -> Callable[[Path], None]:
    return lambda path: _void(path.write_bytes(content))


def _void(_: object) -> None:
    """Nothing is to be returned."""


def _endless(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(70_000_000)  # sparse: takes no room


Made = Callable[[Path], None]
# Each takes the place of a file.
NO_FILE: Mapping[str, Made] = {
    "folder": lambda path: path.mkdir(),
    "pipe": lambda path: os.mkfifo(path),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "endless": _endless,
}
NO_TEXT: Mapping[str, Made] = {
    "not UTF-8": _write(b'{"a": "\xff\xfe"}'),
    "binary": _write(bytes(range(256))),
    "UTF-16 without a mark": _write('{"a": "é"}'.encode("utf-16-le")),
}
NO_JSON: Mapping[str, Made] = {
    "empty": _write(b""),
    "cut off": _write(b'{"a": '),
    "two values": _write(b"{} {}"),
    "comment": _write(b"// {}\n{}"),
    "NaN": _write(b'{"a": NaN}'),
    "Infinity": _write(b'{"a": -Infinity}'),
    "too large": _write(b'{"a": 1e999}'),
    "digits": _write(b'{"a": ' + b"9" * 5000 + b"}"),
    "hundreds of digits": _write(b'{"a": ' + b"9" * 400 + b"}"),
    "deep lists": _write(b"[" * DEEP),
    "deep lists, closed": _write(b"[" * 5000 + b"]" * 5000),
    "300 levels": _write(b'{"a":' * 300 + b"1" + b"}" * 300),
    "deep objects": _write(b'{"a":' * DEEP),
    "half a character": _write(rb'{"a": "\ud800"}'),
    "half a key": _write(rb'{"\udc00": 1}'),
    "NUL": _write(b'{"a": "\0"}'),
}
NO_OBJECT: Mapping[str, Made] = {
    "null": _write(b"null"),
    "list": _write(b"[]"),
    "text": _write(b'"x"'),
    "number": _write(b"5"),
    "true": _write(b"true"),
}
NO_TOML: Mapping[str, Made] = {
    "cut off": _write(b"[load"),
    "twice": _write(b"[load]\n[load]\n"),
    "deep": _write(b"a = " + b"[" * DEEP),
    "deep, closed": _write(b"[tuning]\npayload = " + b"[" * 400 + b"]" * 400),
    "digits": _write(b"a = " + b"9" * 5000),
    "NUL": _write(b"a = '\0'"),
    "JSON": _write(b'{"load": {}}'),
    "unknown": _write(b"[nope]\n"),
    "no table": _write(b"load = 5\n"),
}
JSON_FILE = NO_FILE | NO_TEXT | NO_JSON
JSON_OBJECT = JSON_FILE | NO_OBJECT
TEXT_FILE = NO_FILE | NO_TEXT
TOML_FILE = NO_FILE | NO_TEXT | NO_TOML

# --- values of JSON objects -------------------------------------------------------------------

VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    5,
    1e300,
    10**300,
    "x",
    "\0",
    "a\nb",
    "\u001b[2J",
    "../x",
)
CONTAINERS: tuple[Any, ...] = ([], {}, [[]], [None], {"": None}, {"number": "x"}, [{}])


def wrong_type(value: Any, right: Any) -> bool:
    """Whether a value is of another JSON type than the right one."""

    def kind(of: Any) -> type:
        return float if isinstance(of, int | float) and not isinstance(of, bool) else type(of)

    return kind(value) is not kind(right)


# --- the environment --------------------------------------------------------------------------

NO_ADDRESS = (
    *("not a url", "https://[", "http://127.0.0.1:abc", "http://127.0.0.1:99999", "ftp://x"),
    *(
        "http://",
        "//x",
        "http://a b",
        "http://x\ny",
        "file:///etc/passwd",
        "127.0.0.1:80",
        "x" * 5000,
    ),
)
NO_REGION = ("eu west", "mars", "us-east-1\n", "EU-WEST-1", "../x", "us-east-1a", "x" * 5000)
NO_REPOSITORY = ("../x", "x", "a/b/c", "a/..", "/", "a b/c", "a/b\n", "-a/b", "x" * 5000, "ü/x")


@contextmanager
def in_place_of(path: Path, make: Made) -> Iterator[None]:
    """Put something in the place of a file, and the file back afterwards."""
    aside = path.with_name(f"aside.{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    was_there = os.path.lexists(path)
    if was_there:
        path.rename(aside)
    make(path)
    try:
        yield
    finally:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        if was_there:
            aside.rename(path)


def as_json(path: Path) -> Any:
    """Return the content of a file."""
    return json.loads(path.read_text())
