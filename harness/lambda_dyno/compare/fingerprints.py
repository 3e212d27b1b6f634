"""What a run's measurements were made of, as hashes: is a former one still true?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from lambda_dyno.core.config import SETTINGS_FILE, Env
from lambda_dyno.load import collection_files
from lambda_dyno.terraform.packages import Package

PAYLOAD = "the payload"
WORKLOAD = "the workload"
_TESTS = ("postman/", "the smoke test's", "the load test's")
_SKIPPED = (".terraform", "__pycache__")


def of(env: Env, sources: Path, project: Path, packages: Mapping[str, Package]) -> dict[str, str]:
    """Return a hash for each thing that measurements depend on, by what people call it.

    Settings are not among them: a resumed run has its own.

    Args:
        env: The environment.
        sources: Folder whose envs/ and modules/ are deployed.
        project: Folder that holds `postman/`.
        packages: What is deployed.
    """
    folders = [env.root, *env.settings.environment.folders]
    return {
        **{f"lambda/{name}": package.sha256_base64 for name, package in packages.items()},
        **{folder: _hash_of_files(sources / folder) for folder in folders},
        **{
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in _tests(env, project)
        },
        **_of_payload(env, project),
    }


def _of_payload(env: Env, project: Path) -> dict[str, str]:
    """Return a hash of what the function is tuned with: a payload, or what makes the workload."""
    if env.settings.tuning.has_payload:
        payload = json.dumps(env.tuning_payload(), sort_keys=True).encode()
        return {PAYLOAD: hashlib.sha256(payload).hexdigest()}
    digest = hashlib.sha256()
    asked = collection_files.of_settings(project, env, "load")
    for path in [env.workload_file] if env.workload_file else asked.paths().values():
        digest.update(path.read_bytes() if path.is_file() else b"")
    for scenario in () if env.workload_file else asked.scenarios:
        digest.update(f"\0{scenario.name}\0{scenario.folder}\0{scenario.weight}".encode())
    return {WORKLOAD: digest.hexdigest()}


def changed(step: str, before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return what a measurement depends on that is not as it was.

    Args:
        step: "tune" or "load".
        before: What it was made of.
        now: What it would be made of now.
    """
    return sorted(
        name
        for name in before.keys() | now.keys()
        if before.get(name) != now.get(name) and _matters(name, step)
    )


def _matters(name: str, step: str) -> bool:
    if step == "tune":
        return not name.startswith(_TESTS)
    return name not in (PAYLOAD, WORKLOAD) and (
        not name.startswith(_TESTS) or " load" in name or "/load." in name
    )


def _tests(env: Env, project: Path) -> Iterable[tuple[str, Path]]:
    """Yield the files of the smoke and the load test, by what people call them."""
    for step in collection_files.STEPS:
        for name, path in collection_files.of_settings(project, env, step).paths().items():
            if path.is_file():
                beside = path.parent == project / "postman"
                yield f"postman/{path.name}" if beside else f"the {step} test's {name}", path


def _hash_of_files(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(folder: Path) -> Iterable[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.name != SETTINGS_FILE
        and ".tfstate" not in path.name
        and not any(part.startswith(_SKIPPED) for part in path.relative_to(folder).parts)
    )
