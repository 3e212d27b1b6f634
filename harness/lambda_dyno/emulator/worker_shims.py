"""Puts the meter into workers whose functions set the variables that would load it.

A function's own PYTHONPATH and NODE_OPTIONS take the place of the server's. So its workers are
started through two small scripts, which add the meter to what the function has, and run the real
Python and Node.js.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import lambda_emulator
from lambda_dyno.core.files import named

METER_PATH = Path(lambda_emulator.__file__).parent / "meter_path"
NODE_METER = METER_PATH / "node" / "meter.js"

_NODE = """#!/bin/sh
# Runs Node.js with the Lambda meter if it is a Lambda worker; see emulator/worker_shims.py
case "$1" in
*/_worker.js)
  case "$NODE_OPTIONS" in
  *"$DYNO_NODE_METER"*) ;;
  *)
    NODE_OPTIONS="${NODE_OPTIONS:+$NODE_OPTIONS }--require \\"$DYNO_NODE_METER\\""
    export NODE_OPTIONS
    ;;
  esac
  ;;
esac
exec "$DYNO_NODE" "$@"
"""

_PYTHON = """#!/bin/sh
# Runs Python with the Lambda meter if it is a Lambda worker; see emulator/worker_shims.py
case "$1" in
*/_worker.py)
  case ":$PYTHONPATH:" in
  *":$DYNO_METER_PATH:"*) ;;
  *)
    PYTHONPATH="$DYNO_METER_PATH${PYTHONPATH:+:$PYTHONPATH}"
    export PYTHONPATH
    ;;
  esac
  ;;
esac
exec "$DYNO_PYTHON" "$@"
"""


def node_environment(home: Path) -> dict[str, str]:
    """Return the variables with which the server's workers find Node.js and its meter.

    The embedded AWS starts `node` as it finds it on PATH, so a folder of its own comes first
    there. NODE_OPTIONS are for functions with a PATH of their own. Empty if there is no Node.js:
    functions in it fail then, and say so.
    """
    node = shutil.which("node")
    if node is None:
        return {}
    shim = _write(home, "node", _NODE)
    path = os.environ.get("PATH", os.defpath)
    return {
        "PATH": f"{shim.parent}{os.pathsep}{path}",
        "DYNO_NODE": node,
        "DYNO_NODE_METER": str(NODE_METER),
        "NODE_OPTIONS": f'--require "{NODE_METER}"',
    }


def python_environment(home: Path) -> dict[str, str]:
    """Return the variables with which the server's Python workers get the meter.

    The embedded AWS starts them with its own `sys.executable`; the meter's `sitecustomize` sets
    that to DYNO_PYTHON_SHIM as the server starts.
    """
    return {
        "PYTHONPATH": str(METER_PATH),
        "DYNO_METER_PATH": str(METER_PATH),
        "DYNO_PYTHON": sys.executable,
        "DYNO_PYTHON_SHIM": str(_write(home, "python", _PYTHON)),
    }


def _write(home: Path, name: str, script: str) -> Path:
    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    shim = folder / name
    with named(shim):
        shim.write_text(script)
    shim.chmod(0o755)
    return shim
