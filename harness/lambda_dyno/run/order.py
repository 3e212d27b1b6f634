"""The whole line, `dyno run`: what follows what, and nothing else.

build -> up -> smoke -> tune -> load [-> compare] -> gate        then, always: report -> down

Attached to what somebody else deployed, `attach` is in the place of build and up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import nullcontext

from lambda_dyno.cleanup import evidence
from lambda_dyno.core.errors import EXIT_PASS, EXIT_SLO_MISSED
from lambda_dyno.load import drivers
from lambda_dyno.load.driver import Api
from lambda_dyno.run import api, build
from lambda_dyno.run.run import Run
from lambda_dyno.run.steps import attach, compare, gate, load, smoke, tune, up


def whole_line(run: Run, *, skip: Collection[str] = ()) -> int:
    """Run the steps from building to the gate and return what the verdict means.

    Args:
        run: The run.
        skip: Steps that a resumed run had finished; of the load its own tests are told apart.
    """
    api_here = Api(run.account.endpoint, run.account.region)
    with drivers.DRIVER.prepared(api_here) if run.account.endpoint else nullcontext() as get_ready:
        if run.attached is not None:
            attach.step(run, run.attached)
        elif "up" not in skip:
            up.step(run, build.step(run), meanwhile=lambda: _get_ready(get_ready))
        if "smoke" not in skip:
            _if_it_can(run, "smoke", smoke.step)
        if "tune" not in skip:
            tune.step(run)
        _if_it_can(run, "load", load.step)
    if run.baseline is not None and "compare" not in skip:
        compare.step(run)
    gate.step(run)
    return exit_status(run)


def _get_ready(driver: Callable[[], None] | None) -> None:
    """Begin what takes long to load, while nothing else is to be done."""
    if driver is not None:
        driver()
    threading.Thread(target=evidence.get_ready, daemon=True).start()


def exit_status(run: Run) -> int:
    """Return what the verdict means for the exit status."""
    verdict = run.result.verdict
    if verdict is None or verdict.outcome == "fail":
        return EXIT_SLO_MISSED
    if not verdict.checks:  # no limit is set, so none is missed; the verdict says so
        return EXIT_PASS
    if verdict.outcome == "inconclusive" and run.env.settings.slo.inconclusive == "fail":
        return EXIT_SLO_MISSED
    return EXIT_PASS


def _if_it_can(run: Run, name: str, step: Callable[[Run], object]) -> None:
    """Ask the API, unless the environment is a function without one."""
    reason = api.why_not(run, name)
    if reason:
        run.ui.note(f"no {name} test: {reason}")
    else:
        step(run)
