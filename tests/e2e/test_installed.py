"""A clean user's first hour: the wheel alone, Python, Node.js, and an AWS on this machine.

Nothing of this checkout is found, and nothing of the user who runs the tests: home, caches and
PATH are new. Terraform is on that PATH, since its releases cannot be reached from where tests run;
how it is fetched is in tests/unit/terraform/test_program.py.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from lambda_dyno.terraform import program, toolchain
from tests.support import functions, postman_files, user_project, wheel
from tests.support.waiting import RUN_HANGS_S

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(4 * RUN_HANGS_S)]

PROJECT = Path(__file__).parents[2]
URL = """
resource "aws_lambda_function_url" "this" {
  function_name      = split(":", module.hello.arn)[6]
  authorization_type = "NONE"
}

output "api_url" { value = aws_lambda_function_url.this.function_url }
"""
SUMS = """\
def handler(event, context):
    return {"sum": sum(range(event.get("n", 1000)))}
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "lambda.amazonaws.com"},
        }
    ],
}
LOAD = """environment.emulated = true

[tuning]
power_values = [128, 512]
num = 5
payload = { n = 1000 }

[load]
virtual_users = 2
ramp_up_s = 0.0
duration_s = 3.0
at = [512]

[slo]
error_ratio = 0.5
inconclusive = "pass"
max_rounds = 1
"""
# Of whoever runs the tests, and the only way to packages here.
_INDEXES = ("PIP_", "UV_", "NPM_CONFIG_", "npm_config_", "SSL_", "NODE_EXTRA_", "REQUESTS_CA")


@dataclass(frozen=True)
class CleanUser:
    """Somebody who has just installed the wheel."""

    home: Path
    programs: Path

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "lambda-dyno"

    def run(self, *words: str, cwd: Path | None = None, **variables: str) -> tuple[int, str, str]:
        """Run a command to its end; return its status and what it said."""
        kept = {k: v for k, v in os.environ.items() if k.startswith(_INDEXES)}
        npmrc = Path.home() / ".npmrc"
        if npmrc.is_file():
            kept.setdefault("NPM_CONFIG_USERCONFIG", str(npmrc))
        environment = {
            **kept,
            "HOME": str(self.home),
            "PATH": os.pathsep.join((str(self.programs), "/usr/bin", "/bin")),
            "LANG": "C.UTF-8",
            **variables,
        }
        done = subprocess.run(
            words,
            cwd=cwd or self.home,
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_HANGS_S,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def must(self, *words: str, cwd: Path | None = None, **variables: str) -> str:
        """Run a command that has to succeed, and return its standard output."""
        status, out, err = self.run(*words, cwd=cwd, **variables)
        assert status == 0, f"{words}: {status}\n{out}\n{err}"
        return out


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> CleanUser:
    """Python, Node.js and Terraform, and the wheel in an environment of its own."""
    folder = tmp_path_factory.mktemp("clean")
    home, programs = folder / "home", folder / "bin"
    home.mkdir()
    programs.mkdir()
    package = wheel.build(folder / "wheel")
    installed = wheel.install(package, folder / "pipx" / "venvs" / "lambda-dyno")
    for name in ("dyno", "lambda-dyno"):
        (programs / name).symlink_to(installed / name)
    there = {name: shutil.which(name) for name in ("node", "npm", "git")}
    terraform = program.find(toolchain.downloads(PROJECT / ".cache")).path
    for name, path in {**there, "terraform": str(terraform)}.items():
        assert path is not None, f"no {name} here"
        (programs / name).symlink_to(path)
    return CleanUser(home, programs)


@pytest.fixture(scope="module")
def aws(user: CleanUser) -> Iterator[dict[str, str]]:
    """The user's own AWS on this machine, as `dyno local` tells of it."""
    user.must("dyno", "local", "start")
    try:
        yield json.loads(user.must("dyno", "local", "env", "--json"))
    finally:
        user.must("dyno", "local", "stop")


def test_it_says_what_is_there_before_anything_is_fetched(user: CleanUser) -> None:
    """By both names, and nothing is made."""
    version = user.must("dyno", "--version")
    assert version == user.must("lambda-dyno", "--version")
    assert version.startswith("lambda-dyno ")
    found = {
        one["name"]: one for one in json.loads(user.must("dyno", "doctor", "--json"))["findings"]
    }
    assert found["Lambda Dyno"]["text"].endswith(", installed")
    assert found["Newman"]["text"].startswith("fetched by npm before the first")
    assert found["AWS account"]["state"] == "unknown"
    assert list(user.home.iterdir()) == []


def test_any_function_is_tuned_with_one_line(user: CleanUser, aws: dict[str, str]) -> None:
    """From an empty folder; only the tuner is deployed, and it is gone then."""
    session = boto3.Session(
        aws_access_key_id=aws["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
        region_name=aws["AWS_REGION"],
    )
    lambdas = session.client("lambda", endpoint_url=aws["AWS_ENDPOINT_URL"])
    session.client("iam", endpoint_url=aws["AWS_ENDPOINT_URL"]).create_role(
        RoleName="theirs", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    lambdas.create_function(
        FunctionName="theirs",
        Runtime="python3.13",
        Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/theirs",
        MemorySize=128,
        Code={"ZipFile": functions.archive({"app.py": user_project.FUNCTION})},
    )
    folder = user.home / "empty"
    folder.mkdir()
    (folder / "event.json").write_text('{"n": 20000}')
    tune = ("lambda-dyno", "tune", "--function", "theirs", "--payload", "event.json")
    said = json.loads(user.must(*tune, "--json", cwd=folder, **aws))
    assert said["power"] in range(128, 10_241)
    (evidence,) = (folder / "runs").glob("*/result.json")
    assert (evidence.parent / "report.html").is_file()
    assert lambdas.get_function_configuration(FunctionName="theirs")["MemorySize"] == 128
    assert [row["FunctionName"] for row in lambdas.list_functions()["Functions"]] == ["theirs"]
    assert not (folder / ".cache").exists()


def test_a_project_is_loaded_by_a_newman_that_comes_by_itself(user: CleanUser) -> None:
    """The README's ten lines with a function URL: tuned, loaded, judged, taken down."""
    project = user_project.write(user.home / "project")
    (project / "envs" / "local" / "dyno.toml").write_text(LOAD)
    (project / "lambda" / "hello" / "app.py").write_text(SUMS)
    with (project / "envs" / "local" / "main.tf").open("a") as root:
        root.write(URL)
    (project / "postman").mkdir()
    asked = postman_files.request("sum", "{{baseUrl}}", postman_files.is_status(200))
    collection = postman_files.collection(asked)
    postman_files.write(project / "postman" / "load.postman_collection.json", collection)
    result = json.loads(user.must("dyno", "run", "--env", "local", "--json", cwd=project))
    (load,) = result["load"]
    assert load["requests"] > 0
    assert load["errors"] == 0
    assert result["leftovers"] == []
    (newman,) = user.cache.glob("newman/newman-*/node_modules/newman")
    assert newman.is_dir()
    # once: the second time nothing is fetched, with no registry to be reached
    status, _, err = user.run("dyno", "doctor", "--fetch", NPM_CONFIG_REGISTRY="http://127.0.0.1:9")
    assert status == 0, err
    assert "setup:" not in err


def test_what_was_fetched_is_closed_to_others(user: CleanUser, aws: dict[str, str]) -> None:
    """Programs are started from there."""
    assert aws
    for folder in (user.cache, *(path for path in user.cache.iterdir() if path.is_dir())):
        assert stat.S_IMODE(folder.stat().st_mode) & 0o022 == 0, folder
    assert stat.S_IMODE(user.cache.stat().st_mode) == 0o700


def test_uvx_starts_it_by_the_packages_name(user: CleanUser, tmp_path: Path) -> None:
    """`uvx lambda-dyno`, here from the wheel in the place of an index."""
    package = wheel.build(tmp_path / "wheel")
    uvx = str(Path(sys.executable).with_name("uvx"))
    said = user.must(
        uvx, "--native-tls", "--quiet", "--from", str(package), "lambda-dyno", "--version"
    )
    assert said.startswith("lambda-dyno ")
