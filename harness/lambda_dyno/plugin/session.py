"""What the gates of one test process share: one environment, and everything measured in it.

An environment is made when the first test asks for it, each measurement once for each set of
settings, and the environment is taken down at the end whatever happened (`close`).
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lambda_dyno.compare import baseline
from lambda_dyno.core.config import (
    Env,
    LoadSettings,
    Settings,
    SloSettings,
    load_env,
    with_overrides,
)
from lambda_dyno.core.errors import DynoError, UserError
from lambda_dyno.core.files import lock_file, write_atomically
from lambda_dyno.core.progress import Ui
from lambda_dyno.core.results import (
    Check,
    LoadResult,
    RegressionResult,
    SmokeResult,
    TuningResult,
    Verdict,
)
from lambda_dyno.emulator import server
from lambda_dyno.emulator import shared as gate_shared
from lambda_dyno.gates.slo import DEPLOYED, overall
from lambda_dyno.load.rounds import LoadSeries
from lambda_dyno.run import lifecycle
from lambda_dyno.run.run import Run
from lambda_dyno.runs.run_folder import check_place


@dataclass(frozen=True)
class GateOptions:
    """What the command line, and pytest-xdist, say of this process.

    Attributes:
        project: Folder that holds `envs/`.
        env: The environment's name.
        keep: Whether the environment stays.
        runs_folder: Folder of all runs.
        worker: Of pytest-xdist, such as "gw1"; empty without it.
        shared: Folder of what the workers of a session share; None without workers.
        owner_pid: Process that a shared embedded AWS ends with.
        workers: How many there are.
        baseline: What to compare with; empty for what `[regression]` names, if anything.
    """

    project: Path
    env: str
    keep: bool
    runs_folder: Path
    worker: str = ""
    shared: Path | None = None
    owner_pid: int | None = None
    workers: int = 1
    baseline: str = ""

    @property
    def overrides(self) -> dict[str, Any]:
        """Settings from the command line, by "section.key"."""
        return {"regression.baseline": self.baseline or None}

    @property
    def account_id(self) -> str:
        """The account on a shared embedded AWS: one for each worker."""
        number = "".join(letter for letter in self.worker if letter.isdigit())
        return f"{int(number or 0) + 1:012d}"

    @property
    def server_home(self) -> Path | None:
        """Home of a shared embedded AWS."""
        return None if self.shared is None else gate_shared.server_home(self.shared)


class GateSession:
    """Environment and measurements of one test process.

    Args:
        options: Of the process.
        ui: Where progress goes.
    """

    def __init__(self, options: GateOptions, ui: Ui | None = None) -> None:
        self.options = options
        self.env: Env = load_env(options.project, options.env, options.overrides)
        check_place(options.runs_folder)
        baseline.of_settings(options.project, self.env, options.runs_folder)
        self._ui = ui or Ui()
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
        with self._quietly_side_by_side():
            self._run = self._prepare()
            self._stack.enter_context(self._run.folder.locked())
            try:
                self._run.up(self._run.build())
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
        with lifecycle.shielded(self._ui), self._quietly_side_by_side():
            return self._close(keep=self.options.keep)

    def _close(self, *, keep: bool) -> str:
        run = self.run
        with self._stack:
            if lifecycle.finish(run, keep=keep):
                return ""
        lines = [f"the environment of run {run.folder.run_id}: {run.result.error or 'not down'}"]
        lines += [f"{x.kind} {x.name}: {x.remove}" for x in run.result.leftovers or ()]
        with suppress(DynoError):
            if run.folder.read_lease().holds_resources:
                lines.append(f"Take it down: dyno down --run {run.folder.run_id}, or dyno sweep")
        return "\n".join(lines)

    def _prepare(self) -> Run:
        options = self.options
        if options.shared is not None:
            gate_shared.announce(options.shared)
        home = options.server_home
        if home is not None and self._needs_embedded_aws():
            server.start(
                home,
                region=self.env.settings.environment.region or "us-east-1",
                owner_pid=None if options.keep else options.owner_pid,
                account_concurrency=self._concurrency(),
            )
        return Run.prepare(
            options.project,
            options.env,
            self._ui,
            overrides=options.overrides,
            worker=options.worker,
            runs_folder=options.runs_folder,
            server_home=home,
            account_id=options.account_id,
        )

    def _concurrency(self) -> int:
        each = self.env.settings.environment.account_concurrency
        return min(server.MOST_CONCURRENCY, each * self.options.workers)

    def _needs_embedded_aws(self) -> bool:
        return self.env.settings.environment.emulated and not os.environ.get("AWS_ENDPOINT_URL")

    # Measurements

    def smoke(self) -> SmokeResult:
        """Ask the API everything once, and return what holds and what does not."""
        if self._smoke is None:
            with self._quietly_side_by_side():
                self._smoke = self.run.try_smoke()
        return self._smoke

    def tuning(self, settings: Settings) -> TuningResult:
        """Measure the function at every power value of `[tuning]`."""
        key = _key(settings.tuning.model_dump())
        if key not in self._tunings:
            run, first = self.run, self.run.result.tuning
            with self._quietly_side_by_side(), _with_settings(run, settings):
                found = run.tune()
            if first is not None:  # the run's own is the first one; further ones lie beside it
                run.result = replace(run.result, tuning=first)
                run.save()
                name = f"tuning-{len(self._tunings) + 1}.json"
                write_atomically(run.folder.path / name, json.dumps(asdict(found), indent=2) + "\n")
            self._tunings[key] = found
        return self._tunings[key]

    def load(self, profile: LoadSettings) -> LoadSeries:
        """Load the API at its deployed memory size, once."""
        key = _key(profile.model_dump())
        if key not in self._series:
            count = len(self._series) + 1
            label = DEPLOYED if count == 1 else f"{DEPLOYED}-{count}"
            with self._alone_on_this_machine():
                self._series[key] = self.run.load_deployed(profile, label)
        return self._series[key]

    def judge_load(self, load: LoadResult, limits: SloSettings) -> Verdict:
        """Hold a load test against limits; while that is open, ask for more requests."""
        series = next((s for s in self._series.values() if s.result.label == load.label), None)
        if series is None:
            raise UserError(f"no load test {load.label!r} was made here: give load_result itself")
        with self._alone_on_this_machine():
            verdict = series.decide(limits, lambda found, _: self.run.keep_load(found))
        self.run.keep_load(series.result)
        return verdict

    def regression(self, settings: Settings) -> RegressionResult:
        """Measure the environment in turns with its baseline, once."""
        if self.run.result.regression is None:
            with _with_settings(self.run, settings):
                self.run.compare(
                    quietly=self._quietly_side_by_side, alone=self._alone_on_this_machine
                )
        found = self.run.result.regression
        assert found is not None
        return found

    def keep_checks(self, checks: Sequence[Check]) -> None:
        """Add what a test has held against its limits to the run's evidence."""
        before = self.run.result.verdict
        every = (*(before.checks if before else ()), *checks)
        self.run.keep_verdict(Verdict(outcome=overall(every), checks=every))

    # Side by side with other workers

    @contextmanager
    def _quietly_side_by_side(self) -> Iterator[None]:
        """Do something that others may do at the same time, but not while one is measured."""
        with self._turn(fcntl.LOCK_SH):
            yield

    @contextmanager
    def _alone_on_this_machine(self) -> Iterator[None]:
        """Load an API that shares this machine with all other workers, so that they wait."""
        with self._turn(fcntl.LOCK_EX):
            yield

    @contextmanager
    def _turn(self, kind: int) -> Iterator[None]:
        shared = self.options.shared
        if shared is None or not self.env.settings.environment.emulated:
            yield
            return
        shared.mkdir(parents=True, exist_ok=True)
        with lock_file(shared / "turn.lock") as handle:
            fcntl.flock(handle, kind)
            yield


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
