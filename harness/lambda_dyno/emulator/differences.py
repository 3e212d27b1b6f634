"""What of a function is not here as it is on AWS, by its configuration.

For those who tune it: docs/local-lambda.md lists all differences, these are the ones that it meets.
"""

from __future__ import annotations

import functools
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lambda_emulator
from lambda_dyno.emulator import installation, interpreters, node_packages
from lambda_dyno.runs import process
from lambda_emulator.sandbox import runtimes

_DEADLINE_S = 20.0
_WITH_BLAS = re.compile(r"numpy|scipy|pandas|scikit|sklearn", re.IGNORECASE)  # in names of layers
_PROBE = """
import sys
sys.path.append(sys.argv[1])
from lambda_emulator.sandbox import namespaces
namespaces.probe(sys.argv[2])
"""


def of(config: Mapping[str, Any]) -> list[str]:
    """Return the differences that a function meets, a sentence each.

    Args:
        config: As GetFunctionConfiguration answers.
    """
    return [
        *_runtime(str(config.get("Runtime") or "")),
        *_packaging(config),
        *_surroundings(config),
    ]


def _runtime(runtime: str) -> list[str]:
    version = runtimes.version_of(runtime)
    if not version:
        if not runtime:
            return []
        return [f"{runtime} is not metered here: its durations are this machine's"]
    in_python = runtime.startswith("python")
    installed = interpreters.pythons(Path(sys.executable)) if in_python else interpreters.nodes()
    used = runtimes.choose(version, installed) if installed else version
    if used == version:
        return []
    name = "Python" if in_python else "Node.js"
    return [f"{name} {version} is not installed here: {name} {used} was measured in its place"]


def _packaging(config: Mapping[str, Any]) -> list[str]:
    found = []
    if config.get("PackageType") == "Image":
        found.append("a container image is not metered here")
    names = [str(layer.get("Arn", "")) for layer in config.get("Layers") or ()]
    extensions = [name.split(":")[6] for name in names if re.search(r"[Ee]xtension|Insights", name)]
    if extensions:
        found.append(
            f"extensions do not run here, so their CPU time and memory are missing: {extensions[0]}"
        )
    if any(_WITH_BLAS.search(name) for name in names):
        found.append(
            "OpenBLAS has one thread here: above 1769 MB its part takes as long as at 1769 MB"
        )
    node = str(config.get("Runtime") or "").startswith("nodejs")
    if node and not node_packages.folder(installation.environments_folder()):
        found.append("the AWS SDK of the Node.js runtime is missing: npm did not get it")
    return found


def _surroundings(config: Mapping[str, Any]) -> list[str]:
    found = []
    if not own_file_system():
        found.append(
            "this machine gives functions no file system of their own: /tmp is shared and has no "
            "limit, and nothing is at /var/task and /opt"
        )
    if config.get("FileSystemConfigs"):
        found.append("its file system (FileSystemConfigs) is not mounted here")
    if (config.get("SnapStart") or {}).get("ApplyOn") == "PublishedVersions":
        found.append("SnapStart: restores take no time here")
    if config.get("KMSKeyArn"):
        found.append("KMS: whether Lambda and its role may use the key is not checked here")
    return found


@functools.cache
def own_file_system() -> bool:
    """Tell whether the kernel gives functions a file system of their own."""
    package_root = str(Path(lambda_emulator.__file__).resolve().parents[1])
    try:
        done = process.run(
            [sys.executable, "-I", "-S", "-c", _PROBE, package_root, tempfile.gettempdir()],
            timeout_s=_DEADLINE_S,
        )
    except (OSError, process.DeadlineError):
        return False
    return done.returncode == 0
