"""What ends every run, whatever its kind and whatever happened: its evidence, then its teardown."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from lambda_dyno.attach import untouched
from lambda_dyno.cleanup import evidence, teardown
from lambda_dyno.core.errors import DynoError, StepError, UserError
from lambda_dyno.core.files import short_path
from lambda_dyno.core.results import Leftover, RunResult
from lambda_dyno.environments import progress
from lambda_dyno.evidence import ending as evidence_store
from lambda_dyno.history import record
from lambda_dyno.run import memory
from lambda_dyno.run.run import Run


def report(run: Run) -> Path:
    """Write the evidence and return the path of the page to read."""
    with run.step("report", "writing the evidence") as step:
        page = evidence.write(run.result, run.folder)
        step.update(str(short_path(page)))
    if missing := evidence.missing(run.result):
        run.ui.note(missing)
    if copied := evidence.copy(run.result, run.folder, run.project):
        run.ui.note(copied)
    return page


def refresh_report(run: Run) -> None:
    """Write the evidence again, with what is known since."""
    evidence.write(run.result, run.folder)
    evidence.copy(run.result, run.folder, run.project)


def remember(run: Run, mode: str = "", before: RunResult | None = None) -> None:
    """Add a run to the history, and to the evidence store if it has one.

    Args:
        run: The run.
        mode: What the history calls it; empty: by what the run is.
        before: What was known before, of a command on an environment that stands.
    """
    with suppress(DynoError, OSError):
        lease = run.folder.read_lease()
        origin = record.Origin(
            runs=run.folder.path.parent,
            project=run.project,
            account_id=lease.account_id,
            region=lease.region,
            mode=mode or ("tune" if lease.tuner_only else "run"),
        )
        if before is None:
            record_id = record.keep(run.result, origin, run.ui.note)
        else:
            record_id = record.keep_new(before, run.result, origin, run.ui.note)
        store = run.env.settings.evidence.store
        evidence_store.add(run.result, run.folder, record_id, store, run.ui)


def down(run: Run) -> tuple[Leftover, ...]:
    """Take the environment down, if the run made one, and prove that nothing is left.

    Raises:
        StepError: Something is left, or an embedded AWS had to be stopped with it inside.
    """
    if run.mode.attached:
        return _let_go(run)
    if not run.mode.deploys:
        run.folder.update_lease(state="down", kept=False)
        return ()
    with run.mode.guard.shared(), run.step("down", "taking the environment down") as step:
        taken = teardown.take_down(
            run.folder,
            run.target,
            lambda: run.environment,
            say=run.ui.note,
            on_change=progress.resources(step, "taking down"),
        )
        if taken.failure is None:
            run.add(leftovers=taken.left)
        taken.check()
        step.update("nothing left behind")
    run.target.leave(run.folder.path.parent)
    return taken.left


def _let_go(run: Run) -> tuple[Leftover, ...]:
    """Prove that a function that is somebody else's is as it was: its tuner has gone before.

    Raises:
        StepError: It is not.
    """
    run.folder.update_lease(state="down", kept=False)
    arn = str(run.result.outputs.get("function_arn") or "")
    with run.step("down", "looking at the function") as step:
        try:
            before = untouched.require(run.folder, arn, run.account) if arn else None
        except UserError as error:
            raise StepError("down", str(error)) from error
        run.add(leftovers=())
        if before is None:
            step.update("nothing was deployed, and nothing touched")
        else:
            step.update(f"nothing is left, and the function is as it was: {before.words}")
    return ()


def keep(run: Run) -> None:
    """Leave the environment standing, with the memory size that it is declared with."""
    lease = run.folder.read_lease()
    declared = int(run.result.outputs.get("memory_mb", lease.memory_mb))
    if lease.memory_mb != declared:
        with run.step("keep", f"back to {declared} MB") as step:
            memory.deploy(run, declared, step)
    run.folder.update_lease(kept=True)
    run.environment.publish()
    run.target.keep()


def discard(run: Run) -> None:
    """Remove the folder of a run that deployed nothing, and its embedded AWS."""
    run.target.end()
    shutil.rmtree(run.folder.path)
