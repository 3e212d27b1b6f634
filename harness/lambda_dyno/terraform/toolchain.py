"""Find Terraform and its provider on this machine, or fetch Terraform once.

Order for Terraform: the one on PATH if its version fits, then the one fetched earlier, then
a download of the pinned release, whose SHA-256 must be the one below.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lambda_dyno.core.errors import UserError
from lambda_dyno.core.files import locked, write_atomically
from lambda_dyno.core.reading import UnreadableError, read_text

TERRAFORM_MIN = (1, 11)
TERRAFORM_BELOW = (2, 0)
TERRAFORM_PINNED = "1.11.4"
_RELEASES = "https://releases.hashicorp.com/terraform"

# From terraform_1.11.4_SHA256SUMS, which HashiCorp signs and publishes beside the release.
TERRAFORM_SHA256 = {
    "darwin_amd64": "a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b",
    "darwin_arm64": "867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18",
    "linux_amd64": "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
    "linux_arm64": "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
}

PROVIDER_HOST = "registry.terraform.io"
_AWS_PROVIDER = Path(PROVIDER_HOST, "hashicorp", "aws")
# Variables of Terraform that could send a run's state, or its commands, elsewhere.
_ELSEWHERE = ("TF_CLI_ARGS", "TF_DATA_DIR", "TF_WORKSPACE")
# Where packages and images of machines without the registry put provider mirrors.
_MIRROR_PLACES = ("/usr/share/terraform", "/usr/local/share/terraform", "/opt")


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Terraform and how to run it here.

    Attributes:
        terraform: Path of the program.
        environment: Variables to set for it, beside those of the process.
        unset: Variables to leave out.
        warnings: What was put right on the way, a sentence each.
        lock: File to hold while `terraform init` fills the shared provider cache.
    """

    terraform: Path
    environment: Mapping[str, str]
    unset: tuple[str, ...]
    warnings: tuple[str, ...]
    lock: Path


def prepare(cache: Path, environ: Mapping[str, str] = os.environ) -> Toolchain:
    """Find or fetch Terraform and say how its provider is found.

    Args:
        cache: Folder that keeps downloads between runs.
        environ: The user's environment.

    Raises:
        UserError: No Terraform here and none to be had, or `TF_PLUGIN_MIRROR` is wrong.
    """
    with _kept_in(cache):
        cache.mkdir(parents=True, exist_ok=True)
    warnings: list[str] = []
    unset: list[str] = []
    environment = {
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
        # Most of a short command's CPU time is the AWS provider building its schema; with
        # a lazier garbage collector a plan takes a quarter less of it, for 45 MB more.
        "GOGC": environ.get("GOGC", "400"),
    }
    config_file = environ.get("TF_CLI_CONFIG_FILE")
    if config_file and not Path(config_file).is_file():
        warnings.append(
            f"TF_CLI_CONFIG_FILE names a file that does not exist ({config_file}); ignored"
        )
        unset.append("TF_CLI_CONFIG_FILE")
        config_file = None

    for name in sorted(name for name in environ if name.startswith(_ELSEWHERE)):
        warnings.append(f"{name} is ignored: where a state is, and what is done, says the run")
        unset.append(name)

    own_config = config_file or _home_config(environ)
    cache = cache.resolve()
    mirror = find_mirror(environ)
    if mirror and (environ.get("TF_PLUGIN_MIRROR") or not own_config):
        with _kept_in(cache):
            environment["TF_CLI_CONFIG_FILE"] = str(_write_mirror_config(cache, mirror))
    elif "TF_PLUGIN_CACHE_DIR" not in environ:
        plugins = cache / "terraform-plugins"
        with _kept_in(cache):
            plugins.mkdir(exist_ok=True)
        environment["TF_PLUGIN_CACHE_DIR"] = str(plugins)
        # Without this, Terraform downloads the provider again for every new root, because a
        # run's copy of a root has no lock file yet.
        environment["TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE"] = "1"

    return Toolchain(
        terraform=find_terraform(cache, environ),
        environment=environment,
        unset=tuple(unset),
        warnings=tuple(warnings),
        lock=cache / "terraform-init.lock",
    )


@contextmanager
def _kept_in(cache: Path) -> Iterator[None]:
    """Tell that the folder of downloads takes nothing as the user's mistake.

    Raises:
        UserError: It does not.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{cache}: downloads cannot be kept there: {error.strerror}") from error


def find_terraform(cache: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of a Terraform that fits, fetching the pinned release if need be.

    Raises:
        UserError: There is none and it cannot be fetched.
    """
    on_path = shutil.which("terraform", path=environ.get("PATH", os.defpath))
    found = ""
    if on_path:
        version = _terraform_version(Path(on_path))
        if version and TERRAFORM_MIN <= version[:2] < TERRAFORM_BELOW:
            return Path(on_path)
        found = f" ({on_path} is {'.'.join(map(str, version)) if version else 'unusable'})"
    fetched = cache / "terraform" / TERRAFORM_PINNED / "terraform"
    if not fetched.exists():
        with locked(cache / "terraform-fetch.lock"):
            if not fetched.exists():
                _fetch_terraform(fetched, found)
    return fetched


def find_mirror(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the filesystem mirror to install providers from, or None.

    `TF_PLUGIN_MIRROR` names it; else the first folder that holds the AWS provider for this
    platform below the conventional places.

    Raises:
        UserError: `TF_PLUGIN_MIRROR` is set to a folder that holds no provider.
    """
    named = environ.get("TF_PLUGIN_MIRROR")
    if named:
        if not (Path(named) / _AWS_PROVIDER).is_dir():
            raise UserError(
                f"TF_PLUGIN_MIRROR={named}: there is no {_AWS_PROVIDER} below it. "
                "Name the folder that `terraform providers mirror` filled, or unset it."
            )
        return Path(named)
    for place in map(Path, _MIRROR_PLACES):
        if not place.is_dir():
            continue
        for candidate in (place, *sorted(place.iterdir())):
            if _holds_provider(candidate):
                return candidate
    return None


def platform_name() -> str:
    """Return this machine's name in Terraform's spelling, such as "linux_amd64"."""
    machine = platform.machine().lower()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{sys.platform}_{architecture}"


def _holds_provider(folder: Path) -> bool:
    provider = folder / _AWS_PROVIDER
    try:
        return any(provider.glob(f"*/{platform_name()}")) or any(
            provider.glob(f"*_{platform_name()}.zip")
        )
    except OSError:
        return False


def _home_config(environ: Mapping[str, str]) -> str | None:
    """Return the user's own Terraform CLI configuration, which is never overridden."""
    path = Path(environ.get("HOME", "/nonexistent"), ".terraformrc")
    return str(path) if path.is_file() else None


def with_aws_only(tools: Toolchain, folder: Path) -> Toolchain:
    """Return the same Terraform with a CLI configuration that installs no provider but AWS's.

    For states that somebody else may have written. A user's own configuration stays: it may be
    the only way to a provider.

    Args:
        tools: Terraform as usual.
        folder: Gets the configuration.
    """
    usual = tools.environment.get("TF_CLI_CONFIG_FILE")
    mirror = find_mirror(os.environ) if usual else None
    if usual is None and (os.environ.get("TF_CLI_CONFIG_FILE") or _home_config(os.environ)):
        return tools
    path = folder / "aws-only.rc"
    path.write_text(_installation(mirror, only=True), encoding="utf-8")
    return replace(tools, environment={**tools.environment, "TF_CLI_CONFIG_FILE": str(path)})


def _write_mirror_config(cache: Path, mirror: Path) -> Path:
    """Write a CLI configuration that takes providers from a folder, and return its path."""
    path = cache / "terraform.rc"
    content = _installation(mirror, only=False)
    if not _is(path, content):
        write_atomically(path, content)
    return path


def _is(path: Path, content: str) -> bool:
    try:
        return read_text(path) == content
    except UnreadableError:
        return False


def _installation(mirror: Path | None, *, only: bool) -> str:
    """Return a CLI configuration: where providers come from, and whether others than AWS's do."""
    aws = json.dumps(f"{PROVIDER_HOST}/hashicorp/aws")
    include = f"    include = [{aws}]\n" if only else ""
    methods = []
    if mirror is not None:
        path = f"    path = {json.dumps(str(mirror.resolve()))}\n"
        methods.append(f"  filesystem_mirror {{\n{path}{include}  }}\n")
    if mirror is None:
        methods.append(f"  direct {{\n{include}  }}\n")
    elif not only:
        methods.append(f"  direct {{\n    exclude = [{aws}]\n  }}\n")
    return f"provider_installation {{\n{''.join(methods)}}}\n"


def _terraform_version(program: Path) -> tuple[int, ...] | None:
    """Return a Terraform's version, or None if the program does not answer."""
    environment = {k: v for k, v in os.environ.items() if k != "TF_CLI_CONFIG_FILE"}
    try:
        answer = subprocess.run(
            [str(program), "version", "-json"],
            capture_output=True,
            timeout=30,
            check=True,
            env={**environment, "CHECKPOINT_DISABLE": "1"},
        )
        version = json.loads(answer.stdout)["terraform_version"]
        return tuple(int(part) for part in version.split("-")[0].split("."))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None


def _fetch_terraform(target: Path, found: str) -> None:
    """Download the pinned release, check its SHA-256 and put the program at `target`."""
    import requests

    name = platform_name()
    how = (
        f"Install Terraform {TERRAFORM_MIN[0]}.{TERRAFORM_MIN[1]} or newer and put it on PATH: "
        "https://developer.hashicorp.com/terraform/install"
    )
    if name not in TERRAFORM_SHA256:
        raise UserError(f"no Terraform on PATH{found}, and no pinned release for {name}. {how}")
    url = f"{_RELEASES}/{TERRAFORM_PINNED}/terraform_{TERRAFORM_PINNED}_{name}.zip"
    print(f"setup: Terraform {TERRAFORM_PINNED} from {_RELEASES} (once)", file=sys.stderr)
    try:
        answer = requests.get(url, timeout=(10, 300))
        answer.raise_for_status()
    except requests.RequestException as error:
        raise UserError(
            f"no Terraform that fits on PATH{found}, and it cannot be downloaded "
            f"({type(error).__name__}: {url}). {how}"
        ) from error
    digest = hashlib.sha256(answer.content).hexdigest()
    if digest != TERRAFORM_SHA256[name]:
        raise UserError(
            f"the download of {url} has the SHA-256 {digest}, not {TERRAFORM_SHA256[name]}: "
            f"it was changed on its way and is not used. {how}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        program = archive.read("terraform")
    write_atomically(target, program, mode=0o755)


def main() -> None:
    """Run the Terraform that was found with this process's arguments, for make and scripts."""
    try:
        tools = prepare(Path(".cache"))
    except UserError as error:
        sys.exit(f"error: {error}")
    environment = {k: v for k, v in os.environ.items() if k not in tools.unset}
    arguments = [str(tools.terraform), *sys.argv[1:]]
    environment |= tools.environment
    os.execve(tools.terraform, arguments, environment)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
