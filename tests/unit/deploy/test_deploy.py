"""In what order a deployment applies, shifts, checks and goes back; the I/O is recorded."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.aws import function_lock
from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.config import DeploySettings, Env, Settings, with_overrides
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.results import Check, Verdict
from lambda_dyno.deploy import proof, sources
from lambda_dyno.deploy.deploy import Deployment
from lambda_dyno.deploy.proof import CheckError, Proof
from lambda_dyno.deploy.versions import Version
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.tuner_contract.marks import Lock
from tests.support import report_samples as samples

ONE, TWO = Version("1", 512), Version("2", 1024)
OUTPUTS = {"function_name": "f", "api_url": "https://x.execute-api.eu-west-1.amazonaws.com/v1"}


class Recorded(Deployment):
    """A deployment without Terraform, Lambda and API."""

    def begin(self, live: Version | None, newest: Version, **fails: BaseException) -> Recorded:
        """Say what is deployed, and which step fails: invoke, check1, check2, promote."""
        self.live, self.newest, self.fails = live, newest, fails
        self.steps: list[str] = []
        return self

    def _known(self) -> dict[str, Any]:
        return {"function_name": "dyno-dev-crud-api"} if self.live else {}

    def _live(self, outputs: Any) -> Version | None:
        return self.live

    def _newest(self, function: str) -> Version:
        return self.newest

    def _apply(self, name: str, stable: Version | None, percent: int) -> dict[str, Any]:
        held = f" held at {stable.number}, {percent} %" if stable else ""
        self._step(name, f"{name}{held}")
        if self.live != self.newest and name == "publish":
            self.changes.append("update function")
        return dict(OUTPUTS)

    def _step(self, key: str, text: str) -> None:
        self.steps.append(text)
        if key in self.fails:
            raise self.fails[key]


class RecordedProof(Proof):
    """A proof that only says what it is asked for."""

    line: Recorded

    def invoke(self, function: str, version: Version) -> None:
        self.line._step("invoke", f"invoke {version.number}")

    def check(self, outputs: Any, version: Version, share: str = "") -> None:
        count = sum(step.startswith("check") for step in self.line.steps) + 1
        text = f"check {version.number}" + (f" {share}" if share else "")
        self.line._step(f"check{count}", text)


def line(deployment: str, *begin: Any, **fails: BaseException) -> Recorded:
    """Return a deployment that is ready to run."""
    settings = Settings(deploy=DeploySettings(deployment=deployment, canary_percent=20))  # type: ignore[arg-type]
    env = Env("dev", Path("envs/dev"), settings)
    account = Account("123456789012", "eu-west-1", "", {})
    recorded = RecordedProof(env, account, Path(), TerminalUi())
    made = Recorded(env, account, Path(), None, TerminalUi(), recorded)  # type: ignore[arg-type]
    recorded.line = made
    return made.begin(*begin, **fails)


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tuning has the function."""
    monkeypatch.setattr(function_lock, "find", lambda *_: None)


def test_a_function_that_is_being_tuned_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory size and its newest version are the tuner's."""
    lock = Lock("arn:aws:states:eu-west-1:1:execution:dyno-dev-tuner:x", 512)
    monkeypatch.setattr(function_lock, "find", lambda *_: lock)
    deployment = line("canary", ONE, TWO)
    with pytest.raises(UserError, match="dyno-dev-crud-api is being tuned"):
        deployment.run()
    assert deployment.steps == []


def test_the_first_version_has_nobody_to_be_held_for() -> None:
    """It is deployed and checked."""
    deployment = line("canary", None, ONE)
    assert deployment.run().outcome == "deployed"
    assert deployment.steps == ["publish", "check 1"]


def test_without_a_new_version_the_environment_is_checked() -> None:
    """Whatever else has changed."""
    deployment = line("canary", ONE, ONE)
    assert deployment.run().outcome == "unchanged"
    assert deployment.steps == ["publish held at 1, 0 %", "check 1"]


@pytest.mark.parametrize(
    ("deployment", "steps"),
    [
        ("all-at-once", ["promote", "check 2"]),
        (
            "canary",
            ["shift held at 1, 20 %", "check 2 20 % of the calls", "promote", "check 2"],
        ),
    ],
)
def test_a_new_version_proves_itself(deployment: str, steps: list[str]) -> None:
    """Unseen first, with a share where that is asked for, then with all calls."""
    made = line(deployment, ONE, TWO)
    done = made.run()
    assert (done.outcome, done.before, done.version) == ("deployed", ONE, TWO)
    assert done.passed
    assert made.steps == ["publish held at 1, 0 %", "invoke 2", *steps]


@pytest.mark.parametrize("step", ["invoke", "check1", "check2"])
def test_a_version_that_does_not_pass_loses_its_calls(step: str) -> None:
    """At whatever point; the reason is told."""
    made = line("canary", ONE, TWO, **{step: CheckError("it is slow")})
    done = made.run()
    assert (done.outcome, done.reason, done.passed) == ("rolled back", "it is slow", False)
    assert made.steps[-1] == "back held at 1, 0 %"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("Terraform broke")])
def test_whatever_happens_in_between_the_calls_go_back(error: BaseException) -> None:
    """A cancelled job leaves no share with a version that nobody has judged."""
    made = line("canary", ONE, TWO, promote=error)
    with pytest.raises(type(error)):
        made.run()
    assert made.steps[-2:] == ["promote", "back held at 1, 0 %"]


def test_a_first_version_that_does_not_pass_fails_where_it_stands() -> None:
    """There is nothing to go back to."""
    made = line("canary", None, ONE, check1=CheckError("it is slow"))
    done = made.run()
    assert (done.outcome, done.passed) == ("failed", False)
    assert made.steps == ["publish", "check 1"]
    assert done.to_json()["version_before"] is None


# --- what a check's verdict means ----------------------------------------------------------


def check(outcome: str, measured: float | None = 250.0) -> Check:
    return Check("latency_p95_ms", 300.0, measured, outcome, f"it is {outcome}")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("inconclusive", "load", "found", "passes"),
    [
        ("pass", {}, check("pass"), True),
        ("pass", {}, check("fail"), False),
        ("pass", {}, check("inconclusive"), True),  # a small load is not to prove everything
        ("fail", {}, check("inconclusive"), False),
        ("pass", {}, check("inconclusive", None), False),  # nothing measured is no evidence
        ("pass", {"saturated": "this machine was busy"}, check("inconclusive"), False),
        ("pass", {"requests": 0}, check("inconclusive"), False),
        ("slo", {"saturated": "this machine was busy"}, check("inconclusive", None), True),
    ],
)
def test_too_little_evidence_is_what_the_settings_say(
    inconclusive: str,
    load: dict[str, Any],
    found: Check,
    passes: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A version loses its calls for what was shown, or for want of any measurement."""
    section = "slo" if inconclusive == "slo" else "deploy"
    value = "pass" if inconclusive == "slo" else inconclusive
    settings = with_overrides(Settings(), {f"{section}.inconclusive": value})
    account = Account("123456789012", "eu-west-1", "", {})
    made = Proof(Env("dev", Path("envs/dev"), settings), account, Path(), TerminalUi())
    measured = replace(samples.load("current", 512, [250.0]), samples_path="", **load)
    monkeypatch.setattr(made, "_smoke", lambda *_: None)
    monkeypatch.setattr(made, "_load", lambda *_: measured)
    verdict = Verdict(found.outcome, (found,))
    monkeypatch.setattr(proof.gate, "of_load", lambda *_: verdict)
    with nullcontext() if passes else pytest.raises(CheckError, match=found.reason):
        made.check(OUTPUTS, TWO)
    assert made.checks == (found,)


# --- the roles that are made ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "variable", "given"),
    [
        ("", "permissions_boundary_arn", {"TF_VAR_permissions_boundary_arn": "of-the-bootstrap"}),
        ("mine", "permissions_boundary_arn", {}),  # the workflow's, for example
        ("", "another", {}),  # a root that bounds nothing
    ],
)
def test_a_local_deployment_bounds_roles_as_the_workflow_does(
    said: str,
    variable: str,
    given: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By what the bootstrap made, unless somebody says another."""
    (tmp_path / "variables.tf").write_text(f'variable "{variable}" {{}}\n')
    monkeypatch.setenv("TF_VAR_permissions_boundary_arn", said)
    monkeypatch.setattr(sources.deployed, "boundary_arn", lambda *_: "of-the-bootstrap")
    env = Env("dev", Path("envs/dev"), Settings())
    account = Account("123456789012", "eu-west-1", "", {})
    assert sources.boundary(env, account, {}, tmp_path) == given
