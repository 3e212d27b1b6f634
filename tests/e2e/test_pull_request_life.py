"""From a pull request to production and back, by the workflows' own commands.

GitHub is a server on this machine, its tokens are ours, and the account is an embedded AWS
whose IAM lets each job do what its role may do.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import github_server, oidc_aws
from tests.support.git_commands import git
from tests.support.github_server import REPOSITORY, TOKEN, GitHub
from tests.support.oidc_aws import StrictAws
from tests.support.waiting import RUN_HANGS_S
from tests.support.workflow_jobs import FORK, PROJECT, Job, Runner, sources

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(3 * RUN_HANGS_S)]

ACCOUNT = "210987654321"
FUNCTION, ALIAS = "dyno-prod-crud-api", "live"
PROPOSE = ".venv/bin/dyno apply --env prod --open-pr --if-needed"
OPERATIONS = "lambda/crud_api/crud_api/operations.py"
# What `list` costs beside, in milliseconds of CPU time, which is what its duration follows from:
# the meter counts it the same on a busy machine.
OWN_WORK = """

def _work(milliseconds: float) -> None:
    import time

    end = time.thread_time() + milliseconds / 1000
    while time.thread_time() < end:
        pass
"""
# 100 ms cost 2.4 USD per million, 130 ms 3.1; the limit lies between.
SETTINGS = """
[environment]
seed_items = 5

[tuning]
power_values = [512, 1024]
num = 5
strategy = "speed"
payload = { operation = "list", payload = {} }

[load]
virtual_users = 2
ramp_up_s = 1.0
duration_s = 3.0
warm_up_s = 0.0

[slo]
cost_per_million_usd = 2.75
confidence = 0.0
"""
# What a deployment is judged by; a machine too busy to load it proves nothing.
OF_DEPLOYMENTS = 'error_ratio = 0.01\ninconclusive = "pass"\n'


@dataclass
class Shop:
    """The repository: a remote and the clone of somebody who works in it."""

    runner: Runner
    aws: StrictAws
    clone: Path

    @property
    def github(self) -> GitHub:
        """GitHub's API."""
        return self.runner.github

    def work(self, milliseconds: int, branch: str) -> None:
        """Push a branch in which `list` takes so much CPU time."""
        git(self.clone, "checkout", "-q", "-B", branch)
        path = self.clone / OPERATIONS
        text = re.sub(r"_work\([\d.]+\)", f"_work({milliseconds})", path.read_text())
        path.write_text(text)
        git(self.clone, "commit", "-qam", f"Work {milliseconds} ms")
        git(self.clone, "push", "-q", "origin", branch)

    def merge(self, branch: str) -> None:
        """Merge a pull request."""
        git(self.clone, "fetch", "-q", "origin")
        git(self.clone, "checkout", "-q", "main")
        git(self.clone, "merge", "-q", "--no-ff", "-m", f"Merge {branch}", f"origin/{branch}")
        git(self.clone, "push", "-q", "origin", "main")

    def deploy(self) -> dict[str, Any]:
        """Run the deploy workflow, approved by its reviewers; return what is deployed."""
        planned = self.runner.run("deploy", "plan")
        assert planned.passed, planned.log
        assert planned.uploaded == ("plan.json",)
        deployed = self.runner.run("deploy", "deploy")
        assert deployed.passed, deployed.log
        for step in ("smoke", "load"):
            assert f"✓ {step}" in deployed.log, deployed.log
        functions = self.aws.session.client("lambda")
        version = functions.get_alias(FunctionName=FUNCTION, Name=ALIAS)["FunctionVersion"]
        found = functions.get_function_configuration(FunctionName=FUNCTION, Qualifier=version)
        return {"memory_mb": found["MemorySize"], "plan": planned.log, "log": deployed.log}

    def result(self, job: Job) -> dict[str, Any]:
        """Return the result of a job's run."""
        (path,) = job.workspace.glob("runs/*/result.json")
        found: dict[str, Any] = json.loads(path.read_text())
        return found


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """acme/shop with the real sources and settings that are measured fast."""
    seed, remote = tmp_path / "seed", tmp_path / "remote.git"
    for path in sources():
        (seed / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / path, seed / path)
    (seed / "envs" / "dev" / "dyno.toml").write_text(SETTINGS)
    (seed / "envs" / "prod" / "dyno.toml").write_text(SETTINGS + OF_DEPLOYMENTS)
    emulated = SETTINGS.replace("[environment]", "[environment]\nemulated = true")
    (seed / "envs" / "local" / "dyno.toml").write_text(emulated)
    operations = (seed / OPERATIONS).read_text()
    listing = "    return store.scan("
    assert operations.count(listing) == 1
    operations = operations.replace(listing, f"    _work(100)\n{listing}")
    (seed / OPERATIONS).write_text(operations + OWN_WORK)
    git(seed, "init", "-q", "-b", "main")
    git(seed, "add", "-A")
    git(seed, "commit", "-qm", "Begin")
    git(tmp_path, "clone", "-q", "--bare", str(seed), str(remote))
    return remote


@pytest.fixture
def shop(tmp_path: Path, remote: Path) -> Iterator[Shop]:
    """The repository, prepared as the README says, and an account of its own."""
    git(tmp_path, "clone", "-q", str(remote), str(tmp_path / "clone"))
    strict = oidc_aws.start(tmp_path, ACCOUNT)
    try:
        with github_server.running() as github:
            runner = Runner(tmp_path, remote, github, strict)
            bootstrap(runner, strict)
            yield Shop(runner, strict, tmp_path / "clone")
            assert github.complaints == []
    finally:
        oidc_aws.stop(strict)


def bootstrap(runner: Runner, aws: StrictAws) -> None:
    """Prepare the account, and take the variables over that the command tells."""
    workspace = runner.checkout("main")
    for env, use in (("dev", "gate"), ("prod", "deploy")):
        # the lifecycle rule is left out: the provider watches a new one for 55 s
        # and nobody is asked which subject the tokens have: ours have no ids
        flags = 'ARGS="--json --keep-versions 0 --no-immutable-subject"'
        line = f"make bootstrap ENV={env} REPO={REPOSITORY} {flags}"
        done = command(workspace, line, aws.local.environment(ACCOUNT))
        for variable in json.loads(done)["variables"]:
            if variable["use"] == use:
                known = runner.variables
                if variable["environment"]:
                    known = runner.environments.setdefault(variable["environment"], {})
                known[variable["name"]] = variable["value"]


def command(folder: Path, line: str, environment: dict[str, str]) -> str:
    """Run what a person types, and return what it prints."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "GITHUB_"))}
    done = subprocess.run(
        ["bash", "-e", "-c", line],
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=RUN_HANGS_S,
        check=False,
    )
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout


def current(result: dict[str, Any]) -> float:
    """Return the measured duration at the deployed memory size, in milliseconds."""
    tuning = result["tuning"]
    (detail,) = [row for row in tuning["details"] if row["power"] == tuning["current_power"]]
    return float(detail["duration_ms"]["trimmed_mean"])


def test_a_change_goes_through_review_into_production_and_back(shop: Shop) -> None:
    """Slowed down and refused, mended and merged, deployed, tuned, applied, rolled back."""
    # GIVEN a pull request that slows the function down by 30 % WHEN the gate runs
    shop.work(130, "change")
    slow = shop.runner.run("gate", "account", event="pull_request", branch="change")
    # THEN it fails, says so in one comment and the summary, and has taken everything down
    assert [step.status == 0 for step in slow.steps] == [False, True], slow.log
    assert slow.lines == ["make tune ENV=dev", "make sweep"]
    assert "GITHUB_TOKEN" not in slow.given and shop.github.requests == []
    begun = shop.runner.run("gate", "announce", event="pull_request", branch="change")
    assert begun.passed and "## ⏳ Measuring" in shop.github.comments[0]["body"], begun.log
    told = shop.runner.run("gate", "comment", event="pull_request", branch="change")
    assert told.passed and ".venv/bin/dyno comment evidence/ " in told.lines[-1], told.log
    assert git(told.workspace, "rev-parse", "--abbrev-ref", "HEAD") == "main"
    (comment,) = shop.github.comments
    first = comment["body"]
    assert "## ✗" in first and "cost 3." in first and "limit 2.75 USD" in first, first
    assert told.summary.strip() and "limit 2.75 USD" in told.summary
    assert "runs/*/report.html" in slow.uploaded and "runs/*/junit.xml" in slow.uploaded

    # WHEN it is mended THEN the gate passes and the same comment says that
    shop.work(100, "change")
    good = shop.runner.run("gate", "account", event="pull_request", branch="change")
    assert good.passed, good.log
    assert shop.runner.run("gate", "comment", event="pull_request", branch="change").passed
    assert [comment["id"]] == [found["id"] for found in shop.github.comments]
    assert "## ✓" in comment["body"], comment["body"]
    assert "| Cost per million | ✓ pass | 2.75 USD |" in comment["body"], comment["body"]
    ratio = current(shop.result(slow)) / current(shop.result(good))
    assert ratio == pytest.approx(1.3, abs=0.1)
    nothing_stands(shop)

    # WHEN it is merged THEN main is deployed
    shop.merge("change")
    assert shop.deploy()["memory_mb"] == 512

    # WHEN the deployed function is tuned on schedule THEN a pull request proposes the size
    refused = shop.runner.run("tune", "tune", event="schedule")
    assert refused.lines[2:] == [PROPOSE, ".venv/bin/dyno notify"]
    assert [step.status for step in refused.steps] == [0, 0, 2, 0], refused.log
    assert "measured the embedded AWS, which is no evidence for prod" in refused.log
    forced = {PROPOSE: "--force"}  # only an account's figures go without it
    tuned = shop.runner.run("tune", "tune", event="schedule", more=forced)
    assert tuned.passed, tuned.log
    (pull,) = shop.github.pulls
    assert pull["title"] == "Set memory of prod to 1024 MB"
    assert "envs/prod/tuned.auto.tfvars.json" in pull["body"]
    assert "runs/*/tuning.json" in tuned.uploaded

    # WHEN that is merged THEN it is deployed, and smoke-tested and loaded at the new size
    shop.merge(pull["head"]["ref"])
    applied = shop.deploy()
    assert applied["memory_mb"] == 1024
    assert "memory_size 512 → 1024" in applied["plan"]
    assert "at 1024 MB in place of 1," in applied["log"]  # the tuner's own versions are gone

    # WHEN nothing better is found THEN nothing is proposed
    again = shop.runner.run("tune", "tune", event="schedule", more=forced)
    assert again.passed and "prod has it already" in again.log, again.log
    assert len(shop.github.pulls) == 1

    # WHEN somebody rolls it back THEN that is a pull request, too, and deployed after its merge
    git(shop.clone, "pull", "-q")
    environment = {
        "GITHUB_API_URL": shop.github.url,
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_TOKEN": TOKEN,
    }
    dyno = PROJECT / ".venv" / "bin" / "dyno"
    command(shop.clone, f"{dyno} rollback --env prod --open-pr", environment)
    assert shop.github.pulls[-1]["title"] == "Set memory of prod back to 512 MB"
    shop.merge(shop.github.pulls[-1]["head"]["ref"])
    assert shop.deploy()["memory_mb"] == 512

    # AND the nightly sweep leaves alone what is deployed
    swept = shop.runner.run("sweep", "sweep", event="schedule")
    assert swept.passed and swept.lines == ["make sweep"], swept.log
    functions = shop.aws.session.client("lambda")
    assert functions.get_function(FunctionName=FUNCTION)
    # AND no job asked for more than its role has, but for the sweep's look for forgotten locks,
    # which is on all functions and of which the deployed ones are none of its business
    refused_to = {answer for answer in shop.aws.answers() if not answer.allowed}
    assert {(answer.role, answer.action) for answer in refused_to} == {
        ("github-dyno-dev-gate", "lambda:GetAlias")
    }
    assert all(":function:dyno-prod-" in answer.resource for answer in refused_to)


def test_a_forks_pull_request_is_checked_without_credentials(tmp_path: Path, remote: Path) -> None:
    """Lint and the whole line run on what is in the checkout; nothing is asked of GitHub."""
    with github_server.running() as github:
        runner = Runner(tmp_path, remote, github)
        # `make test` is what runs this, and checkov is fetched
        linted = runner.run("ci", "test", event=FORK, skip=("make test", "make checkov"))
        assert linted.passed and linted.lines == ["make lint"], linted.log
        gated = runner.run("gate", "embedded", event=FORK)
    assert gated.passed and gated.lines == ["make tune"], gated.log
    assert "runs/*/report.html" in gated.uploaded
    assert github.requests == []


def nothing_stands(shop: Shop) -> None:
    """No function is there: all was the pull request's own, and is down."""
    functions = shop.aws.session.client("lambda")
    assert functions.list_functions()["Functions"] == []
