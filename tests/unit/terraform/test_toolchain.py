"""How Terraform is run here: its provider, its configuration, what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_dyno.core import assets
from lambda_dyno.core.errors import UserError
from lambda_dyno.terraform import toolchain
from lambda_dyno.terraform.program import Program


def program(folder: Path, version: str, name: str = "Terraform") -> Path:
    """Write a program that says it is a Terraform, or an OpenTofu, of that version."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / {"Terraform": "terraform", "OpenTofu": "tofu"}[name]
    path.write_text(f"#!/bin/sh\necho '{name} v{version}'\necho 'on linux_amd64'\n")
    path.chmod(0o755)
    return path


def mirror(
    folder: Path, platform: str | None = None, registry: str = "registry.terraform.io"
) -> Path:
    """Make a filesystem mirror that holds the AWS provider."""
    name = platform or toolchain.platform_name()
    (folder / registry / "hashicorp/aws/5.100.0" / name).mkdir(parents=True)
    return folder


def test_a_named_mirror_wins_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    """TF_PLUGIN_MIRROR is the user's word."""
    named = mirror(tmp_path / "named")
    assert toolchain.find_mirror({"TF_PLUGIN_MIRROR": str(named)}) == named
    with pytest.raises(UserError, match="TF_PLUGIN_MIRROR=/nonexistent: there is no registry"):
        toolchain.find_mirror({"TF_PLUGIN_MIRROR": "/nonexistent"})


def test_a_mirror_is_found_in_the_conventional_places_if_it_has_this_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first folder that holds the provider, itself a place or one level below."""
    mirror(tmp_path / "opt" / "a-other", "plan9_mips")
    wanted = mirror(tmp_path / "opt" / "b-plugins")
    monkeypatch.setattr(toolchain, "_MIRROR_PLACES", (str(tmp_path / "x"), str(tmp_path / "opt")))
    assert toolchain.find_mirror({}) == wanted
    direct = mirror(tmp_path / "x")
    assert toolchain.find_mirror({}) == direct


def test_a_config_file_that_is_missing_is_dropped_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Terraform would warn on every command, and never find the mirror."""
    path = program(tmp_path / "bin", "1.11.4")
    monkeypatch.setattr(toolchain, "_MIRROR_PLACES", (str(mirror(tmp_path / "m")),))
    environ = {"PATH": str(path.parent), "TF_CLI_CONFIG_FILE": "/nonexistent/rc", "HOME": "/n"}
    tools = toolchain.prepare(tmp_path / "cache", environ)
    assert tools.unset == ("TF_CLI_CONFIG_FILE",)
    assert "/nonexistent/rc" in tools.warnings[0]
    written = Path(tools.environment["TF_CLI_CONFIG_FILE"]).read_text()
    assert str(tmp_path / "m") in written


def test_what_would_send_a_state_elsewhere_is_dropped_with_a_warning(tmp_path: Path) -> None:
    """`-backend-config`, `-state` and workspaces can name production's."""
    environ = {
        "PATH": str(program(tmp_path / "bin", "1.11.4").parent),
        "TF_CLI_ARGS_init": "-backend-config=prod.hcl",
        "TF_CLI_ARGS": "-state=prod.tfstate",
        "TF_DATA_DIR": "/elsewhere",
        "TF_WORKSPACE": "prod",
        "TF_VAR_vpc_id": "vpc-1",
    }
    tools = toolchain.prepare(tmp_path / "cache", environ)
    assert set(tools.unset) == environ.keys() - {"PATH", "TF_VAR_vpc_id"}
    assert len([text for text in tools.warnings if "is ignored: where a state is" in text]) == 4


def test_the_users_own_configuration_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror that was only found does not override what the user configured."""
    path = program(tmp_path / "bin", "1.11.4")
    monkeypatch.setattr(toolchain, "_MIRROR_PLACES", (str(mirror(tmp_path / "m")),))
    (tmp_path / ".terraformrc").write_text("")
    environ = {"PATH": str(path.parent), "HOME": str(tmp_path)}
    tools = toolchain.prepare(tmp_path / "cache", environ)
    assert "TF_CLI_CONFIG_FILE" not in tools.environment
    assert Path(tools.environment["TF_PLUGIN_CACHE_DIR"]).is_dir()


def test_opentofu_has_its_own_registry_mirror_and_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`hashicorp/aws` is another address to it; ~/.tofurc and ~/.terraformrc are its user's."""
    path = program(tmp_path / "bin", "1.11.2", "OpenTofu")
    monkeypatch.setattr(toolchain, "_MIRROR_PLACES", (str(mirror(tmp_path / "of-terraform")),))
    environ = {"PATH": str(path.parent), "HOME": str(tmp_path)}
    tools = toolchain.prepare(tmp_path / "cache", environ)
    assert tools.terraform == path
    assert tools.program == Program(path, (1, 11, 2), is_opentofu=True)
    assert "TF_CLI_CONFIG_FILE" not in tools.environment  # that mirror is of no use to it

    own = mirror(tmp_path / "of-tofu", registry="registry.opentofu.org")
    monkeypatch.setattr(toolchain, "_MIRROR_PLACES", (str(own),))
    tools = toolchain.prepare(tmp_path / "cache", environ)
    written = Path(tools.environment["TF_CLI_CONFIG_FILE"]).read_text()
    assert 'exclude = ["registry.opentofu.org/hashicorp/aws"]' in written
    only = toolchain.with_aws_only(tools, tmp_path).environment["TF_CLI_CONFIG_FILE"]
    assert "registry.terraform.io" not in Path(only).read_text()

    (tmp_path / ".tofurc").write_text("")
    tools = toolchain.prepare(tmp_path / "cache", environ)
    assert "TF_CLI_CONFIG_FILE" not in tools.environment


def test_downloads_are_the_clones_or_else_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project of somebody who has only the package gets no 700 MB of its own."""
    environ = {
        "PATH": str(program(tmp_path / "bin", "1.11.4").parent),
        "XDG_CACHE_HOME": str(tmp_path / "xdg"),
    }
    assert toolchain.prepare(tmp_path / "cache", environ).lock.parent == tmp_path / "cache"
    monkeypatch.setattr(assets, "checkout", lambda: None)
    tools = toolchain.prepare(tmp_path / "other", environ)
    assert tools.lock.parent == tmp_path / "xdg" / "lambda-dyno"
    assert tools.lock.parent.stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "other").exists()
