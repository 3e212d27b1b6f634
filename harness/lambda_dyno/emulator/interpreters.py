"""Which versions of Python and Node.js are installed here, for functions that declare one.

By their names, if these tell; else they are asked. Version managers (pyenv, uv, nvm, fnm, asdf,
mise, the tool cache of GitHub's runners) keep each version in a folder of its own; what they put on
PATH are programs that only find out which version is meant.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from lambda_dyno.runs import process

_DEADLINE_S = 10.0
_PYTHONS = (
    ".pyenv/versions/*/bin/python3.*",
    ".local/share/uv/python/*/bin/python3.*",
    ".asdf/installs/python/*/bin/python3.*",
    ".local/share/mise/installs/python/*/bin/python3.*",
)
_NODES = (
    ".nvm/versions/node/*/bin/node",
    ".local/share/fnm/node-versions/*/installation/bin/node",
    ".asdf/installs/nodejs/*/bin/node",
    ".local/share/mise/installs/node/*/bin/node",
    ".volta/tools/image/node/*/bin/node",
)
_TOOL_CACHE = "/opt/hostedtoolcache"
_OLDEST_MINOR = 10  # boto3 needs it
_PYTHON = re.compile(r"python(3\.\d+)")
_NODE_FOLDER = re.compile(r"(?:^|/)v?(\d+)\.\d+\.\d+(?:/|$)")
_NODE_VERSION = re.compile(r"#define NODE_MAJOR_VERSION (\d+)")


def pythons(own: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return programs by their versions, such as "3.13"; the embedded AWS's own first.

    Args:
        own: The Python that runs the embedded AWS.
        environ: Has PATH and HOME.
    """
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = {version: str(own.resolve())}
    for program in _candidates("python3.*", _PYTHONS, "Python/*/*/bin/python3.*", environ):
        name = _PYTHON.fullmatch(program.name)
        if name and int(name[1].partition(".")[2]) >= _OLDEST_MINOR:
            found.setdefault(name[1], str(program.resolve()))
    return found


def nodes(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return programs by their versions, such as "22", that on PATH first; there may be none."""
    found: dict[str, str] = {}
    for program in _candidates("node", _NODES, "node/*/*/bin/node", environ):
        version = _node_version(program.resolve())
        if version:
            found.setdefault(version, str(program.resolve()))
    return found


def _candidates(
    name: str, managed: tuple[str, ...], cached: str, environ: Mapping[str, str]
) -> list[Path]:
    """Return the programs on PATH and those of version managers, newest first."""
    folders = map(Path, environ.get("PATH", os.defpath).split(os.pathsep))
    found = [p for folder in folders if folder.name != "shims" for p in _glob(folder, name)]
    places = [(Path(environ["HOME"]), pattern) for pattern in managed if environ.get("HOME")]
    cache = environ.get("RUNNER_TOOL_CACHE") or _TOOL_CACHE
    for folder, pattern in (*places, (Path(cache), cached)):
        found += sorted(_glob(folder, pattern), key=_numbers, reverse=True)
    return [program for program in found if os.access(program, os.X_OK)]


def _glob(folder: Path, pattern: str) -> list[Path]:
    try:
        return list(folder.glob(pattern))
    except (OSError, ValueError):
        return []


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def _node_version(program: Path) -> str:
    """Return the major version of a Node.js: its folder's name has it, or else its header."""
    named = _NODE_FOLDER.search(str(program.parents[1]))
    if named:
        return named[1]
    try:
        header = (program.parents[1] / "include" / "node" / "node_version.h").read_text()
    except (OSError, UnicodeDecodeError):
        header = ""
    found = _NODE_VERSION.search(header)
    return found[1] if found else _asked(program)


def _asked(program: Path) -> str:
    try:
        said = process.run([str(program), "--version"], timeout_s=_DEADLINE_S).stdout
    except (OSError, process.DeadlineError):
        return ""
    found = re.match(r"v(\d+)\.", said)
    return found[1] if found else ""
