"""A standing environment on the embedded AWS: deployed, tuned, shifted gradually, put back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.deploy.deploy import Deployed, Deployment
from lambda_dyno.deploy.proof import Proof
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.emulator.server import LocalServer
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.review import plan_summary
from tests.support import report_samples as samples
from tests.support.small_environment import without_tuner

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]
FUNCTION, ALIAS = "dyno-local-crud-api", "live"
QUICK = {
    "deploy.load.duration_s": 3.0,
    "deploy.load.pacing_ms": 0,
    "deploy.load.virtual_users": 2,
    "deploy.load.warm_up_s": 0.0,
}
CANARY = {"deploy.deployment": "canary", "deploy.canary_percent": 20}

Look = Callable[[], tuple[str, dict[str, float]]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, embedded_aws: LocalServer) -> Iterator[Path]:
    """A project with the real sources, but for the tuner: a third of the resources.

    Its environment goes to the server's own account: that is where unsigned calls of an API go.
    """
    folder = tmp_path_factory.mktemp("project")
    ignore = shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__")
    for part in ("envs", "modules", "lambda", "postman"):
        shutil.copytree(PROJECT / part, folder / part, ignore=ignore)
    (folder / "node_modules").symlink_to(PROJECT / "node_modules")
    without_tuner(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in embedded_aws.environment().items():
            patch.setenv(name, value)
        yield folder


@pytest.fixture(scope="module")
def alias(embedded_aws: LocalServer) -> Look:
    """A function that returns the alias: its version, and the shares of others."""
    client = LocalSession(embedded_aws).client("lambda")

    def look() -> tuple[str, dict[str, float]]:
        found = client.get_alias(FunctionName=FUNCTION, Name=ALIAS)
        weights = found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        return found["FunctionVersion"], weights

    return look


def deploy(project: Path, **overrides: Any) -> Deployed:
    """Deploy the local environment, quickly."""
    with Deployment.prepare(project, "local", TerminalUi(), QUICK | overrides) as deployment:
        return deployment.run()


def set_memory(project: Path, memory_mb: int) -> None:
    """Write what `dyno apply` writes."""
    content = f'{{"//": {{"run_id": "x"}}, "memory_mb": {memory_mb}}}'
    (project / "envs" / "local" / "tuned.auto.tfvars.json").write_text(content)


@pytest.mark.slow  # five applies
def test_a_standing_environment_lives_through_good_and_bad_versions(
    project: Path, alias: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each version meets its callers only after it has proven itself."""
    # GIVEN an environment that is deployed for the first time, smoke-tested and loaded
    first = deploy(project)
    assert first.reason == ""
    assert (first.outcome, first.before, first.version.number) == ("deployed", None, "1")
    assert {check.name for check in first.checks} >= {"latency_p95_ms", "error_ratio"}
    assert alias() == ("1", {})
    # AND its state is nobody else's business
    assert (project / ".dyno").stat().st_mode & 0o777 == 0o700

    # WHEN a tuned memory size is merged
    set_memory(project, 1024)
    # THEN the plan has that and nothing else
    with Deployment.prepare(project, "local", TerminalUi(), QUICK) as deployment:
        plan = plan_summary.parse(deployment.plan(), "plan")
    assert [(change.action, change.address) for change in plan.changes] == [
        ("update", "module.environment.module.service.module.function.aws_lambda_alias.this"),
        ("update", "module.environment.module.service.module.function.aws_lambda_function.this"),
    ]
    assert "memory_size 128 → 1024" in plan.changes[1].what

    # WHEN the environment shifts gradually
    seen = []
    with monkeypatch.context() as patch:
        patch.setattr(Proof, "check", lambda *_: seen.append(alias()))
        second = deploy(project, **CANARY)
    # THEN the new version has its share first, and all calls after its check
    assert seen == [("1", {"2": 0.2}), ("2", {})]
    assert (second.outcome, second.version.memory_mb) == ("deployed", 1024)
    assert second.before and second.before.memory_mb == 128
    assert alias() == ("2", {})

    # WHEN a version is published that fails
    handler = project / "lambda" / "crud_api" / "crud_api" / "handler.py"
    source = handler.read_text()
    handler.write_text(source + "\n\ndef handler(event, context):\n    raise RuntimeError('bug')\n")
    bad = deploy(project)
    handler.write_text(source)
    # THEN nobody has met it, and it says why
    assert bad.outcome == "rolled back"
    assert "version 3 (1,024 MB) fails when it is invoked" in bad.reason
    assert "bug" in bad.reason
    assert alias() == ("2", {})

    # WHEN a version misses an SLO under load
    slow = replace(samples.load("current", 128, samples.CURRENT), samples_path="")
    set_memory(project, 128)
    with monkeypatch.context() as patch:
        patch.setattr(Proof, "_load", lambda *_: slow)
        missed = deploy(project, **{"slo.latency_p95_ms": 100.0})
    # THEN it has lost the calls again
    assert missed.outcome == "rolled back"
    assert "version 4 (128 MB) misses the SLOs: p95 at 128 MB is 178 ms" in missed.reason
    assert alias() == ("2", {})


def test_what_is_missing_is_said_before_anything_is_made(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such environment, no bucket, no embedded AWS."""
    for arguments, complaint in (
        (["--env", "staging"], "no such environment"),
        (["--env", "dev"], "make bootstrap ENV=dev"),
        (["--env", "local", "--virtual-users", "0"], "virtual_users: 0"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "lambda_dyno", "deploy", *arguments],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(PROJECT / "harness")},
        )
        assert done.returncode == 2
        assert complaint in done.stderr
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    with pytest.raises(UserError, match="dyno local start"):
        deploy(project)
