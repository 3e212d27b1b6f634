"""What is around every run: signals, evidence, and a teardown whatever happens.

It knows no step and no order: what a run does is given to `execute`, so a step may start a run of
its own beside the one it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from lambda_dyno.core.errors import (
    EXIT_INTERRUPTED,
    EXIT_PASS,
    EXIT_SLO_MISSED,
    EXIT_STEP_FAILED,
    DynoError,
    StepError,
    UserError,
    told,
)
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.results import INTERRUPTED
from lambda_dyno.run import ending
from lambda_dyno.run.run import Run
from lambda_dyno.runs import interrupts, orphans, run_folder


def execute(run: Run, work: Callable[[], int], *, keep: bool, recorded: bool = True) -> int:
    """Do the work of a run and return the exit status.

    The environment is taken down after a failure and an interrupt too; with `keep` it
    stays. Evidence is written in every case.

    Args:
        run: A prepared run.
        work: What to do before report and teardown; returns the exit status.
        keep: Whether to leave the environment standing.
        recorded: Whether the history has it; what is measured for another run is in that one's.
    """
    status = EXIT_STEP_FAILED
    with run.folder.locked(), interrupts.handled(_teller(run.ui)) as signals:
        try:
            try:
                status = work()
            except (DynoError, KeyboardInterrupt) as error:
                status = _note(run, error)
            except OSError as error:  # a full disk, a program that is gone: the machine's doing
                status = _note(run, StepError("run", told(error)))
            except BaseException as error:
                with suppress(DynoError):
                    run.fail(error)
                raise
            finally:
                signals.hold()
        except KeyboardInterrupt:
            status = EXIT_INTERRUPTED  # between the last step and `hold`
        finally:  # no signal interrupts this any more: one has arrived, or they are held
            if not finish(run, keep=keep, recorded=recorded) and status in (
                EXIT_PASS,
                EXIT_SLO_MISSED,
            ):
                status = EXIT_STEP_FAILED
    return status


@contextmanager
def reopened(
    project: Path,
    run_id: str | None,
    ui: Ui,
    overrides: Mapping[str, Any],
    *,
    any_state: bool = False,
    wait: bool = False,
) -> Iterator[Run]:
    """Hold a run whose environment stands, locked against other commands.

    Args:
        project: Folder that holds `runs/`.
        run_id: The run; None is the newest whose environment stands.
        ui: Where progress goes.
        overrides: Settings from the command line.
        any_state: Whether a named run may also be half up or already down.
        wait: Whether to wait for a command that works on it.

    Raises:
        UserError: There is no such run, it does not stand, or it is in use.
    """
    folder = run_folder.find(project / "runs", run_id, standing=True, tuner_only=any_state)
    with signals_raise(), folder.locked(waiting=ui.note if wait else None):
        # read under the lock: the command before may have changed everything
        run = Run.open(project, folder.run_id, ui, overrides=overrides, tuner_only=any_state)
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
        orphans.end(orphans.find(), ui.note)
        before = run.result
        try:
            yield run
        finally:
            ending.remember(run, before=before)


@contextmanager
def teardown_on_failure(run: Run) -> Iterator[None]:
    """Take a new environment down if what is inside fails; it stays if not."""
    with run.folder.locked(), interrupts.handled(_teller(run.ui)) as signals:
        try:
            yield
        except BaseException as error:
            signals.hold()
            with suppress(DynoError):
                run.fail(error)
            try:
                ending.down(run)
            except (DynoError, KeyboardInterrupt) as second:
                _say_what_is_left(run, second)
            raise


def _note(run: Run, error: BaseException) -> int:
    """Keep and show why the run ended early; return its exit status."""
    if isinstance(error, DynoError):
        with suppress(DynoError):  # a full disk
            run.fail(error)
        run.ui.error(str(error), error.hint if isinstance(error, StepError) else "")
        return error.exit_code
    with suppress(DynoError):
        run.fail(RuntimeError(INTERRUPTED))
    run.ui.warn("interrupted; taking everything down, then the report of what was measured")
    return EXIT_INTERRUPTED


def finish(run: Run, *, keep: bool, recorded: bool = True, mode: str = "") -> bool:
    """Write the evidence, take the environment down (or keep it), and return success.

    The report comes first, so that it is there whatever happens to the teardown, and is
    brought up to date with what the teardown found. The history comes last: nothing waits for it.

    Args:
        run: The run.
        keep: Whether to leave the environment standing.
        recorded: Whether the history has it.
        mode: What the history calls it; empty: by what the run is.
    """
    done = True
    try:
        run.folder.with_reserve(lambda: ending.report(run))
    except BaseException as error:  # whatever it is, teardown comes next
        done = False
        run.ui.error(f"no report: {error or type(error).__name__}")
    try:
        if keep and run.folder.read_lease().state == "up":
            ending.keep(run)
        else:
            ending.down(run)
    except (DynoError, KeyboardInterrupt, OSError) as error:
        done = False
        _say_what_is_left(run, error)
    with suppress(DynoError, OSError):
        ending.refresh_report(run)
    if recorded:
        ending.remember(run, mode)
    return done


def _say_what_is_left(run: Run, error: BaseException) -> None:
    if not run.result.error:
        with suppress(DynoError):
            run.fail(error if str(error) else RuntimeError("teardown was abandoned"))
    run.ui.error(
        f"teardown is not done: {error or 'abandoned'}",
        f"what is left is in the state of run {run.folder.run_id}. "
        f"Try again: make down RUN={run.folder.run_id}",
    )
    for leftover in run.result.leftovers or ():
        run.ui.note(f"  {leftover.kind} {leftover.name}: {leftover.remove}")


def signals_raise() -> AbstractContextManager[interrupts.Interrupts]:
    """Return a context in which SIGTERM and SIGHUP end what is inside, as Ctrl-C does."""
    return interrupts.handled(lambda _: None)


@contextmanager
def shielded(ui: Ui) -> Iterator[None]:
    """Finish what is inside although Ctrl-C is pressed, until somebody insists."""
    with interrupts.handled(_teller(ui)) as signals:
        signals.hold()
        yield


def _teller(ui: Ui) -> Callable[[int], None]:
    """Return what tells somebody who presses Ctrl-C that the teardown goes on."""
    return lambda more: ui.warn(f"still taking the environment down; {more} more to abandon it")
