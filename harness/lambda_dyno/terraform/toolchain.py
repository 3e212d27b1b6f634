"""How Terraform or OpenTofu (`terraform.program`) is run here: its providers, its configuration."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lambda_dyno.core import assets
from lambda_dyno.core import cache as user_cache
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.files import write_atomically
from lambda_dyno.core.reading import UnreadableError, read_text
from lambda_dyno.terraform import program as programs
from lambda_dyno.terraform.program import Program, platform_name

_AWS = Path("hashicorp", "aws")
# Variables of Terraform that could send a run's state, or its commands, elsewhere.
_ELSEWHERE = ("TF_CLI_ARGS", "TF_DATA_DIR", "TF_WORKSPACE")
# Where packages and images of machines without the registry put provider mirrors.
_MIRROR_PLACES = ("/usr/share/terraform", "/usr/local/share/terraform", "/opt")
# The configuration of whoever runs it, by program; OpenTofu reads Terraform's, too.
_HOME_CONFIGS = {False: (".terraformrc",), True: (".tofurc", ".terraformrc")}
_TERRAFORM = Program(Path("terraform"), (0, 0, 0))  # whose registry it is, if nothing else is said


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Terraform and how to run it here.

    Attributes:
        terraform: Path of the program.
        environment: Variables to set for it, beside those of the process.
        unset: Variables to leave out.
        warnings: What was put right on the way, a sentence each.
        lock: File to hold while `terraform init` fills the shared provider cache.
        program: What the program is.
    """

    terraform: Path
    environment: Mapping[str, str]
    unset: tuple[str, ...]
    warnings: tuple[str, ...]
    lock: Path
    program: Program = _TERRAFORM


def prepare(cache: Path, environ: Mapping[str, str] = os.environ) -> Toolchain:
    """Find or fetch Terraform and say how its provider is found.

    Args:
        cache: Folder that keeps downloads between runs of a clone; whoever has only the package
            has them in the cache folder of the user, for all projects.
        environ: The user's environment.

    Raises:
        UserError: No Terraform here and none to be had, or `TERRAFORM` or `TF_PLUGIN_MIRROR` is
            wrong.
    """
    cache = downloads(cache, environ)
    if assets.checkout():
        with _kept_in(cache):
            cache.mkdir(parents=True, exist_ok=True)
    else:
        user_cache.make(cache)
    program = programs.find(cache.resolve(), environ)
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

    own_config = config_file or _home_config(environ, program)
    cache = cache.resolve()
    mirror = find_mirror(environ, program)
    if mirror and (environ.get("TF_PLUGIN_MIRROR") or not own_config):
        with _kept_in(cache):
            environment["TF_CLI_CONFIG_FILE"] = str(_write_mirror_config(cache, mirror, program))
    elif "TF_PLUGIN_CACHE_DIR" not in environ:
        plugins = cache / "terraform-plugins"
        with _kept_in(cache):
            plugins.mkdir(exist_ok=True)
        environment["TF_PLUGIN_CACHE_DIR"] = str(plugins)
        # Without this, Terraform downloads the provider again for every new root, because a
        # run's copy of a root has no lock file yet.
        environment["TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE"] = "1"

    return Toolchain(
        terraform=program.path,
        environment=environment,
        unset=tuple(unset),
        warnings=tuple(warnings),
        lock=cache / "terraform-init.lock",
        program=program,
    )


def downloads(cache: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that keeps downloads: a clone's own one, or else the user's.

    Raises:
        UserError: There is no home folder.
    """
    return cache if assets.checkout() else user_cache.of_user(environ)


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


def find_mirror(
    environ: Mapping[str, str] = os.environ, program: Program = _TERRAFORM
) -> Path | None:
    """Return the filesystem mirror to install providers from, or None.

    `TF_PLUGIN_MIRROR` names it; else the first folder that holds the AWS provider for this
    platform below the conventional places. Each program has a registry of its own, and so a
    folder of its own in a mirror.

    Raises:
        UserError: `TF_PLUGIN_MIRROR` is set to a folder that holds no provider.
    """
    named = environ.get("TF_PLUGIN_MIRROR")
    if named:
        below = Path(program.registry) / _AWS
        if not (Path(named) / below).is_dir():
            raise UserError(
                f"TF_PLUGIN_MIRROR={named}: there is no {below} below it. Name the folder that "
                f"`{'tofu' if program.is_opentofu else 'terraform'} providers mirror` filled, or "
                "unset it."
            )
        return Path(named)
    for place in map(Path, _MIRROR_PLACES):
        if not place.is_dir():
            continue
        for candidate in (place, *sorted(place.iterdir())):
            if _holds_provider(candidate, program):
                return candidate
    return None


def _holds_provider(folder: Path, program: Program) -> bool:
    provider = folder / program.registry / _AWS
    try:
        return any(provider.glob(f"*/{platform_name()}")) or any(
            provider.glob(f"*_{platform_name()}.zip")
        )
    except OSError:
        return False


def _home_config(environ: Mapping[str, str], program: Program) -> str | None:
    """Return the user's own CLI configuration, which is never overridden."""
    home = Path(environ.get("HOME", "/nonexistent"))
    files = (home / name for name in _HOME_CONFIGS[program.is_opentofu])
    return next((str(file) for file in files if file.is_file()), None)


def with_aws_only(tools: Toolchain, folder: Path) -> Toolchain:
    """Return the same Terraform with a CLI configuration that installs no provider but AWS's.

    For states that somebody else may have written. A user's own configuration stays: it may be
    the only way to a provider.

    Args:
        tools: Terraform as usual.
        folder: Gets the configuration.
    """
    usual = tools.environment.get("TF_CLI_CONFIG_FILE")
    own = os.environ.get("TF_CLI_CONFIG_FILE") or _home_config(os.environ, tools.program)
    if usual is None and own:
        return tools
    mirror = find_mirror(os.environ, tools.program) if usual else None
    path = folder / "aws-only.rc"
    path.write_text(_installation(mirror, tools.program, only=True), encoding="utf-8")
    return replace(tools, environment={**tools.environment, "TF_CLI_CONFIG_FILE": str(path)})


def _write_mirror_config(cache: Path, mirror: Path, program: Program) -> Path:
    """Write a CLI configuration that takes providers from a folder, and return its path."""
    path = cache / ("tofu.rc" if program.is_opentofu else "terraform.rc")
    content = _installation(mirror, program, only=False)
    if not _is(path, content):
        write_atomically(path, content)
    return path


def _is(path: Path, content: str) -> bool:
    try:
        return read_text(path) == content
    except UnreadableError:
        return False


def _installation(mirror: Path | None, program: Program, *, only: bool) -> str:
    """Return a CLI configuration: where providers come from, and whether others than AWS's do."""
    aws = json.dumps(f"{program.registry}/{_AWS}")
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
