"""Terraform or OpenTofu is found where it is, or Terraform is fetched and checked."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.terraform import program
from tests.support.serving import TestServer
from tests.support.waiting import HANGS_S

HARNESS = Path(__file__).parents[3] / "harness"
FIND = """
import sys
from pathlib import Path
from lambda_dyno.terraform import program
program._RELEASES, program.SHA256[program.platform_name()] = sys.argv[1:3]
print(program.find(Path(sys.argv[3]), {"PATH": ""}).path)
"""


def installed(folder: Path, name: str, version: str, file: str = "") -> Path:
    """Write a program that says which one it is, as `terraform version` and `tofu version` do."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (file or {"Terraform": "terraform", "OpenTofu": "tofu"}.get(name, name))
    path.write_text(f"#!/bin/sh\n[ \"$1\" = version ] && echo '{name} v{version}'\n")
    path.chmod(0o755)
    return path


@contextmanager
def release_server(content: bytes) -> Iterator[tuple[str, list[str]]]:
    """Serve one file, whatever is asked for; yield the address and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with TestServer(Handler).running() as server:
        yield server.url, asked


def release(text: str = "#!/bin/sh\n") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("terraform", text)
    return buffer.getvalue()


@pytest.mark.parametrize("version", ["1.11.0", "1.11.4", "1.14.2", "1.12.0-beta1"])
@pytest.mark.parametrize("name", ["Terraform", "OpenTofu"])
def test_the_one_on_path_is_used_if_it_fits(tmp_path: Path, name: str, version: str) -> None:
    """Nothing is downloaded then; each has its own registry."""
    path = installed(tmp_path / "bin", name, version)
    found = program.find(tmp_path, {"PATH": str(path.parent)})
    assert (found.path, found.is_opentofu) == (path, name == "OpenTofu")
    assert found.registry == f"registry.{name.lower()}.{'org' if found.is_opentofu else 'io'}"


def test_terraform_goes_before_opentofu_unless_it_does_not_fit(tmp_path: Path) -> None:
    """And TERRAFORM before both, by its name or its path."""
    folder = tmp_path / "bin"
    terraform = installed(folder, "Terraform", "1.12.0")
    tofu = installed(folder, "OpenTofu", "1.11.5")
    other = installed(tmp_path / "else", "OpenTofu", "1.12.0", "my-tofu")
    environ = {"PATH": str(folder)}
    assert program.find(tmp_path, environ).path == terraform
    assert program.find(tmp_path, {**environ, "TERRAFORM": "tofu"}).path == tofu
    assert program.find(tmp_path, {**environ, "TERRAFORM": str(other)}).path == other
    installed(folder, "Terraform", "1.5.7")
    assert program.find(tmp_path, environ).path == tofu


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("tofu", r"TERRAFORM=tofu: there is no such program. Give a name on PATH or a whole path"),
        (
            "old",
            r"TERRAFORM=old: .*/old is Terraform 1\.5\.7; needed is Terraform or OpenTofu 1\.11",
        ),
        ("next", r"is OpenTofu 2\.0\.0; needed is"),
        ("cat", r"does not say that it is Terraform or OpenTofu; needed is"),
    ],
)
def test_what_terraform_names_and_is_none_is_refused(tmp_path: Path, named: str, why: str) -> None:
    """Another one is not taken in its place: it is the user's word."""
    folder = tmp_path / "bin"
    installed(folder, "Terraform", "1.11.4")
    installed(folder, "Terraform", "1.5.7", "old")
    installed(folder, "OpenTofu", "2.0.0", "next")
    installed(folder, "Cat", "1.11.4", "cat")
    with pytest.raises(UserError, match=why) as refused:
        program.find(tmp_path, {"PATH": str(folder), "TERRAFORM": named})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("version", ["1.10.5", "0.15.0", "2.0.0", "nonsense"])
def test_without_a_fitting_terraform_and_without_network_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """The message names what was found, both programs, and where to get another."""
    folder = tmp_path / "bin"
    installed(folder, "Terraform", version)
    installed(folder, "OpenTofu", "1.6.0")
    monkeypatch.setattr(program, "_RELEASES", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"no Terraform that fits on PATH.*Install Terraform 1\.11"):
        program.find(tmp_path, {"PATH": str(folder)})
    there, unfit = program.look(tmp_path, {"PATH": str(folder)})
    said = "unusable" if version == "nonsense" else f"Terraform {version}"
    assert there is None
    assert unfit == f" ({folder}/terraform is {said}, {folder}/tofu is OpenTofu 1.6.0)"


def test_a_fetched_release_is_checked_kept_and_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time needs no network."""
    content = release("#!/bin/sh\necho me\n")
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setitem(program.SHA256, program.platform_name(), digest)
    with release_server(content) as (url, asked):
        monkeypatch.setattr(program, "_RELEASES", url)
        found = program.find(tmp_path, {"PATH": ""})
    name = f"terraform_{program.PINNED}_{program.platform_name()}.zip"
    assert asked == [f"/{program.PINNED}/{name}"]
    assert found.path.read_text() == "#!/bin/sh\necho me\n"
    assert os.access(found.path, os.X_OK)
    assert str(found) == f"Terraform {program.PINNED}"
    assert program.find(tmp_path, {"PATH": ""}) == found


def test_two_at_once_fetch_it_once(tmp_path: Path) -> None:
    """One waits for the other, and takes what that one has checked."""
    content = release()
    digest = hashlib.sha256(content).hexdigest()
    with release_server(content) as (url, asked):
        both = [
            subprocess.Popen(
                [sys.executable, "-c", FIND, url, digest, str(tmp_path)],
                env={**os.environ, "PYTHONPATH": str(HARNESS), "NO_PROXY": "*"},
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        said = {each.communicate(timeout=HANGS_S)[0] for each in both}
    assert said == {f"{tmp_path}/terraform/{program.PINNED}/terraform\n"}
    assert len(asked) == 1


def test_a_release_with_another_sha256_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was changed on its way is never run."""
    with release_server(release()) as (url, _):
        monkeypatch.setattr(program, "_RELEASES", url)
        with pytest.raises(UserError, match="has the SHA-256"):
            program.find(tmp_path, {"PATH": ""})
    assert not list(tmp_path.rglob("terraform"))


def test_a_machine_without_a_pinned_release_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked for then."""
    monkeypatch.setattr(program, "SHA256", {})
    assert not program.can_be_fetched()
    with pytest.raises(UserError, match=r"no pinned release for .*opentofu\.org"):
        program.find(tmp_path, {"PATH": ""})
