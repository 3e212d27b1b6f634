"""The program that the embedded AWS starts its Lambda workers by, made for one server.

A script with whole paths in it: a function's own variables (PATH, PYTHONPATH, NODE_OPTIONS) lead
nowhere else. What it runs is `lambda_emulator.sandbox`.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import lambda_emulator
from lambda_dyno.core.files import named
from lambda_dyno.emulator import installation, interpreters, node_packages

_EMULATOR = Path(lambda_emulator.__file__).resolve().parent
METER_PATH = _EMULATOR / "meter_path"


def environment(home: Path, python: Path, port: int) -> dict[str, str]:
    """Make the program; return the variable by which the server knows it.

    Args:
        home: Of the server.
        python: What runs the server, and the sandboxes.
        port: Of the server.
    """
    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    program, orders = folder / "sandbox", folder / "sandbox.json"
    version = next(iter(pythons := interpreters.pythons(python)))
    tools = {
        "settings": str(home / "meter.json"),
        "port": port,
        "meter": str(METER_PATH),
        "packages": str(python.parents[1] / "lib" / f"python{version}" / "site-packages"),
        "node_modules": node_packages.folder(installation.environments_folder()),
        "pythons": pythons,
        "nodes": interpreters.nodes(),
    }
    command = [str(python), "-I", "-S", str(_EMULATOR / "sandbox"), str(orders)]
    with named(program):
        orders.write_text(json.dumps(tools, indent=2) + "\n", encoding="utf-8")
        program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return {"DYNO_SANDBOX": str(program)}
