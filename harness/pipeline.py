"""The whole line, `dyno run`: every step in order, and teardown whatever happens."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from harness.errors import (
    EXIT_INTERRUPTED,
    EXIT_PASS,
    EXIT_SLO_MISSED,
    EXIT_STEP_FAILED,
    DynoError,
    StepError,
    UserError,
)
from harness.progress import Ui
from harness.run import Run

# How often Ctrl-C must be pressed during teardown before it is abandoned.
_INSISTENT = 3


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP arrived; it ends a run as Ctrl-C does."""


def execute(run: Run, *, keep: bool, work: Callable[[], int] | None = None) -> int:
    """Run all steps and return the exit status.

    The environment is taken down after a failure and an interrupt too; with `keep` it
    stays. Evidence is written in every case.

    Args:
        run: A prepared run.
        keep: Whether to leave the environment standing.
        work: What to do before report and teardown, and its exit status; None is the whole
            line, from building to the gate.
    """
    status = EXIT_STEP_FAILED
    with run.folder.locked(), signals_raise():
        try:
            status = work() if work else _whole_line(run)
        except (DynoError, KeyboardInterrupt) as error:
            status = _note(run, error)
        except BaseException as error:
            run.fail(error)
            raise
        finally:
            with shielded(run.ui):
                if not finish(run, keep=keep) and status in (EXIT_PASS, EXIT_SLO_MISSED):
                    status = EXIT_STEP_FAILED
    return status


def exit_status(run: Run) -> int:
    """Return what the verdict means for the exit status."""
    verdict = run.result.verdict
    if verdict is None or verdict.outcome == "fail":
        return EXIT_SLO_MISSED
    if verdict.outcome == "inconclusive" and run.env.settings.slo.inconclusive == "fail":
        return EXIT_SLO_MISSED
    return EXIT_PASS


def _if_it_can(run: Run, step: str, do: Callable[[], object]) -> None:
    """Ask the API, unless the environment is a function without one."""
    reason = run.why_not(step)
    if reason:
        run.ui.note(f"no {step} test: {reason}")
    else:
        do()


@contextmanager
def reopened(
    project: Path,
    run_id: str | None,
    ui: Ui,
    overrides: Mapping[str, Any],
    *,
    any_state: bool = False,
) -> Iterator[Run]:
    """Hold a run whose environment stands, locked against other commands.

    Args:
        project: Folder that holds `runs/`.
        run_id: The run; None is the newest whose environment stands.
        ui: Where progress goes.
        overrides: Settings from the command line.
        any_state: Whether a named run may also be half up or already down.

    Raises:
        UserError: There is no such run, it does not stand, or it is in use.
    """
    run = Run.reopen(project, run_id, ui, overrides=overrides, tuner_only=any_state)
    lease = run.folder.read_lease()
    if lease.state != "up" and not any_state:
        raise UserError(
            f"the environment of run {run.folder.run_id} does not stand ({lease.state})"
        )
    if lease.tuner_only and not any_state:
        raise UserError(
            f"run {run.folder.run_id} is a power tuner alone: it can be used "
            "(dyno tune --function NAME --tuner ARN) and taken down, nothing else"
        )
    with run.folder.locked(), signals_raise():
        yield run


@contextmanager
def teardown_on_failure(run: Run) -> Iterator[None]:
    """Take a new environment down if what is inside fails; it stays if not."""
    with run.folder.locked(), signals_raise():
        try:
            yield
        except BaseException as error:
            run.fail(error)
            with shielded(run.ui):
                try:
                    run.down()
                except (DynoError, KeyboardInterrupt) as second:
                    _say_what_is_left(run, second)
            raise


def _whole_line(run: Run) -> int:
    run.up(run.build())
    _if_it_can(run, "smoke", run.smoke)
    run.tune()
    _if_it_can(run, "load", run.load)
    run.gate()
    return exit_status(run)


def _note(run: Run, error: BaseException) -> int:
    """Keep and show why the run ended early; return its exit status."""
    if isinstance(error, DynoError):
        run.fail(error)
        run.ui.error(str(error), error.hint if isinstance(error, StepError) else "")
        return error.exit_code
    run.fail(RuntimeError("interrupted"))
    run.ui.warn("interrupted; taking everything down, then the report of what was measured")
    return EXIT_INTERRUPTED


def finish(run: Run, *, keep: bool) -> bool:
    """Write the evidence, take the environment down (or keep it), and return success.

    The report comes first, so that it is there whatever happens to the teardown, and is
    brought up to date with what the teardown found.
    """
    done = True
    try:
        run.report()
    except BaseException as error:  # whatever it is, teardown comes next
        done = False
        run.ui.error(f"no report: {error or type(error).__name__}")
    try:
        if keep and run.folder.read_lease().state == "up":
            run.keep()
        else:
            run.down()
    except (DynoError, KeyboardInterrupt) as error:
        done = False
        _say_what_is_left(run, error)
    with suppress(DynoError):
        run.refresh_report()
    return done


def _say_what_is_left(run: Run, error: BaseException) -> None:
    if not run.result.error:
        run.fail(error if str(error) else RuntimeError("teardown was abandoned"))
    run.ui.error(
        f"teardown is not done: {error or 'abandoned'}",
        f"what is left is in the state of run {run.folder.run_id}. "
        f"Try again: make down RUN={run.folder.run_id}",
    )
    for leftover in run.result.leftovers or ():
        run.ui.note(f"  {leftover.kind} {leftover.name}: {leftover.remove}")


@contextmanager
def signals_raise() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the run in order, as Ctrl-C does."""

    def raise_terminated(number: int, _frame: FrameType | None) -> None:
        raise Terminated(signal.Signals(number).name)

    former = {
        number: signal.signal(number, raise_terminated)
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def shielded(ui: Ui) -> Iterator[None]:
    """Finish what is inside although Ctrl-C is pressed, until somebody insists."""
    presses = 0

    def pressed(_number: int, _frame: FrameType | None) -> None:
        nonlocal presses
        presses += 1
        if presses >= _INSISTENT:
            raise KeyboardInterrupt
        with suppress(RuntimeError):
            ui.warn(f"still taking the environment down; {_INSISTENT - presses} more to abandon it")

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    former = {number: signal.signal(number, pressed) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
