"""Find Terraform or OpenTofu on this machine, or fetch Terraform once.

Order: what TERRAFORM names; `terraform` on PATH if its version fits; `tofu` on PATH if its version
fits; the Terraform that was fetched earlier; a download of the pinned release, whose SHA-256 must
be the one below.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.files import locked, write_atomically

VARIABLE = "TERRAFORM"
MIN = (1, 11)  # of both: S3 states with a lock file; OpenTofu has them from 1.10 on
BELOW = (2, 0)
PINNED = "1.11.4"
_RELEASES = "https://releases.hashicorp.com/terraform"

# From terraform_1.11.4_SHA256SUMS, which HashiCorp signs and publishes beside the release.
SHA256 = {
    "darwin_amd64": "a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b",
    "darwin_arm64": "867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18",
    "linux_amd64": "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
    "linux_arm64": "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
}

_WANTED = f"Terraform or OpenTofu {MIN[0]}.{MIN[1]} or newer, below {BELOW[0]}.{BELOW[1]}"
_SAYS = re.compile(r"(Terraform|OpenTofu) v(\d+)\.(\d+)\.(\d+)")
_REGISTRIES = {False: "registry.terraform.io", True: "registry.opentofu.org"}


@dataclass(frozen=True, slots=True)
class Program:
    """Terraform, or what takes its place.

    Attributes:
        path: Where it is.
        version: Its three numbers.
        is_opentofu: Whether it is OpenTofu.
    """

    path: Path
    version: tuple[int, int, int]
    is_opentofu: bool = False

    @property
    def fits(self) -> bool:
        """Whether its version will do."""
        return MIN <= self.version[:2] < BELOW

    @property
    def registry(self) -> str:
        """Host of the providers whose address names none, such as hashicorp/aws."""
        return _REGISTRIES[self.is_opentofu]

    def __str__(self) -> str:
        name = "OpenTofu" if self.is_opentofu else "Terraform"
        return f"{name} {'.'.join(map(str, self.version))}"


def find(downloads: Path, environ: Mapping[str, str] = os.environ) -> Program:
    """Return a program that fits, fetching the pinned release if need be.

    Args:
        downloads: Folder that keeps it.
        environ: The user's environment.

    Raises:
        UserError: TERRAFORM names none, or there is none and it cannot be fetched.
    """
    there, found = look(downloads, environ)
    if there is not None:
        return there
    target = _fetched(downloads)
    with locked(downloads / "terraform-fetch.lock"):
        if not target.exists():
            _fetch(target, found)
    return _pinned(target)


def look(downloads: Path, environ: Mapping[str, str] = os.environ) -> tuple[Program | None, str]:
    """Return what is there, without fetching anything.

    Args:
        downloads: As in `find`.
        environ: As in `find`.

    Returns:
        A program that fits, or None; and what was found that does not fit, in brackets.

    Raises:
        UserError: TERRAFORM names no program that fits.
    """
    path = environ.get("PATH", os.defpath)
    if named := environ.get(VARIABLE):
        return _named(named, path), ""
    unfit = []
    for name in ("terraform", "tofu"):
        on_path = shutil.which(name, path=path)
        if on_path is None:
            continue
        program = ask(Path(on_path))
        if program is not None and program.fits:
            return program, ""
        unfit.append(f"{on_path} is {program or 'unusable'}")
    target = _fetched(downloads)
    found = f" ({', '.join(unfit)})" if unfit else ""
    return _pinned(target) if target.exists() else None, found


def ask(path: Path) -> Program | None:
    """Return what a program says of itself; None if it does not answer, or is another one."""
    environment = {k: v for k, v in os.environ.items() if k != "TF_CLI_CONFIG_FILE"}
    try:
        answer = subprocess.run(
            [str(path), "version"],
            capture_output=True,
            timeout=30,
            check=True,
            env={**environment, "CHECKPOINT_DISABLE": "1"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    said = _SAYS.match(answer.stdout.decode(errors="replace"))
    if said is None:
        return None
    version = (int(said[2]), int(said[3]), int(said[4]))
    return Program(path, version, said[1] == "OpenTofu")


def can_be_fetched() -> bool:
    """Whether there is a pinned release for this machine."""
    return platform_name() in SHA256


def platform_name() -> str:
    """Return this machine's name in Terraform's spelling, such as "linux_amd64"."""
    machine = platform.machine().lower()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{sys.platform}_{architecture}"


def _named(named: str, path: str) -> Program:
    """Return the program that TERRAFORM names, by its name on PATH or by its path.

    Raises:
        UserError: There is none, or its version does not fit.
    """
    where = shutil.which(named, path=path)
    if where is None:
        raise UserError(
            f"{VARIABLE}={brief(named)}: there is no such program. Give a name on PATH or a whole "
            "path, such as tofu, or unset it"
        )
    program = ask(Path(where).absolute())
    if program is None or not program.fits:
        what = f"is {program}" if program else "does not say that it is Terraform or OpenTofu"
        raise UserError(f"{VARIABLE}={brief(named)}: {where} {what}; needed is {_WANTED}")
    return program


def _fetched(downloads: Path) -> Path:
    return downloads / "terraform" / PINNED / "terraform"


def _pinned(path: Path) -> Program:
    """Return the fetched program, which need not be asked: it was checked when it came."""
    major, minor, patch = map(int, PINNED.split("."))
    return Program(path, (major, minor, patch))


def _fetch(target: Path, found: str) -> None:
    """Download the pinned release, check its SHA-256 and put the program at `target`."""
    import requests

    name = platform_name()
    how = (
        f"Install Terraform {MIN[0]}.{MIN[1]} or newer and put it on PATH: "
        "https://developer.hashicorp.com/terraform/install; or OpenTofu: "
        "https://opentofu.org/docs/intro/install/"
    )
    if name not in SHA256:
        raise UserError(f"no Terraform on PATH{found}, and no pinned release for {name}. {how}")
    url = f"{_RELEASES}/{PINNED}/terraform_{PINNED}_{name}.zip"
    print(f"setup: Terraform {PINNED} from {_RELEASES} (once)", file=sys.stderr, flush=True)
    try:
        answer = requests.get(url, timeout=(10, 300))
        answer.raise_for_status()
    except requests.RequestException as error:
        raise UserError(
            f"no Terraform that fits on PATH{found}, and it cannot be downloaded "
            f"({type(error).__name__}: {url}). {how}"
        ) from error
    digest = hashlib.sha256(answer.content).hexdigest()
    if digest != SHA256[name]:
        raise UserError(
            f"the download of {url} has the SHA-256 {digest}, not {SHA256[name]}: "
            f"it was changed on its way and is not used. {how}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        content = archive.read("terraform")
    write_atomically(target, content, mode=0o755)
