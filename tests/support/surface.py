"""What users build upon, read from the present code: `python -m tests.support.surface` writes it.

tests/data/surface.json is the former release's; tests/contract/test_surface.py holds the two
together. It is written anew with a release, never to make that test pass.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from typer.main import get_command

import lambda_dyno
from lambda_dyno.cli.app import app
from lambda_dyno.core import errors
from lambda_dyno.core.config import Settings
from tests.support import bad_inputs as bad

PROJECT = Path(__file__).parents[2]
RECORDED = PROJECT / "tests" / "data" / "surface.json"
SCHEMA = Path(lambda_dyno.__file__).parent / "schemas" / "result.schema.json"

Surface = dict[str, Any]


def present() -> Surface:
    """Return the surface by kind; each value is by name, so that a loss is one missing name."""
    return {
        "commands": dict(_commands(get_command(app))),
        "settings": {".".join(path): _setting(path) for path in bad.setting_keys()},
        "exit_statuses": {
            name: value for name, value in vars(errors).items() if name.startswith("EXIT_")
        },
        "json": _json_shapes(),
        "result": dict.fromkeys(sorted(_properties(json.loads(SCHEMA.read_text()))), True),
        "make": _make(),
    }


def _commands(command: Any, name: str = "dyno") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each command's options and arguments; a flag's other spellings are options, too."""
    parameters = {}
    for parameter in command.params:
        is_option = parameter.param_type_name == "option"
        spellings = [*parameter.opts, *parameter.secondary_opts] if is_option else [parameter.name]
        for spelling in spellings:
            parameters[spelling] = {
                "kind": parameter.param_type_name,
                "default": _plain(parameter.default),
                "required": parameter.required,
                "takes_value": not getattr(parameter, "is_flag", False),
                "repeated": bool(getattr(parameter, "multiple", False) or parameter.nargs != 1),
            }
    yield name, parameters
    for below, made in getattr(command, "commands", {}).items():
        yield from _commands(made, f"{name} {below}")


def _plain(default: Any) -> Any:
    return str(default) if isinstance(default, Path) else default


def _setting(path: tuple[str, ...]) -> dict[str, Any]:
    model: Any = Settings
    for name in path[:-1]:
        model = model.model_fields[name].annotation
    field = model.model_fields[path[-1]]
    kind = bad.kind_of(path)
    default = field.get_default(call_default_factory=True)
    setting = {"kind": kind, "default": default}
    return setting | {"words": sorted(get_args(field.annotation))} if kind == "word" else setting


def _json_shapes() -> dict[str, list[str]]:
    """Return the top keys of what `--json` prints, of a list's first row, by command.

    Commands that print a part of result.json, or need an account, are not here.
    """
    folder = Path(tempfile.mkdtemp())
    root = 'variable "name_prefix" {}\nvariable "memory_mb" {}\noutput "function_arn" {}\n'
    run = bad.write_project(folder, root, "up", kept=True)
    broken = folder / "runs" / "261129-1200-bbbb"
    shutil.copytree(run.path, broken)
    (broken / "lease.json").write_text("{")
    commands = (
        ("ls",),
        ("sweep", "--dry-run"),
        ("comment", run.run_id, "--dry-run"),
        ("apply", run.run_id),
        ("rollback",),
        ("local", "status"),
        ("local", "stop"),
        ("local", "model", "--cpu-ms", "17", "--memory-mb", "128"),
    )
    shapes = {}
    for command in commands:
        printed = json.loads(bad.dyno(folder, *command, "--json").out)
        row = printed[0] if isinstance(printed, list) else printed
        shapes[command[0] if command[0] != "local" else " ".join(command[:2])] = sorted(row)
    shutil.rmtree(folder)
    return shapes


def _properties(schema: Any, path: str = "") -> Iterator[str]:
    """Yield the path of each property in a JSON Schema, definitions by their name."""
    if isinstance(schema, list):
        for part in schema:
            yield from _properties(part, path)
    elif isinstance(schema, dict):
        for name, below in schema.items():
            if name in ("properties", "$defs") and isinstance(below, dict):
                for key, value in below.items():
                    here = f"{path}.{key}".lstrip(".")
                    yield here
                    yield from _properties(value, here)
            else:
                yield from _properties(below, path)


def _make() -> dict[str, bool]:
    text = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+(?: [a-z-]+)*):.*## ", text, re.M)
    variables = re.findall(r"^([A-Z]+) \?=", text, re.M)
    return dict.fromkeys(sorted({*" ".join(targets).split(), *variables}), True)


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(present(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    sys.stdout.write(f"{RECORDED.relative_to(PROJECT)} is written\n")
