"""Terraform and its provider are found where they are, or fetched and checked."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.terraform import toolchain
from tests.support.serving import TestServer


def program(folder: Path, version: str) -> Path:
    """Write a program that says it is a Terraform of that version."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "terraform"
    path.write_text(f'#!/bin/sh\necho \'{{"terraform_version": "{version}"}}\'\n')
    path.chmod(0o755)
    return path


def mirror(folder: Path, platform: str | None = None) -> Path:
    """Make a filesystem mirror that holds the AWS provider."""
    name = platform or toolchain.platform_name()
    (folder / "registry.terraform.io/hashicorp/aws/5.100.0" / name).mkdir(parents=True)
    return folder


@contextmanager
def release_server(content: bytes) -> Iterator[str]:
    """Serve one file, whatever is asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with TestServer(Handler).running() as server:
        yield server.url


def release(text: str = "#!/bin/sh\n") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("terraform", text)
    return buffer.getvalue()


@pytest.mark.parametrize("version", ["1.11.0", "1.11.4", "1.14.2", "1.12.0-beta1"])
def test_the_terraform_on_path_is_used_if_it_fits(tmp_path: Path, version: str) -> None:
    """Nothing is downloaded then."""
    path = program(tmp_path / "bin", version)
    assert toolchain.find_terraform(tmp_path, {"PATH": str(path.parent)}) == path


@pytest.mark.parametrize("version", ["1.10.5", "0.15.0", "2.0.0", "nonsense"])
def test_without_a_fitting_terraform_and_without_network_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """The message names the one that was found and where to get another."""
    path = program(tmp_path / "bin", version)
    monkeypatch.setattr(toolchain, "_RELEASES", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"no Terraform that fits on PATH.*Install Terraform 1\.11"):
        toolchain.find_terraform(tmp_path, {"PATH": str(path.parent)})


def test_a_fetched_release_is_checked_kept_and_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time needs no network."""
    content = release("#!/bin/sh\necho me\n")
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setitem(toolchain.TERRAFORM_SHA256, toolchain.platform_name(), digest)
    with release_server(content) as url:
        monkeypatch.setattr(toolchain, "_RELEASES", url)
        found = toolchain.find_terraform(tmp_path, {"PATH": ""})
    assert found.read_text() == "#!/bin/sh\necho me\n"
    assert os.access(found, os.X_OK)
    assert toolchain.find_terraform(tmp_path, {"PATH": ""}) == found


def test_a_release_with_another_sha256_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was changed on its way is never run."""
    with release_server(release()) as url:
        monkeypatch.setattr(toolchain, "_RELEASES", url)
        with pytest.raises(UserError, match="has the SHA-256"):
            toolchain.find_terraform(tmp_path, {"PATH": ""})
    assert not list(tmp_path.rglob("terraform"))


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
