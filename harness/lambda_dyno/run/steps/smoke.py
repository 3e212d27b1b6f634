"""Ask every operation of the API once."""

from __future__ import annotations

from pathlib import Path

from lambda_dyno.core.errors import StepError
from lambda_dyno.core.progress import Step
from lambda_dyno.core.results import SmokeResult
from lambda_dyno.load import drivers
from lambda_dyno.load import progress as load_progress
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api
from lambda_dyno.run import api
from lambda_dyno.run.run import Run


def step(run: Run) -> SmokeResult:
    """Prove that the API answers as it should.

    Raises:
        StepError: An assertion does not hold.
        UserError: There is no API, or no collection for it.
    """
    smoke = attempt(run)
    if not smoke.passed:
        raise StepError("smoke", smoke.first_failure)
    run.folder.mark("smoke")
    return smoke


def attempt(run: Run) -> SmokeResult:
    """Ask the API everything once, and return which assertions do not hold."""
    api.require(run, "smoke")
    with run.step("smoke", "asking every operation once") as shown:
        smoke = ask(api.of(run), api.collection(run, "smoke"), run.folder.logs, shown)
        run.add(smoke=smoke)
    return smoke


def ask(target: Api, files: CollectionFiles, logs: Path, shown: Step) -> SmokeResult:
    """Ask an API everything once; the driver's log goes into the folder `logs`."""
    smoke = drivers.DRIVER.smoke(
        target,
        files,
        log=logs / "smoke.log",
        timeout_s=120,
        on_wait=load_progress.readiness(shown),
    )
    shown.update(smoke.counts)
    return smoke
