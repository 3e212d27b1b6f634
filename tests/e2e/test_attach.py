"""`dyno run --url URL --function NAME`: whole runs on functions and APIs that boto3 has made."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.emulator.server import LocalServer
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.run import api, attach_prepare, ending
from lambda_dyno.run.steps import attach, load, smoke
from tests.conftest import DeployFunction
from tests.support import oidc_aws
from tests.support.attached import KINDS, api_of, as_it_is
from tests.support.postman_files import auth, collection, is_status, request, write
from tests.support.waiting import HANGS_S, RUN_HANGS_S

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]

# 5 ms of CPU; what it is asked by any method, it answers.
ITEMS = """
import json, time

def handler(event, context):
    end = time.process_time() + 0.005
    while time.process_time() < end:
        pass
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"},
            "body": json.dumps({"items": [1, 2, 3]})}
"""
SETTINGS = """
[attach]
url = "{url}"
function = "orders"
max_requests = 2000

[tuning]
power_values = [128, 512]
num = 5

[load]
virtual_users = 2
ramp_up_s = 0.5
duration_s = 3.0
pacing_ms = 500

[slo]
latency_p95_ms = 20000.0
cost_per_million_usd = 50.0
max_rounds = 1
inconclusive = "pass"  # of a test of three seconds
"""


KEYS = {name: f"{{{{{name}}}}}" for name in ("accessKey", "secretKey", "sessionToken")}
SIGNED = auth("awsv4", region="{{region}}", service="{{service}}", **KEYS)


WRITES = collection(
    request("list", "{{baseUrl}}/items"), request("add", "{{baseUrl}}/items", method="POST")
)


@dataclass(frozen=True)
class Place:
    """An account with a function, and a project that has nothing but dyno.toml."""

    project: Path
    session: LocalSession
    environment: dict[str, str]

    def settings(self, text: str) -> None:
        """Write dyno.toml."""
        (self.project / "envs" / "dev" / "dyno.toml").write_text(text)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start `dyno`."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        path = {"PYTHONPATH": str(PROJECT / "harness")}
        return subprocess.Popen(
            [sys.executable, "-m", "lambda_dyno", *arguments],
            cwd=self.project,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**inherited, **self.environment, **path, **variables},
        )

    def dyno(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """Run `dyno` to its end; return status, standard output and standard error."""
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=RUN_HANGS_S)
        return process.returncode, out, err

    def results(self) -> list[dict[str, Any]]:
        """Return the results of all runs here, oldest first."""
        paths = sorted((self.project / "runs").glob("*/result.json"))
        return [json.loads(path.read_text()) for path in paths]


def made(folder: Path, server: LocalServer, account: str, deploy_function: DeployFunction) -> Place:
    """Make an account's function, and a project with an empty dyno.toml."""
    session = LocalSession(server, account)
    deploy_function(session, "orders", ITEMS, MemorySize=256, Timeout=10)
    session.client("lambda").get_waiter("function_active_v2").wait(FunctionName="orders")
    (folder / "envs" / "dev").mkdir(parents=True)
    found = Place(folder, session, server.environment(account))
    found.settings("")
    return found


@pytest.fixture
def place(
    tmp_path: Path,
    embedded_aws: LocalServer,
    new_aws_account: Callable[[], str],
    deploy_function: DeployFunction,
) -> Place:
    return made(tmp_path, embedded_aws, new_aws_account(), deploy_function)


@pytest.fixture(scope="module")
def unchanged(
    tmp_path_factory: pytest.TempPathFactory,
    embedded_aws: LocalServer,
    new_aws_account: Callable[[], str],
    deploy_function: DeployFunction,
) -> tuple[Place, str]:
    """A place where nothing is made, and the address of its API."""
    folder = tmp_path_factory.mktemp("unchanged")
    place = made(folder, embedded_aws, new_aws_account(), deploy_function)
    write(folder / "writes.json", WRITES)
    return place, f"{api_of(place.session, 'orders', 'HTTP API')}items"


def attached_run(results: list[dict[str, Any]]) -> dict[str, Any]:
    return next(one for one in results if one["settings"].get("attach", {}).get("url"))


def test_an_api_is_asked_and_loaded_as_it_is(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is sent is said before; the function is looked at again when all is done."""
    url = api_of(place.session, "orders", "HTTP API")
    before = as_it_is(place.session, "orders")
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    overrides = {
        "attach.url": f"{url}items",
        "attach.function": "orders",
        "load.virtual_users": 1,
        "load.ramp_up_s": 0.0,
        "load.duration_s": 1.0,
    }
    run = attach_prepare.prepare(place.project, None, TerminalUi(), overrides=overrides)
    said = capsys.readouterr().err
    assert "attached to function orders and HTTP API" in said
    assert "at most 140 requests (limit 20,000): smoke 61, workload 2, load 77" in said
    assert run.attached is not None
    attach.step(run, run.attached)
    assert smoke.step(run).passed
    with run.step("load", "a second") as shown:
        loaded = load.once(
            run.env.settings.load,
            api.of(run),
            api.collection(run, "load"),
            label="current",
            memory_mb=256,
            folder=run.folder.load,
            shown=shown,
        )
    assert (loaded.requests, loaded.errors) == (1, 0)
    assert run.attached.allowed is not None
    assert run.attached.allowed.requests_left < 20_000 - loaded.requests
    assert run.result.function_arn.endswith(":function:orders")
    assert (run.result.env, run.result.settings_env) == ("function orders", "")
    assert ending.down(run) == ()
    assert as_it_is(place.session, "orders") == before

    changed = place.session.client("lambda")
    changed.update_function_configuration(FunctionName="orders", MemorySize=320)
    with pytest.raises(Exception, match=r"not as it was: memory 256 MB → 320 MB"):
        ending.down(run)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_run(kind: str, place: Place) -> None:
    """With one file of settings: asked, tuned, loaded at its size, judged; nothing is left."""
    url = api_of(place.session, "orders", kind)
    before = as_it_is(place.session, "orders")
    items = write(
        place.project / "items.json",
        collection(request("list", "{{baseUrl}}/items", is_status(200))),
    )
    signed = json.loads(items.read_text()) | {"auth": SIGNED}
    write(items, signed)
    place.settings(SETTINGS.format(url=url) + f'\n[smoke]\ncollection = "{items}"\n')
    text = (place.project / "envs" / "dev" / "dyno.toml").read_text()
    place.settings(text.replace("[load]\n", f'[load]\ncollection = "{items}"\n'))
    status, out, err = place.dyno("run", "--env", "dev", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["error"] == ""
    assert found["env"] == "dev"
    assert found["leftovers"] == []
    assert found["smoke"]["failures"] == []
    assert [size["power"] for size in found["tuning"]["details"]] == [128, 256, 512]
    assert [one["memory_mb"] for one in found["load"]] == [256]
    assert found["load"][0]["errors"] == 0
    checks = {one["name"]: one["outcome"] for one in found["verdict"]["checks"]}
    assert checks["cost_per_million_usd"] == "pass"
    assert checks["latency_p95_ms"] in ("pass", "inconclusive")
    assert found["environment"]["api"] == {"REST API": "REST", "HTTP API": "HTTP"}.get(kind, "")
    assert found["settings"]["tuning"]["isolation"] == "clone"
    assert "the function is as it was: 256 MB" in err
    assert as_it_is(place.session, "orders") == before
    # what lists, shows and sweeps runs knows it
    assert place.dyno("sweep")[:2] == (0, "nothing to sweep\n")
    assert found["run_id"] in place.dyno("ls")[1]
    listed = json.loads(place.dyno("history", "--json")[1])
    assert [(one["run_id"], one["env"], one["function_name"]) for one in listed] == [
        (found["run_id"], "dev", "orders")
    ]
    assert place.dyno("report", "--run", found["run_id"])[0] == 0
    status, out, _ = place.dyno("comment", found["run_id"], "--dry-run")
    assert "Set the memory size" in out or "Keep 256 MB" in out, out


@pytest.mark.slow
def test_a_function_without_an_api(place: Place) -> None:
    """It is tuned and held against the limits on cost; nothing is asked."""
    before_settings = SETTINGS.format(url="").replace('url = ""\n', "")
    place.settings(before_settings)
    api_of(place.session, "orders", "HTTP API")
    before = as_it_is(place.session, "orders")
    status, out, err = place.dyno("run", "--env", "dev", "--json")
    found = json.loads(out)
    assert found["smoke"] is None
    assert found["load"] == []
    checks = {one["name"]: one["outcome"] for one in found["verdict"]["checks"]}
    assert checks["cost_per_million_usd"] == "pass"
    assert checks["latency_p95_ms"] == "inconclusive"  # nothing was asked
    assert status == 0, err
    assert as_it_is(place.session, "orders") == before


@pytest.mark.slow
def test_a_tuner_that_stands_is_used(place: Place) -> None:
    """Then nothing is deployed, and the tuner stays."""
    url = api_of(place.session, "orders", "function URL")
    options = ("--isolation", "clone", "--keep", "--power", "128", "--num", "5")
    status, _, err = place.dyno("tune", "--function", "orders", *options)
    assert status == 0, err
    machines = place.session.client("stepfunctions").list_state_machines()["stateMachines"]
    (machine,) = [one["stateMachineArn"] for one in machines]
    before = as_it_is(place.session, "orders")
    settings = SETTINGS.format(url=url).replace("[attach]\n", f"[attach]\ntuner = '{machine}'\n")
    place.settings(settings)
    status, out, err = place.dyno("run", "--env", "dev", "--json")
    assert status == 0, err
    assert "deploying" not in err
    assert json.loads(out)["tuning"]["current_power"] == 256
    assert as_it_is(place.session, "orders") == before
    (kept,) = [one["run_id"] for one in place.results() if one["env"] == "function orders"]
    assert place.dyno("down", "--run", kept)[0] == 0


POLICIES = ("attach-policy", "attach-tuner-policy")
ACCOUNT = "123456789012"
MAY_ALL = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
)
# Asked in other cases than this one: an alias, a stop, a custom domain, versions of a package.
ELSEWHERE_NEEDED = {
    "lambda:GetAccountSettings",  # not of a stand-in
    "s3:DeleteObjectVersion",
    "s3:ListBucketVersions",
    "states:StopExecution",
}
# Looked at where somebody may: which runs are in the account's state bucket.
NOT_NEEDED = {"s3:ListBucket", "s3:GetObject"}


@pytest.mark.slow
def test_the_policies_of_the_docs_are_exact(
    tmp_path: Path, deploy_function: DeployFunction
) -> None:
    """With both a run gets all that it asks for, and there is nothing more in them."""
    aws = oidc_aws.start(tmp_path, ACCOUNT)
    try:
        place = made(tmp_path / "project", aws.local, ACCOUNT, deploy_function)
        url = api_of(place.session, "orders", "HTTP API")
        boundary = place.session.client("iam").create_policy(
            PolicyName="boundary", PolicyDocument=MAY_ALL
        )["Policy"]["Arn"]
        api_id = url.removeprefix("https://").partition(".")[0]
        granted = role_of(place, {"API": api_id, "BOUNDARY": boundary})
        keys = place.session.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/person", RoleSessionName="person"
        )["Credentials"]
        names = {"ACCESS_KEY_ID": "AccessKeyId", "SECRET_ACCESS_KEY": "SecretAccessKey"}
        names["SESSION_TOKEN"] = "SessionToken"
        session = {f"AWS_{name}": keys[key] for name, key in names.items()}
        person = replace(place, environment={**place.environment, **session})
        person.settings(SETTINGS.format(url=f"{url}items"))
        done = person.dyno("run", "--env", "dev", TF_VAR_permissions_boundary_arn=boundary)
        assert done[0] == 0, done[2]
        asked = [one for one in aws.answers() if one.role == "person"]
    finally:
        oidc_aws.stop(aws)
    denied = {(one.action, one.resource) for one in asked if not one.allowed}
    assert {action for action, _ in denied} <= NOT_NEEDED, denied
    used = {one.action for one in asked}
    assert {action for action in granted if action not in used} <= ELSEWHERE_NEEDED


def role_of(place: Place, given: dict[str, str]) -> set[str]:
    """Make a role with the policies of the docs, filled in, and return their actions."""
    iam = place.session.client("iam")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
    }
    document = {"Version": "2012-10-17", "Statement": [trust]}
    iam.create_role(RoleName="person", AssumeRolePolicyDocument=json.dumps(document))
    filled = {"ACCOUNT": ACCOUNT, "REGION": "us-east-1", "FUNCTION": "orders", **given}
    actions: set[str] = set()
    for name in POLICIES:
        text = (PROJECT / "docs" / "examples" / f"{name}.json").read_text()
        for word, value in filled.items():
            text = re.sub(rf"\b{word}\b", value, text)
        iam.put_role_policy(RoleName="person", PolicyName=name, PolicyDocument=text)
        for statement in json.loads(text)["Statement"]:
            actions |= set(statement["Action"])
    return actions


@pytest.mark.slow
def test_it_goes_on_after_a_kill(place: Place) -> None:
    """What was measured is kept while the function is the same; its tuner is swept."""
    url = api_of(place.session, "orders", "HTTP API")
    before = as_it_is(place.session, "orders")
    place.settings(SETTINGS.format(url=f"{url}items"))
    process = place.start("run", "--env", "dev")
    deadline = time.monotonic() + RUN_HANGS_S
    while time.monotonic() < deadline:
        found = [one for one in place.results() if one["settings"].get("attach", {}).get("url")]
        if found and found[0]["tuning"]:
            break
        time.sleep(0.2)
    process.kill()
    process.communicate(timeout=HANGS_S)
    run_id = attached_run(place.results())["run_id"]
    status, out, err = place.dyno("run", "--resume", run_id, "--json")
    assert status == 0, err
    assert "finished before: tune" in err
    assert json.loads(out)["leftovers"] == []
    assert as_it_is(place.session, "orders") == before


@pytest.mark.slow
def test_ctrl_c_takes_the_tuner_down(place: Place) -> None:
    """While it measures: the function is as it was, and the report is there."""
    url = api_of(place.session, "orders", "function URL")
    before = as_it_is(place.session, "orders")
    place.settings(SETTINGS.format(url=url).replace("num = 5", "num = 1000"))
    process = place.start("run", "--env", "dev", "--yes")
    deadline = time.monotonic() + RUN_HANGS_S
    while time.monotonic() < deadline:
        if any(
            one["TracingConfig"] and "-copy-" in one["FunctionName"] for one in _functions(place)
        ):
            break
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=RUN_HANGS_S)
    assert process.returncode == 130, err
    assert as_it_is(place.session, "orders") == before
    found = attached_run(place.results())
    assert found["error"] == "interrupted"
    assert (place.project / "runs" / found["run_id"] / "report.html").is_file()


def _functions(place: Place) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = place.session.client("lambda").list_functions()["Functions"]
    return found


ATTACHED = "[attach]\nurl = '{url}'\nfunction = 'orders'\n"
BOTH = ("--url", "{url}", "--function", "orders")
MUCH = (*BOTH, "--duration-s", "3600", "--virtual-users", "200")
ELSEWHERE = "arn:aws:lambda:eu-west-1:{account}:function:orders"
DEV = ("--env", "dev")


@pytest.mark.parametrize(
    ("settings", "arguments", "why"),
    [
        ("", ("--url", "{url}"), "--function"),
        ("[attach]\nurl = '{url}'", DEV, "--function NAME, or function in"),
        ("", ("--function", "nobody"), "there is no function nobody"),
        ("", (*BOTH, "--keep"), "--keep: nothing is deployed"),
        ("", (*BOTH, "--port", "4567"), "--port: no embedded"),
        ("", (*BOTH, "--at", "128"), "--at: an API calls"),
        ("", (*BOTH, "--baseline", "main"), "--baseline: a comp"),
        ("", (*DEV, "--yes"), "--yes: it is for a run with --url"),
        ("", ("--function", ELSEWHERE, "--region", "us-east-1"), "name one of them"),
        ("[attach]\nfunction = 'orders'\ntuner = 'x'", DEV, "[attach] tuner x: not the ARN"),
        ("", MUCH, "are more than [attach] max_requests = 20000"),
        (
            f"{ATTACHED}max_cost_usd = 0.01\n[slo]\nlatency_p95_ms = 9.0",
            DEV,
            "are more than [attach] max_cost_usd = 0.01",
        ),
        (
            f"{ATTACHED}[load]\ncollection = '../../writes.json'",
            DEV,
            'POST "add". Take a collection that only reads',
        ),
    ],
)
def test_what_is_refused_before_anything_is_made(
    unchanged: tuple[Place, str],
    settings: str,
    arguments: tuple[str, ...],
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Status 2 and a line that says what is allowed."""
    place, url = unchanged
    known = {"url": url, "account": place.session.account_id}
    place.settings(settings.format(**known))
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    status, said = _invoke(place, *(one.format(**known) for one in arguments))
    assert status == 2, said
    assert why in said
    assert "Traceback" not in said
    assert not list((place.project / "runs").glob("*/lease.json"))


def test_a_pull_request_cannot_say_yes(
    unchanged: tuple[Place, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the limits of the default branch there is nothing."""
    place, url = unchanged
    for name, value in {
        **place.environment,
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_REF": "refs/pull/7/merge",
    }.items():
        monkeypatch.setenv(name, value)
    place.settings(f"[attach]\nurl = '{url}'\nfunction = 'orders'\nmax_requests = 9000000\n")
    many = ("--env", "dev", "--yes", "--duration-s", "3600", "--virtual-users", "200")
    status, said = _invoke(place, *many)
    assert status == 2
    assert "in a pull request the default branch's limits hold, without --yes" in said
    assert "max_requests = 20000" in said


def _invoke(place: Place, *arguments: str) -> tuple[int, str]:
    from typer.testing import CliRunner

    from lambda_dyno.cli.app import app

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place.project)
        done = CliRunner().invoke(app, ["run", *arguments])
    problem = done.exception
    return (
        (problem.exit_code, str(problem))
        if isinstance(problem, UserError)
        else (done.exit_code, done.output)
    )
