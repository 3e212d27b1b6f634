"""`dyno doctor`: what is there, what is missing, how to get it; never a long wait."""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.deploy import bootstrap, doctor_account
from lambda_dyno.deploy.findings import Finding, all_there
from tests.support import bad_inputs as bad
from tests.support.serving import TestServer

NO_ANSWER = "http://127.0.0.1:9"  # nobody listens there
KEYS = {
    "AWS_ACCESS_KEY_ID": "123456789012",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_REGION": "eu-west-1",
}
ROOT = 'variable "name_prefix" {}\noutput "function_arn" { value = "" }\n'
GH = """#!/bin/sh
[ "$1 $2" = "variable list" ] || exit 9
"""


def findings(folder: Path, *arguments: str, **environ: str) -> tuple[int, dict[str, Any]]:
    """Return the status of `dyno doctor --json`, and what it found by name."""
    ended = bad.dyno(folder, "doctor", "--json", *arguments, **environ)
    printed = json.loads(ended.out)
    assert printed["ok"] is (ended.status == 0), ended
    return ended.status, {found["name"]: found for found in printed["findings"]}


def program(folder: Path, name: str, text: str) -> str:
    """Put a program alone on a PATH, and return that."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)
    return str(folder)


def test_without_credentials_nothing_is_missing(tmp_path: Path) -> None:
    """Each line has a mark, a name and what is there; no account is no error."""
    ended = bad.dyno(tmp_path, "doctor")
    assert ended.status == 0, ended
    assert ended.err == ""
    lines = ended.out.splitlines()
    marks = {line[2:].split("  ")[0]: line[0] for line in lines if line[0] != " "}
    assert marks["Python"] == marks["Node.js"] == marks["Newman"] == marks["Terraform"] == "✓"
    assert marks["AWS account"] == "?"
    assert "no AWS credentials" in ended.out
    assert list(tmp_path.iterdir()) == []  # nothing was made, not even a cache


def test_it_says_the_same_to_programs(tmp_path: Path) -> None:
    """With what a version is, and where."""
    status, found = findings(tmp_path)
    assert status == 0
    assert found["Python"]["text"].endswith(sys.executable)
    assert found["Terraform"]["text"].startswith(("Terraform 1.", "1.", "OpenTofu 1."))
    assert set(found["Newman"]) == {"name", "state", "text", "fix"}


@pytest.mark.parametrize(
    ("programs", "missing", "said"),
    [
        ({}, "Node.js", "there is no `node` on PATH"),
        ({"node": "#!/bin/sh\necho v18.20.0\n"}, "Node.js", "is v18.20.0"),
    ],
)
def test_a_missing_program_is_named_with_how_to_get_it(
    tmp_path: Path, programs: dict[str, str], missing: str, said: str
) -> None:
    """Status 2; Terraform would be downloaded, and git is not needed by all."""
    path = str(tmp_path / "bin")
    for name, text in programs.items():
        program(tmp_path / "bin", name, text)
    status, found = findings(tmp_path, PATH=path)
    assert status == 2
    assert found[missing]["state"] == "missing"
    assert said in found[missing]["text"]
    assert "nodejs.org" in found[missing]["fix"]
    assert found["Terraform"]["state"] == "ok"
    assert "downloaded before the first run" in found["Terraform"]["text"]
    assert found["git"]["state"] == "optional"


def test_what_terraform_names_and_is_none_is_missing(tmp_path: Path) -> None:
    """The same line as from a run."""
    status, found = findings(tmp_path, TERRAFORM="tofoo")
    assert status == 2
    assert found["Terraform"]["state"] == "missing"
    assert found["Terraform"]["text"].startswith("TERRAFORM=tofoo: there is no such program")


def test_opentofu_is_told_with_its_version(tmp_path: Path) -> None:
    """And its provider comes from its own registry, of which there is no mirror here."""
    path = program(tmp_path / "bin", "tofu", "#!/bin/sh\necho OpenTofu v1.11.5\n")
    _, found = findings(tmp_path, PATH=path)
    assert found["Terraform"]["text"] == f"OpenTofu 1.11.5, {path}/tofu"


@pytest.mark.parametrize("sort", ["an endpoint that does not answer", "a profile that is none"])
def test_an_account_that_is_named_and_cannot_be_reached_is_missing(
    tmp_path: Path, sort: str
) -> None:
    """One line and status 2, in seconds."""
    environ = (
        {**KEYS, "AWS_ENDPOINT_URL": NO_ANSWER} if "endpoint" in sort else {"AWS_PROFILE": "x"}
    )
    status, found = findings(tmp_path, **environ)
    assert status == 2
    assert found["AWS account"]["state"] == "missing"
    assert "\n" not in found["AWS account"]["text"]


def test_an_endpoint_that_is_no_aws_is_told_in_a_line(tmp_path: Path) -> None:
    """Such as a proxy's page: an answer of 200 that nobody can read."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with TestServer(Page).running() as server:
        status, found = findings(tmp_path, **KEYS, AWS_ENDPOINT_URL=server.url)
    assert status == 2
    said = found["AWS account"]["text"]
    assert said.startswith(f"AWS does not answer at AWS_ENDPOINT_URL={server.url}: Unable to parse")


def test_an_embedded_environment_needs_no_account(tmp_path: Path) -> None:
    """Its credentials are not looked at."""
    bad.write_project(tmp_path, ROOT, "down")
    status, found = findings(tmp_path, "--env", "local", AWS_PROFILE="none-such")
    assert status == 0
    assert found["AWS account"]["text"].endswith("it needs none")


@pytest.mark.parametrize("arguments", [("--env", "nope"), ("--env", "../x")])
def test_an_environment_that_is_none_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """As by every other command, with status 2 and in a line."""
    bad.write_project(tmp_path, ROOT, "down")
    ended = bad.dyno(tmp_path, "doctor", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert ended.lines[0].startswith("error: ENV=")


@pytest.mark.parametrize(
    ("gh", "state", "said"),
    [
        (None, "unknown", "no `gh` on PATH"),
        ("echo 'gh: not logged in' >&2; exit 4", "unknown", "gh does not tell: gh: not logged in"),
        ("echo 'no json'", "unknown", "gh does not tell"),
        ('echo \'[{"name": "AWS_REGION"}]\'', "optional", "DYNO_GATE_ROLE_ARN"),
        (
            "echo '["
            + ", ".join(f'{{"name": "{name}"}}' for name in bootstrap.variable_names())
            + "]'",
            "ok",
            "all that the workflows need",
        ),
    ],
)
def test_github_variables_are_what_gh_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gh: str | None, state: str, said: str
) -> None:
    """Without gh, or where it may not look, they cannot be told."""
    from lambda_dyno.core.config import load_env

    bad.write_project(tmp_path, ROOT, "down")
    path = tmp_path / "bin"
    path.mkdir()
    if gh is not None:
        program(path, "gh", f"{GH}{gh}\n")
    monkeypatch.setenv("PATH", os.pathsep.join((str(path), "/bin")) if gh else str(path))
    found = doctor_account._variables(tmp_path, load_env(tmp_path, "dev"))
    assert found.state == state
    assert said in found.text


def test_the_variables_are_those_that_bootstrap_tells() -> None:
    """Of the repository, and not of one of its environments."""
    assert bootstrap.variable_names() == (
        "AWS_REGION",
        "DYNO_GATE_ROLE_ARN",
        "DYNO_GATE_BOUNDARY_ARN",
        "DYNO_MAIN_ROLE_ARN",
        "DYNO_PLAN_ROLE_ARN",
        "DYNO_DEPLOY_BOUNDARY_ARN",
        "DYNO_TUNE_ROLE_ARN",
    )


def test_only_what_is_missing_fails() -> None:
    """What is optional or cannot be told does not."""
    assert all_there(Finding("x", state, "") for state in ("ok", "optional", "unknown"))
    assert not all_there([Finding("x", "ok", ""), Finding("y", "missing", "")])
