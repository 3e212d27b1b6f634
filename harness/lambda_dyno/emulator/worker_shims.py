"""Puts the meter into workers whose functions set the variables that would load it.

A function's own PYTHONPATH and NODE_OPTIONS take the place of the server's. So its workers are
started through two small scripts, which add the meter to what the function has, and run the real
Python and Node.js.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import lambda_emulator
from lambda_dyno.core.files import named

_EMULATOR = Path(lambda_emulator.__file__).parent
METER_PATH = _EMULATOR / "meter_path"
NODE_METER = METER_PATH / "node" / "meter.js"


def node_environment(home: Path) -> dict[str, str]:
    """Return the variables with which the server's workers find Node.js and its meter.

    The embedded AWS starts `node` as it finds it on PATH, so a folder of its own comes first
    there. NODE_OPTIONS are for functions with a PATH of their own. Empty if there is no Node.js:
    functions in it fail then, and say so.
    """
    node = shutil.which("node")
    if node is None:
        return {}
    shim = _copied(home, "node")
    path = os.environ.get("PATH", os.defpath)
    return {
        "PATH": f"{shim.parent}{os.pathsep}{path}",
        "DYNO_NODE": node,
        "DYNO_NODE_METER": str(NODE_METER),
        "NODE_OPTIONS": f'--require "{NODE_METER}"',
    }


def python_environment(home: Path, python: Path) -> dict[str, str]:
    """Return the variables with which the server's Python workers get the meter.

    The embedded AWS starts them with its own `sys.executable`; the meter's `sitecustomize` sets
    that to DYNO_PYTHON_SHIM as the server starts.

    Args:
        home: Of the server.
        python: What runs the server, and its workers.
    """
    return {
        "PYTHONPATH": str(METER_PATH),
        "DYNO_METER_PATH": str(METER_PATH),
        "DYNO_PYTHON": str(python),
        "DYNO_PYTHON_SHIM": str(_copied(home, "python")),
    }


def _copied(home: Path, name: str) -> Path:
    """Copy a script into a folder of its own, as a program, which a wheel's files may not be."""
    shim = home / "bin" / name
    shim.parent.mkdir(exist_ok=True)
    with named(shim):
        shutil.copyfile(_EMULATOR / "shims" / name, shim)
    shim.chmod(0o755)
    return shim
