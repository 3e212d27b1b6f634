"""Puts the meter into Node.js workers, also into those of functions with their own NODE_OPTIONS.

The embedded AWS starts `node` as it finds it on PATH. A folder of its own comes first there, with
a script that adds the meter to whatever NODE_OPTIONS the function has, and runs the real one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

METER = Path(__file__).parent / "meter_path" / "node" / "meter.js"

_SHIM = """#!/bin/sh
# Runs Node.js with the Lambda meter if it is a Lambda worker; see harness/local/node_shim.py
case "$1" in
*/_worker.js)
  NODE_OPTIONS="${NODE_OPTIONS:+$NODE_OPTIONS }--require \\"$DYNO_NODE_METER\\""
  export NODE_OPTIONS
  ;;
esac
exec "$DYNO_NODE" "$@"
"""


def node_environment(home: Path) -> dict[str, str]:
    """Return the variables with which the server's workers find Node.js and its meter.

    Empty if there is no Node.js: functions in it fail then, and say so.
    """
    node = shutil.which("node")
    if node is None:
        return {}
    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    shim = folder / "node"
    shim.write_text(_SHIM)
    shim.chmod(0o755)
    path = os.environ.get("PATH", os.defpath)
    return {
        "PATH": f"{folder}{os.pathsep}{path}",
        "DYNO_NODE": node,
        "DYNO_NODE_METER": str(METER),
    }
