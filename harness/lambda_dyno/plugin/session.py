"""What the gates of one test process share: one environment, and everything measured in it.

An environment is made when the first test asks for it, each measurement once for each set of
settings, and the environment is taken down at the end whatever happened (`close`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, replace
from typing import Any

from lambda_dyno.core.config import (
    Env,
    LoadSettings,
    Settings,
    SloSettings,
    load_env,
    with_overrides,
)
from lambda_dyno.core.errors import DynoError, UserError
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.results import (
    DEPLOYED,
    Check,
    LoadResult,
    RegressionResult,
    SmokeResult,
    TuningResult,
    Verdict,
)
from lambda_dyno.load.rounds import LoadSeries
from lambda_dyno.plugin.options import GateOptions, shared_target
from lambda_dyno.plugin.turn_lock import TurnLock
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.run import api, attach_prepare, build, lifecycle, preflight, prepare
from lambda_dyno.run.run import Run
from lambda_dyno.run.steps import attach, compare, smoke, tune, up
from lambda_dyno.run.steps import load as load_step


class GateSession:
    """Environment and measurements of one test process.

    Args:
        options: Of the process.
        ui: Where progress goes.
    """

    def __init__(self, options: GateOptions, ui: Ui | None = None) -> None:
        self.options = options
        self.env: Env = load_env(options.project, options.env, options.overrides)
        preflight.compared_with(options.project, self.env, options.runs_folder)
        self._ui = ui or TerminalUi()
        shared = options.shared if self.env.settings.environment.emulated else None
        self._guard = TurnLock(shared and shared / "turn.lock")
        self._stack = ExitStack()
        self._run: Run | None = None
        self._smoke: SmokeResult | None = None
        self._tunings: dict[str, TuningResult] = {}
        self._series: dict[str, LoadSeries] = {}

    # The environment

    @property
    def run(self) -> Run:
        """The run that everything belongs to; `up` makes it."""
        assert self._run is not None, "no environment was asked for"
        return self._run

    def up(self) -> Run:
        """Deploy the environment; if that fails, take down what there is of it.

        Raises:
            DynoError: It failed.
        """
        with self._guard.shared():
            self._run = run = self._prepare()
            self._stack.enter_context(run.folder.locked())
            try:
                if run.attached is not None:
                    self.env = run.env  # with what an attached run has otherwise
                    attach.step(run, run.attached)
                else:
                    up.step(run, build.step(run))
            except BaseException as error:
                self._run.fail(error)
                with lifecycle.shielded(self._ui):
                    self._close(keep=False)
                raise
        return self._run

    def close(self) -> str:
        """Write the evidence and take the environment down, or keep it.

        Returns:
            What is wrong, in a sentence or more; empty if nothing is.
        """
        if self._run is None:
            return ""
        # shielded first: an interrupt while it waits for its turn would leave the environment
        with lifecycle.shielded(self._ui), self._guard.shared():
            return self._close(keep=self.options.keep)

    def _close(self, *, keep: bool) -> str:
        run = self.run
        with self._stack:
            if lifecycle.finish(run, keep=keep, mode="gate"):
                return ""
        lines = [f"the environment of run {run.folder.run_id}: {run.result.error or 'not down'}"]
        lines += [f"{x.kind} {x.name}: {x.remove}" for x in run.result.leftovers or ()]
        with suppress(DynoError):
            if run.folder.read_lease().holds_resources:
                lines.append(f"Take it down: dyno down --run {run.folder.run_id}, or dyno sweep")
        return "\n".join(lines)

    def _prepare(self) -> Run:
        options = self.options
        if self.env.settings.attach.is_set:
            return attach_prepare.prepare(
                options.project,
                options.env,
                self._ui,
                overrides=options.overrides,
                worker=options.worker,
                runs_folder=options.runs_folder,
                guard=self._guard,
            )
        return prepare.prepare(
            options.project,
            options.env,
            self._ui,
            overrides=options.overrides,
            worker=options.worker,
            runs_folder=options.runs_folder,
            target=shared_target(options, self.env.settings.environment),
            guard=self._guard,
        )

    # Measurements

    def why_not(self, step: str) -> str:
        """Return why the API cannot be asked for a "smoke" or "load" test; empty: it can."""
        return api.why_not(self.run, step)

    def smoke(self) -> SmokeResult:
        """Ask the API everything once, and return what holds and what does not."""
        if self._smoke is None:
            with self._guard.shared():
                self._smoke = smoke.attempt(self.run)
        return self._smoke

    def tuning(self, settings: Settings) -> TuningResult:
        """Measure the function at every power value of `[tuning]`."""
        key = _key(settings.tuning.model_dump())
        if key not in self._tunings:
            run, first = self.run, self.run.result.tuning
            with self._guard.shared(), _with_settings(run, settings):
                found = tune.step(run)
            if first is not None:  # the run's own is the first one; further ones lie beside it
                run.add(tuning=first)
                name = f"tuning-{len(self._tunings) + 1}.json"
                run.folder.write(name, json.dumps(asdict(found), indent=2) + "\n")
            self._tunings[key] = found
        return self._tunings[key]

    def load(self, profile: LoadSettings) -> LoadSeries:
        """Load the API at its deployed memory size, once."""
        key = _key(profile.model_dump())
        if key not in self._series:
            count = len(self._series) + 1
            label = DEPLOYED if count == 1 else f"{DEPLOYED}-{count}"
            with self._guard.exclusive():
                self._series[key] = load_step.deployed(self.run, profile, label)
        return self._series[key]

    def judge_load(self, load: LoadResult, limits: SloSettings) -> Verdict:
        """Hold a load test against limits; while that is open, ask for more requests."""
        series = next((s for s in self._series.values() if s.result.label == load.label), None)
        if series is None:
            raise UserError(f"no load test {load.label!r} was made here: give load_result itself")
        with self._guard.exclusive():
            verdict = series.decide(limits, lambda found, _: load_step.keep(self.run, found))
        load_step.keep(self.run, series.result)
        return verdict

    def regression(self, settings: Settings) -> RegressionResult:
        """Measure the environment in turns with its baseline, once."""
        if self.run.result.regression is None:
            with _with_settings(self.run, settings):
                compare.step(self.run)
        found = self.run.result.regression
        assert found is not None
        return found

    def keep_checks(self, checks: Sequence[Check]) -> None:
        """Add what a test has held against its limits to the run's evidence."""
        before = self.run.result.verdict
        self.run.add(verdict=Verdict.of((*(before.checks if before else ()), *checks)))


def settings_of(settings: Settings, markers: Mapping[str, Mapping[str, Any]], where: str) -> Any:
    """Return the settings with what a test's markers say in the place of the file's.

    Args:
        settings: The file's.
        markers: Keys and values by section.
        where: The test, for the message.

    Raises:
        UserError: A key or value is not allowed.
    """
    overrides = {
        f"{section}.{key}": value
        for section, values in markers.items()
        for key, value in values.items()
    }
    return with_overrides(settings, overrides, where)


@contextmanager
def _with_settings(run: Run, settings: Settings) -> Iterator[None]:
    before = run.env
    run.env = replace(before, settings=settings)
    try:
        yield
    finally:
        run.env = before


def _key(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True, default=str)
