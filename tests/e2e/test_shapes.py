"""Functions of other tools: deployed as these do it, measured, and the size back in their file.

docs/examples has the services, as docs/with-*.md show them. What SAM, the CDK and the Serverless
Framework make of theirs is in tests/data/shapes, with how it was made: a template each, which
CloudFormation (here the embedded AWS's) deploys.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_dyno.core.results import EACH, LOADED
from lambda_dyno.emulator.boto_session import LocalSession
from tests.support import stacks
from tests.support.git_commands import git
from tests.support.user_project import processes_of
from tests.support.waiting import RUN_HANGS_S

if TYPE_CHECKING:
    from lambda_dyno.emulator.server import LocalServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2 * RUN_HANGS_S)]

PROJECT = Path(__file__).parents[2]
EXAMPLES = PROJECT / "docs" / "examples"
COMPILED = PROJECT / "tests" / "data" / "shapes"


@dataclass(frozen=True)
class Shape:
    """A service of another tool."""

    name: str  # of its folder
    file: str  # that declares the function
    code: str  # folder of the function's code
    line: str  # of the file, that has the size
    arguments: tuple[str, ...] = ()  # of dyno apply
    function: str = ""  # empty: the stack's output FunctionName
    url: str = "ApiUrl"  # the stack's output


SHAPES = (
    Shape("sam", "template.yaml", "src", "      MemorySize: 128 # as it was on the first day"),
    Shape("cdk", "cdk.json", "src", '      "memoryMb": 128', ("--resource", "orders.memoryMb")),
    Shape(
        "serverless",
        "serverless.yml",
        ".",
        "    memorySize: 128 # it only adds up",
        function="orders-dev-price",
        url="HttpApiUrl",
    ),
    Shape("function-url", "template.yaml", "src", "    Default: 128"),
)


@dataclass(frozen=True)
class Place:
    """An account with a power tuner that CloudFormation deployed."""

    session: LocalSession
    environment: dict[str, str]
    tuner_arn: str

    def dyno(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `dyno` in a repository."""
        return dyno(folder, self.environment, *arguments)

    def deploy(self, shape: Shape) -> dict[str, str]:
        """Deploy a service's stack, and return its outputs."""
        code = stacks.upload(
            self.session,
            f"code-{shape.name}-{self.session.account_id}",
            stacks.zipped(EXAMPLES / shape.name / shape.code),
        )
        if shape.name == "cdk":  # which `cdk bootstrap` leaves in an account
            self.session.client("ssm").put_parameter(
                Name="/cdk-bootstrap/hnb659fds/version", Value="21", Type="String", Overwrite=True
            )
        compiled = COMPILED / f"{shape.name}.json"
        if compiled.is_file():
            template = stacks.with_code(json.loads(compiled.read_text()), code)
            return stacks.deploy(self.session, "orders", json.dumps(stacks.with_routes(template)))
        body = (EXAMPLES / shape.name / shape.file).read_text()
        parameters = {"CodeBucket": code["S3Bucket"], "CodeKey": code["S3Key"]}
        return stacks.deploy(self.session, "orders", body, parameters)


def dyno(
    folder: Path, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run `dyno` in a folder, with nothing of this environment's AWS but what is given."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "GIT_"))}
    return subprocess.run(
        [sys.executable, "-m", "lambda_dyno", *arguments],
        cwd=folder,
        env={
            **inherited,
            **environment,
            "PYTHONPATH": str(PROJECT / "harness"),
            "COLUMNS": "200",
            "GIT_CONFIG_GLOBAL": os.devnull,
        },
        capture_output=True,
        text=True,
        timeout=RUN_HANGS_S,
    )


@pytest.fixture(scope="module")
def place(embedded_aws: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An account with a tuner for all functions whose names begin with orders.

    It is the server's first one: in others its APIs answer signed requests alone.
    """
    account = embedded_aws.account_id
    session, environment = LocalSession(embedded_aws, account), embedded_aws.environment(account)
    folder = tmp_path_factory.mktemp("tuner")
    session.client("s3").create_bucket(Bucket=f"packages-{account}")
    done = dyno(
        folder,
        environment,
        *("tuner", "template", "--function", "orders*", "--bucket", f"packages-{account}"),
        *("--output", "tuner.yaml"),
    )
    assert done.returncode == 0, done.stderr
    outputs = stacks.deploy(session, "tuner", (folder / "tuner.yaml").read_text())
    yield Place(session, environment, outputs["StateMachineArn"])
    stacks.delete(session, "tuner")


def repository(folder: Path, name: str) -> Path:
    """Copy an example into a repository of its own, with no file of ours."""
    shutil.copytree(EXAMPLES / name, folder)
    (folder / ".gitignore").write_text("runs/\n.cache/\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Begin")
    return folder


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(shape, id=shape.name, marks=[] if shape.name == "sam" else [pytest.mark.slow])
        for shape in SHAPES
    ],
)
def test_a_function_of_another_tool_is_tuned_and_its_size_goes_into_the_tool_s_file(
    place: Place, tmp_path: Path, shape: Shape
) -> None:
    """The file is the same but for one number; the commit has the evidence, and can be undone."""
    folder = repository(tmp_path / "repository", shape.name)
    before = (folder / shape.file).read_text()
    outputs = place.deploy(shape)
    try:
        done = place.dyno(
            folder,
            *(
                "tune",
                "--function",
                shape.function or outputs["FunctionName"],
                "--tuner",
                place.tuner_arn,
            ),
            *("--power", "128,512", "--num", "10", "--strategy", "speed", "--json"),
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["power"] == 512
    finally:
        stacks.delete(place.session, "orders")
    applied = place.dyno(
        folder, "apply", "--write", shape.file, *shape.arguments, "--force", "--commit", "--json"
    )
    assert applied.returncode == 0, applied.stderr
    text = (folder / shape.file).read_text()
    assert text == before.replace(shape.line, shape.line.replace("128", "512"))
    assert text != before
    assert "which is no evidence" in " ".join(git(folder, "log", "-1", "--format=%B").split())
    back = place.dyno(folder, "rollback", "--write", shape.file, "--commit")
    assert back.returncode == 0, back.stderr
    assert (folder / shape.file).read_text() == before
    assert git(folder, "status", "--porcelain") == ""


ATTACHED = """
[attach]
url = "{url}"
function = "{function}"
tuner = "{tuner}"
in_place = true

[tuning]
power_values = [128, 512]
num = 5
payload = {{ id = "7" }}

[smoke]
collection = "../../orders.postman_collection.json"

[load]
collection = "../../orders.postman_collection.json"
virtual_users = 2
ramp_up_s = 1.0
duration_s = 4.0

[slo]
error_ratio = 0.1
distance_from_best = 100.0
inconclusive = "pass"
"""


@pytest.mark.slow  # attached runs: test_attach.py
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_service_of_another_tool_is_tuned_loaded_and_judged_with_one_file_added(
    place: Place, tmp_path: Path, shape: Shape
) -> None:
    """Its own collection goes to its own API; nothing is deployed, and the function stays."""
    folder = repository(tmp_path / "repository", shape.name)
    outputs = place.deploy(shape)
    function = shape.function or outputs["FunctionName"]
    (folder / "envs" / "dev").mkdir(parents=True)
    (folder / "envs" / "dev" / "dyno.toml").write_text(
        ATTACHED.format(url=outputs[shape.url], function=function, tuner=place.tuner_arn)
    )
    lambdas = place.session.client("lambda")
    before = lambdas.get_function_configuration(FunctionName=function)
    try:
        done = place.dyno(folder, "run", "--env", "dev", "--json")
        after = lambdas.get_function_configuration(FunctionName=function)
    finally:
        stacks.delete(place.session, "orders")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["smoke"]["requests"] == 1
    assert result["load"][0]["requests"] > 0
    assert {detail["power"] for detail in result["tuning"]["details"]} == {128, 512}
    assert result["verdict"]["outcome"] in ("pass", "inconclusive")
    assert (after["MemorySize"], after["CodeSha256"]) == (
        before["MemorySize"],
        before["CodeSha256"],
    )
    assert git(folder, "status", "--porcelain") == "?? envs/"


@pytest.mark.slow  # names, several functions and roots elsewhere: unit/terraform, unit/run
def test_a_root_with_names_of_its_own_is_deployed_tuned_loaded_judged_and_gone(
    tmp_path: Path,
) -> None:
    """A modules layout, an HTTP API and two functions, below infra/; dyno.toml is all that is new.

    Both functions are tuned; the sizes of both go into the root's own variable.
    """
    folder = repository(tmp_path / "repository", "terraform")
    done = dyno(folder, {"AWS_PROFILE": "nobody"}, "run", "--root", "infra/shop", "--json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["leftovers"] == []
    assert result["env"] == "shop"
    assert set(result["environment"]["outputs"][EACH]) == {"orders", "stock"}
    assert result["environment"]["outputs"][LOADED] == "orders"
    assert result["tuning"]["function_arn"].endswith("-orders")
    (stock,) = result["functions"]
    assert stock["name"] == "stock"
    assert stock["tuning"]["function_arn"].endswith("-stock")
    assert result["load"][0]["requests"] > 0
    assert "distance_from_best of stock" in {one["name"] for one in result["verdict"]["checks"]}
    assert result["verdict"]["outcome"] in ("pass", "inconclusive")
    report = (folder / "runs" / result["run_id"] / "report.md").read_text()
    assert "| stock |" in report
    sizes = {"orders": result["tuning"]["power"], "stock": stock["tuning"]["power"]}
    if sizes["orders"] == 128:
        pytest.skip("128 MB is recommended on this machine: nothing to apply")
    applied = dyno(folder, {}, "apply", result["run_id"], "--force", "--json")
    assert applied.returncode == 0, applied.stderr
    written = json.loads((folder / "infra" / "shop" / "tuned.auto.tfvars.json").read_text())
    assert written["memory"] == sizes
    assert processes_of(folder) == []
