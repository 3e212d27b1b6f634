"""The whole line: its order, its exit status, and that teardown always comes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.config import Env, Settings, SloSettings
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.results import Check, Leftover, Outcome, RunResult, Verdict
from lambda_dyno.history import record
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.run import build, ending, lifecycle, order
from lambda_dyno.run.run import Run
from lambda_dyno.run.steps import compare, gate, load, smoke, tune, up
from lambda_dyno.runs import run_folder


class FakeRun:
    """A run whose steps only say that they were asked for; any of them can do something else."""

    def __init__(self, tmp_path: Path, outcome: Outcome = "pass") -> None:
        self.folder = run_folder.create(tmp_path, "local", "dyno", timedelta(hours=1))
        self.folder.update_lease(state="up")
        self.project = tmp_path
        self.env = Env("local", tmp_path, Settings())
        self.ui = TerminalUi()
        self.account = Account("000000000000", "us-east-1", "", {})
        self.calls: list[str] = []
        self.on: dict[str, Callable[[], object]] = {}
        self.baseline: object = None
        self.attached: object = None
        self.result = RunResult(
            run_id=self.folder.run_id,
            env="local",
            git_sha="",
            started_at="",
            timings={},
            name_prefix="",
            outputs={},
            settings={},
            verdict=Verdict(outcome, (Check("error_ratio", 0.01, 0.0, outcome, "x"),)),
        )

    def step(self, name: str) -> Callable[..., object]:
        def do(*_: object, **_more: object) -> object:
            self.calls.append(name)
            return self.on[name]() if name in self.on else None

        return do

    def fail(self, error: BaseException) -> None:
        self.result = replace(self.result, error=str(error) or type(error).__name__)


STEPS = {
    "build": build,
    "up": up,
    "smoke": smoke,
    "tune": tune,
    "load": load,
    "compare": compare,
    "gate": gate,
}
ENDING = ("report", "down", "refresh_report", "keep")


def with_fake_steps(fake: FakeRun, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    """Let the real order and lifecycle call steps that only say that they were called."""
    for name, module in STEPS.items():
        monkeypatch.setattr(module, "step", fake.step(name))
    for name in ENDING:
        monkeypatch.setattr(ending, name, fake.step(name))
    monkeypatch.setattr(order.api, "why_not", lambda *_: "")
    return fake


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    monkeypatch.setenv(record.VARIABLE, record.OFF)
    return with_fake_steps(FakeRun(tmp_path), monkeypatch)


def execute(fake: FakeRun, *, keep: bool = False) -> int:
    run = cast("Run", fake)
    return lifecycle.execute(run, lambda: order.whole_line(run), keep=keep)


def raiser(error: BaseException) -> Callable[[], object]:
    def step() -> object:
        raise error

    return step


def test_the_steps_come_in_their_order(fake: FakeRun) -> None:
    """And the report is brought up to date with what teardown found."""
    assert execute(fake) == 0
    assert fake.calls == [
        "build",
        "up",
        "smoke",
        "tune",
        "load",
        "gate",
        "report",
        "down",
        "refresh_report",
    ]


def test_the_history_has_a_run_once_all_is_taken_down(
    fake: FakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be written to is a line, and the status as it was."""
    monkeypatch.delenv(record.VARIABLE)
    kept: list[list[str]] = []
    monkeypatch.setattr(
        record, "keep", lambda result, *_: kept.append([*fake.calls, result.run_id])
    )
    assert execute(fake) == 0
    assert kept == [[*fake.calls, fake.folder.run_id]]
    assert "down" in kept[0]
    monkeypatch.undo()
    (tmp_path / "history").write_text("no folder")
    run = with_fake_steps(FakeRun(tmp_path), monkeypatch)
    assert execute(run) == 0


def test_a_baseline_is_compared_with_before_the_gate(fake: FakeRun) -> None:
    """After the load, so that the gate knows both."""
    fake.baseline = "main"
    assert execute(fake) == 0
    assert fake.calls[4:7] == ["load", "compare", "gate"]


@pytest.mark.parametrize("step", ["build", "up", "smoke", "tune", "load", "gate"])
@pytest.mark.parametrize(
    ("error", "status"),
    [(StepError("x", "broke"), 3), (UserError("wrong"), 2), (KeyboardInterrupt(), 130)],
    ids=["failed", "mistake", "ctrl-c"],
)
def test_whatever_ends_a_step_the_environment_goes_and_evidence_stays(
    fake: FakeRun, step: str, error: BaseException, status: int
) -> None:
    """No later step runs, and the reason is kept."""
    fake.on[step] = raiser(error)
    assert execute(fake) == status
    assert fake.calls[-4:] == [step, "report", "down", "refresh_report"]
    assert fake.result.error


def test_a_bug_ends_with_its_traceback_but_not_before_teardown(fake: FakeRun) -> None:
    """Unforeseen errors are not hidden, and leak nothing."""
    fake.on["tune"] = raiser(ZeroDivisionError("bug"))
    with pytest.raises(ZeroDivisionError):
        execute(fake)
    assert "down" in fake.calls


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_run_in_order(fake: FakeRun, number: signal.Signals) -> None:
    """SIGTERM is what a cancelled CI job sends."""
    fake.on["tune"] = lambda: os.kill(os.getpid(), number)
    assert execute(fake) == 130
    assert fake.calls[-3:] == ["report", "down", "refresh_report"]


def test_ctrl_c_during_teardown_does_not_stop_it(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told that teardown goes on."""
    fake.on["down"] = lambda: os.kill(os.getpid(), signal.SIGINT)
    assert execute(fake) == 0
    assert fake.calls[-1] == "refresh_report"
    assert "still taking the environment down" in capsys.readouterr().err


def test_insisting_abandons_teardown_and_says_how_to_finish_it(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three times; the state stays."""

    def insist() -> None:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)

    fake.on["down"] = insist
    assert execute(fake) == 3
    assert f"make down RUN={fake.folder.run_id}" in capsys.readouterr().err


def test_a_failed_teardown_fails_a_run_that_passed_and_names_what_is_left(
    fake: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the command that removes it."""
    left = Leftover("log group", "/aws/lambda/x", "aws logs delete-log-group")
    fake.result = replace(fake.result, leftovers=(left,))
    fake.on["down"] = raiser(StepError("down", "left behind"))
    assert execute(fake) == 3
    error = capsys.readouterr().err
    assert "left behind" in error
    assert "log group /aws/lambda/x: aws logs delete-log-group" in error


def test_a_failed_teardown_does_not_hide_the_first_error(fake: FakeRun) -> None:
    """It is reported next to it."""
    fake.on["load"] = raiser(UserError("first"))
    fake.on["down"] = raiser(StepError("down", "second"))
    assert execute(fake) == 2
    assert fake.result.error == "first"


def test_a_kept_environment_stands_unless_it_never_did(fake: FakeRun) -> None:
    """A half-made one is taken down even then."""
    assert execute(fake, keep=True) == 0
    assert "keep" in fake.calls
    assert "down" not in fake.calls
    fake.folder.update_lease(state="creating")
    fake.calls.clear()
    execute(fake, keep=True)
    assert "down" in fake.calls


@pytest.mark.parametrize(
    ("outcome", "means", "status"),
    [
        ("pass", "fail", 0),
        ("fail", "fail", 1),
        ("fail", "pass", 1),
        ("inconclusive", "fail", 1),
        ("inconclusive", "pass", 0),
    ],
)
def test_the_exit_status_follows_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, means: Any, status: int
) -> None:
    """What inconclusive means is a setting."""
    fake = with_fake_steps(FakeRun(tmp_path, outcome), monkeypatch)
    fake.env = Env("local", tmp_path, Settings(slo=SloSettings(inconclusive=means)))
    assert execute(fake) == status


def test_without_a_limit_none_is_missed(fake: FakeRun) -> None:
    """1 is a missed SLO's alone."""
    fake.result = replace(fake.result, verdict=Verdict("inconclusive", ()))
    assert execute(fake) == 0


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("during", ["fail", "report", "down", "refresh_report"])
def test_a_second_signal_never_skips_the_teardown(
    fake: FakeRun, monkeypatch: pytest.MonkeyPatch, during: str, second: signal.Signals
) -> None:
    """Wherever it arrives: while the reason is noted, in the report, in the teardown."""

    def press(number: signal.Signals) -> None:
        os.kill(os.getpid(), number)

    fake.on["tune"] = lambda: press(signal.SIGINT)
    if during == "fail":
        monkeypatch.setattr(fake, "fail", lambda _: press(second))
    else:
        fake.on[during] = lambda: press(second)
    assert execute(fake) == 130
    assert fake.calls[-3:] == ["report", "down", "refresh_report"]


def test_a_full_disk_does_not_skip_the_teardown(fake: FakeRun) -> None:
    """Neither the step that hits it nor the report that cannot be written."""
    full = OSError(28, "No space left on device")
    fake.on["tune"] = raiser(StepError("disk", "result.json: No space left on device"))
    fake.on["report"] = raiser(full)
    fake.on["refresh_report"] = raiser(full)
    assert execute(fake) == 3
    assert fake.calls[-2:] == ["down", "refresh_report"]


def test_a_report_that_finds_a_full_disk_is_written_into_the_reserve(fake: FakeRun) -> None:
    """Evidence is written in every case."""
    reserve = fake.folder.path / "reserve"

    def report() -> None:
        if reserve.exists():
            raise OSError(28, "No space left on device")

    fake.on["report"] = report
    assert execute(fake) == 0
    assert fake.calls.count("report") == 2


def test_a_resumed_run_skips_what_was_finished(fake: FakeRun) -> None:
    """The gate judges anew: it has more to go by."""
    order.whole_line(cast("Run", fake), skip={"up", "smoke", "tune"})
    assert fake.calls == ["load", "gate"]
