"""What of this machine the product uses: programs, and what is fetched for it once.

`findings` fetches nothing, makes nothing and asks nothing of the network.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from lambda_dyno import __version__
from lambda_dyno.core import assets
from lambda_dyno.core.errors import UserError
from lambda_dyno.deploy.findings import Finding
from lambda_dyno.emulator import installation
from lambda_dyno.load import drivers
from lambda_dyno.terraform import program as programs
from lambda_dyno.terraform import provider, toolchain
from lambda_dyno.terraform.program import Program

_TERRAFORM = (
    "https://developer.hashicorp.com/terraform/install, or OpenTofu: "
    "https://opentofu.org/docs/intro/install/"
)


def findings(project: Path, environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Yield what is there.

    Args:
        project: Folder whose `.cache` keeps downloads in a clone.
        environ: The user's environment.
    """
    yield _package()
    yield Finding("Python", "ok", f"{platform.python_version()}, {sys.executable}")
    yield from _load_driver()
    yield from _terraform(project, environ)
    yield _embedded()
    yield _git()


def fetch(project: Path) -> None:
    """Fetch what is fetched once, unless it is there: Terraform, load driver, embedded AWS.

    Args:
        project: Folder whose `.cache` keeps downloads in a clone.

    Raises:
        UserError: Something cannot be had.
    """
    toolchain.prepare(project / ".cache")
    drivers.DRIVER.check()
    installation.make()


def _package() -> Finding:
    clone = assets.checkout()
    return Finding(
        "Lambda Dyno", "ok", f"{__version__}, {f'a clone, {clone}' if clone else 'installed'}"
    )


def _load_driver() -> Iterator[Finding]:
    """Yield what smoke tests and load tests need."""
    only = "smoke tests and load tests need it, and dyno tune --function does not"
    for need in drivers.DRIVER.needs():
        if need.is_there:
            yield Finding(need.name, "ok", need.text)
        else:
            yield Finding(need.name, "missing", f"{need.text.rstrip('.')}; {only}", need.fix)


def _terraform(project: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    name = "Terraform"
    try:
        downloads = toolchain.downloads(project / ".cache", environ)
        there, unfit = programs.look(downloads, environ)
    except UserError as error:
        yield Finding(name, "missing", str(error))
        return
    if there is not None:
        yield Finding(name, "ok", f"{there}, {there.path}")
    elif programs.can_be_fetched():
        text = f"{programs.PINNED}, downloaded before the first run{unfit}; its SHA-256 is checked"
        yield Finding(name, "ok", text)
    else:
        text = f"none on PATH{unfit}, and no release is pinned for {programs.platform_name()}"
        yield Finding(name, "missing", text, _TERRAFORM)
    yield _provider(downloads, there, environ)


def _provider(downloads: Path, there: Program | None, environ: Mapping[str, str]) -> Finding:
    """Return where the AWS provider comes from."""
    name = "AWS provider"
    program = there or Program(Path("terraform"), (0, 0, 0))
    try:
        mirror = toolchain.find_mirror(environ, program)
    except UserError as error:
        return Finding(name, "missing", str(error))
    for folder, where in ((mirror, "mirror"), (downloads / "terraform-plugins", "cache")):
        found = folder and _versions(folder / program.registry / "hashicorp" / "aws")
        if found:
            return Finding(name, "ok", f"{', '.join(found)}, {where} {folder}")
    text = f"{provider.RANGE} is downloaded before the first run, some 150 MB, 700 MB unpacked"
    return Finding(name, "ok", text)


def _versions(folder: Path) -> list[str]:
    """Return the versions of a provider in a mirror or a cache, whose folders are named so."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return []
    return sorted({found[0] for name in names if (found := re.search(r"\d+\.\d+\.\d+", name))})


def _embedded() -> Finding:
    name = "Embedded AWS"
    try:
        there = installation.is_there()
        folder = installation.environments_folder()
    except UserError as error:
        return Finding(name, "missing", str(error))
    text = f"in {folder}" if there else "its Python packages are fetched before its first start"
    return Finding(name, "ok", text)


def _git() -> Finding:
    git = shutil.which("git")
    if git is not None:
        return Finding("git", "ok", git)
    only = "not on PATH: evidence names no commit, and --baseline, apply and comment do not work"
    return Finding("git", "optional", only, "https://git-scm.com/downloads")
