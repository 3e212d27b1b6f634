"""A run: the only place that knows the order of the steps.

    build -> up -> smoke -> tune -> load [-> compare] -> gate -> report -> down

Each step takes what the ones before it found (in `RunResult`) and adds its own; the result
is on disk after every step, so nothing measured is lost when a later step fails.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from lambda_dyno.aws import accounts, lambda_function, target
from lambda_dyno.cleanup import sweeper, teardown
from lambda_dyno.compare import baseline
from lambda_dyno.core import assets
from lambda_dyno.core.config import (
    Env,
    LoadSettings,
    TuningSettings,
    load_env,
    parse_settings,
    with_overrides,
)
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.progress import Step, Ui
from lambda_dyno.core.results import (
    Leftover,
    LoadResult,
    RunResult,
    Sample,
    SmokeResult,
    TuningResult,
    Verdict,
)
from lambda_dyno.core.terminal import short_path
from lambda_dyno.emulator import modes, server
from lambda_dyno.emulator import shared as gate_shared
from lambda_dyno.emulator.loopback import check_port
from lambda_dyno.environments.environment import Environment
from lambda_dyno.gates import slo
from lambda_dyno.load import collection_files, rounds
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.samples import read_samples
from lambda_dyno.load.schedule import in_words
from lambda_dyno.processes import interrupts
from lambda_dyno.run import preflight, progress_adapters
from lambda_dyno.runs import result_store, run_folder
from lambda_dyno.state import account_bucket
from lambda_dyno.terraform import root_module
from lambda_dyno.terraform.packages import Package
from lambda_dyno.terraform.packages import build as build_package
from lambda_dyno.terraform.toolchain import Toolchain
from lambda_dyno.tune import price_list
from lambda_dyno.tune.tuner import FinishedExecution

STEPS = ("build", "up", "smoke", "tune", "load", "compare", "gate", "report", "down")

# The functions that this project's environments deploy: folders of lambda/.
PACKAGES: tuple[str, ...] = ("crud_api", "power_tuner")


Beside = Callable[[], AbstractContextManager[None]]  # entered to do something beside others


def package_names(sources: Path) -> tuple[str, ...]:
    """Return the folders of lambda/ that become packages."""
    found = (sources / "lambda").glob("[!._]*")
    # a link that leads nowhere is a function, too: `build` says what is wrong with it
    folders = (path for path in found if path.is_dir() or not path.exists())
    return tuple(sorted(path.name for path in folders))


class Run:
    """One run, from settings to evidence.

    Use `Run.prepare` for a new one, `Run.reopen` for one whose environment stands.

    Attributes:
        project: Folder that holds `envs/`, `modules/`, `lambda/` and `postman/`.
        env: The environment's name and settings.
        folder: Where the run keeps everything.
        account: Where its environment is.
        result: What is known so far.
    """

    packages: tuple[str, ...] | None = None  # None: every folder of the project's lambda/

    def __init__(
        self,
        project: Path,
        env: Env,
        folder: run_folder.RunFolder,
        account: accounts.Account,
        tools: Toolchain | None,
        ui: Ui,
        result: RunResult,
    ) -> None:
        self.project = project
        self.env = env
        self.folder = folder
        self.account = account
        self.ui = ui
        self.result = result
        self.finished: frozenset[str] = frozenset()  # steps of a resumed run, done before
        self.baseline: baseline.Baseline | None = None  # what `compare` compares with
        if tools is not None:  # None: a run that deploys nothing
            self.environment = Environment(folder, account, tools)

    @classmethod
    def prepare(
        cls,
        project: Path,
        env_name: str,
        ui: Ui,
        *,
        overrides: Mapping[str, Any] | None = None,
        port: int | None = None,
        worker: str = "",
        runs_folder: Path | None = None,
        server_home: Path | None = None,
        account_id: str = "",
    ) -> Run:
        """Check everything a run needs, then make its folder (and its embedded AWS).

        Until `keep`, the embedded AWS ends with this process, however that ends.

        Args:
            project: Folder that holds `envs/`.
            env_name: The environment.
            ui: Where progress goes.
            overrides: Settings from the command line, by "section.key".
            port: For the embedded AWS; None takes a free one.
            worker: Which of several at once this is; in lease and tags, and the run's id counts it.
            runs_folder: Folder of all runs; None is the project's `runs/`.
            server_home: Home of an embedded AWS that runs, to be used in the place of an own
                one.
            account_id: The account there.

        Raises:
            UserError: Something is missing or wrong; nothing was made.
        """
        env = load_env(project, env_name, overrides)
        if port is not None:
            check_port(port)
        packages = cls.packages if cls.packages is not None else package_names(project)
        preflight.check_sources(project, env, packages)
        collection_files.check(project, env)
        all_runs = runs_folder or project / "runs"
        run_folder.check_place(all_runs)
        compared_with = baseline.of_settings(project, env, all_runs)
        tools = preflight.tools_of(project, ui, node=(project / "postman").is_dir())
        settings = env.settings.environment
        sweeper.tidy(project, ui, runs_folder)
        emulated = settings.emulated and not os.environ.get("AWS_ENDPOINT_URL")
        own_server = emulated and server_home is None
        if own_server:
            account = None
        elif emulated and server_home is not None:
            account = target.in_embedded(server_home, account_id)
        else:
            account = accounts.connect(settings.region)
        bucket = ""
        if account and not settings.emulated:
            bucket = account_bucket.require(account, settings.state_bucket, env_name)
            preflight.warn_of_quotas(account, ui)
        price = (
            price_list.unlisted(assets.tuner_sources(project), account.region) if account else ""
        )
        if price:
            ui.warn(price)

        folder = run_folder.create(
            all_runs,
            env_name,
            settings.name,
            timedelta(hours=settings.lifetime_hours),
            worker=worker,
            own_server=own_server,
            server_home=str(server_home.resolve()) if emulated and server_home else "",
            settings=env.settings.model_dump(),
        )
        if account is None:
            account = target.start_embedded(
                folder, settings.region, port, account_concurrency=settings.account_concurrency
            )
        lease = folder.update_lease(
            account_id=account.account_id, region=account.region, endpoint=account.endpoint
        )
        account_bucket.keep_state_in(bucket, folder, account)
        result = result_store.begun(lease, git_sha=preflight.git_sha(project))
        run = cls(project, env, folder, account, tools, ui, result)
        run.baseline = compared_with
        run.save()
        return run

    @classmethod
    def reopen(
        cls,
        project: Path,
        run_id: str | None,
        ui: Ui,
        *,
        overrides: Mapping[str, Any] | None = None,
        standing: bool = True,
        tuner_only: bool = True,
        runs_folder: Path | None = None,
    ) -> Run:
        """Return a run whose environment was kept.

        Args:
            project: Folder that holds `runs/`.
            run_id: The run; None is the newest.
            ui: Where progress goes.
            overrides: Settings from the command line, by "section.key".
            standing: Whether its environment must stand; a report needs none.
            tuner_only: Whether "the newest" may be a power tuner alone.
            runs_folder: Folder of all runs; None is the project's `runs/`.

        Raises:
            UserError: There is no such run, or its environment cannot be reached.
        """
        folder = run_folder.find(
            runs_folder or project / "runs", run_id, standing=standing, tuner_only=tuner_only
        )
        lease = folder.read_lease()
        settings = with_overrides(
            parse_settings(lease.settings, f"runs/{folder.run_id}/lease.json"), overrides or {}
        )
        env = Env(name=lease.env, folder=project / "envs" / lease.env, settings=settings)
        result = result_store.read(folder)
        tools = preflight.tools_of(
            project, ui, node=not lease.tuner_only and (project / "postman").is_dir()
        )
        account = target.of_run(lease, folder) if standing else target.out_of_reach(lease)
        return cls(project, env, folder, account, tools, ui, result)

    # Steps, in their order

    def build(self) -> dict[str, Package]:
        """Build the packages of all functions."""
        with self._step("build", "packing the functions") as step:
            packages = self._packages()
            size_kb = sum(package.size_bytes for package in packages.values()) / 1000
            noun = "package" if len(packages) == 1 else "packages"
            step.update(f"{len(packages)} {noun}, {size_kb:.{0 if size_kb >= 10 else 1}f} kB")
        for name, package in packages.items():
            if package.left_out:
                self.ui.note(f"lambda/{name}: left out of the package: {package.left_out}")
        return packages

    def up(self, packages: dict[str, Package]) -> None:
        """Deploy the environment and fill its table."""
        from lambda_dyno.run import fingerprints, test_data

        settings = self.env.settings.environment
        with self._step("up", f"deploying {self.result.name_prefix}") as step:
            self._stage(packages)
            self.folder.note_inputs(
                fingerprints.of(self.env, self.sources, self.project, packages), self.finished
            )
            outputs = root_module.completed(
                self.environment.apply(
                    progress_adapters.resources(step, "deploying"), say=self.ui.note
                ),
                self.account,
                self.result.name_prefix,
            )
            self.folder.update_lease(memory_mb=outputs["memory_mb"])
            self._add(outputs=outputs)
            if settings.seed_items:
                if not outputs.get("table_name"):
                    raise StepError("up", "[environment] seed_items needs an output table_name")
                step.update("filling the table")
                test_data.seed(self.account.session, outputs["table_name"], settings.seed_items)
            where = outputs.get("api_url") or outputs["function_arn"]
            step.update(
                f"{self.result.name_prefix} at {outputs['memory_mb']} MB in "
                f"{self.account.region}: {where}"
            )
        self.folder.mark("up")

    def why_not(self, step: str) -> str:
        """Return why this environment's API cannot be asked, or an empty string.

        Args:
            step: "smoke" or "load".
        """
        if not self.result.outputs.get("api_url"):
            return f"envs/{self.env.name} has no output api_url"
        path = self.collection(step).collection
        if not path.is_file():
            where = path.relative_to(self.project) if path.is_relative_to(self.project) else path
            return f"there is no {where}"
        return ""

    def smoke(self) -> SmokeResult:
        """Prove that the API answers as it should.

        Raises:
            StepError: An assertion does not hold.
            UserError: There is no API, or no collection for it.
        """
        smoke = self.try_smoke()
        if not smoke.passed:
            raise StepError("smoke", smoke.first_failure)
        self.folder.mark("smoke")
        return smoke

    def try_smoke(self) -> SmokeResult:
        """Ask the API everything once, and return which assertions do not hold."""
        from lambda_dyno.load.drivers import newman

        self._require_api("smoke")
        with self._step("smoke", "asking every operation once") as step:
            smoke = newman.run_smoke(
                base_url=self.result.outputs["api_url"],
                credentials=self.api_credentials(),
                region=self.account.region,
                log=self.folder.logs / "smoke.log",
                timeout_s=120,
                on_wait=progress_adapters.readiness(step),
                collection=self.collection("smoke"),
            )
            self._add(smoke=smoke)
            step.update(smoke.counts)
        return smoke

    def tune(self) -> TuningResult:
        """Measure the function at every power value."""
        from lambda_dyno.tune import tuner
        from lambda_dyno.tune import tuner_input as tuning_input

        machine = self.own_tuner()
        if not machine:
            return self._tune_beside()
        settings = self.tuning_settings()
        request = tuning_input.from_settings(
            settings, self.result.outputs["function_arn"], self.env.tuning_payload()
        )
        sizes = ", ".join(map(str, settings.power_values))
        with self._step("tune", f"measuring {sizes} MB, {settings.num} invocations each") as step:
            finished = self._run_tuner(
                step,
                f"{sizes} MB, {settings.num} invocations each",
                request,
                machine,
                replace(self.account, region=machine.split(":")[3]),
            )
            tuning = tuner.parse_output(finished.output, execution_arn=finished.arn)
            self._add(tuning=tuning)
            step.update(f"{sizes} MB measured; {settings.strategy}: {tuning.power} MB")
            tuner.require_whole(finished.output)
        self.folder.mark("tune")
        return tuning

    def tuning_settings(self) -> TuningSettings:
        """Return `[tuning]` with the deployed memory size among the power values.

        Whoever asks how much worse than the best it is needs it measured.
        """
        settings = self.env.settings.tuning
        sizes = sorted({*settings.power_values, int(self.result.outputs["memory_mb"])})
        return settings.model_copy(update={"power_values": sizes})

    def own_tuner(self) -> str:
        """Return the ARN of the environment's own power tuner; empty if it has none."""
        from lambda_dyno.tune import existing_tuner

        outputs = self.result.outputs
        return existing_tuner.of_outputs(outputs, self.env.name, self.account, self.ui.note)

    def _run_tuner(
        self,
        step: Step,
        text: str,
        request: Mapping[str, Any],
        state_machine_arn: str,
        account: accounts.Account,
    ) -> FinishedExecution:
        """Run the state machine; an interrupt stops it and leaves time for its clean-up."""
        from lambda_dyno.tune import tuner

        homes = (self.folder.server_home, server.project_home(self.project))
        with interrupts.raised_once(self.ui.warn), modes.reported(account.endpoint, homes):
            return tuner.run(
                request,
                state_machine_arn=state_machine_arn,
                session=account.session,
                timeout_s=self.env.settings.tuning.timeout_minutes * 60,
                on_progress=lambda progress: step.update(
                    f"{progress.state}: {text}", progress.done, progress.total
                ),
            )

    def _tune_beside(self) -> TuningResult:
        """Measure with a power tuner of our own: this environment has none."""
        from lambda_dyno.run import side_tuning

        started = time.monotonic()
        try:  # no step around it: it is a run with steps of its own
            tuning = side_tuning.tune(self)
            self.folder.mark("tune")
        finally:
            elapsed = round(time.monotonic() - started, 3)
            self._add(timings={**self.result.timings, "tune": elapsed})
        return tuning

    def load(self) -> tuple[LoadResult, ...]:
        """Load the API at the current and at the recommended memory size.

        At the current one, the load is repeated until the SLO can be judged, or `[slo]
        max_rounds` tests were made.
        """
        self._require_api("load")
        profile = self.env.settings.load
        results: list[LoadResult] = []
        with self._step("load", in_words(profile)) as step:
            for label, memory_mb in self._sizes().items():
                before = self._loaded(label, memory_mb)
                if before is not None:
                    results.append(before)
                    continue
                self._deploy_memory(memory_mb, step)
                series = self.load_series(profile, label, memory_mb, step)
                if label == slo.DEPLOYED:
                    self._decide(series, results)
                results.append(series.result)
                self._add(load=tuple(results))
                self.folder.mark(f"load {label}")
            requests = sum(result.requests for result in results)
            errors = sum(result.errors for result in results)
            shown = " and ".join(f"{result.memory_mb} MB" for result in results)
            step.update(f"{requests:,} requests at {shown}, {errors} errors")
        return tuple(results)

    def _loaded(self, label: str, memory_mb: int) -> LoadResult | None:
        """Return the load test that a resumed run had finished, if it had."""
        if f"load {label}" not in self.finished:
            return None
        found = (x for x in self.result.load if (x.label, x.memory_mb) == (label, memory_mb))
        return next(found, None)

    def load_deployed(self, profile: LoadSettings, label: str) -> rounds.LoadSeries:
        """Load the API once at the memory size that it is declared with.

        Args:
            profile: The load.
            label: Names the result and its files.
        """
        self._require_api("load")
        memory_mb = int(self.result.outputs["memory_mb"])
        with self._step("load", in_words(profile)) as step:
            self._deploy_memory(memory_mb, step)
            series = self.load_series(profile, label, memory_mb, step)
            self.keep_load(series.result)
            step.update(f"{series.result.requests:,} requests, {series.result.errors} errors")
        return series

    def keep_load(self, load: LoadResult) -> None:
        """Put a load test's result in the place of the one with its label, or add it."""
        found = {result.label: result for result in self.result.load} | {load.label: load}
        self._add(load=tuple(found.values()))

    def keep_tuning(self, tuning: TuningResult) -> None:
        """Take what a power tuner beside the environment has measured for the run's."""
        self._add(tuning=tuning)

    def keep_verdict(self, verdict: Verdict) -> None:
        """Take a verdict that was reached elsewhere for the run's."""
        self._add(verdict=verdict)

    def _decide(self, series: rounds.LoadSeries, before: Sequence[LoadResult]) -> None:
        """Repeat a load test until it can be judged, and keep what is found on the way."""
        series.decide(
            self.env.settings.slo,
            lambda found, _: self._add(load=(*before, found)),
        )

    def load_series(
        self, profile: LoadSettings, label: str, memory_mb: int, step: Step
    ) -> rounds.LoadSeries:
        """Run a load test once; what is returned can run it again.

        Args:
            profile: The load.
            label: Names the result and its files.
            memory_mb: What is deployed.
            step: Where progress goes.
        """
        from lambda_dyno.load import ceiling
        from lambda_dyno.load.drivers import newman

        credentials = self.api_credentials()
        collection = self.collection("load")
        step.update("measuring what the load driver itself can do (once)")
        most = ceiling.requests_per_s(
            self.project / ".cache", collection, signed=credentials is not None
        )

        def run_round(name: str) -> LoadResult:
            text = f"{profile.loop} loop at {memory_mb} MB ({name})"
            found = newman.run_load(
                profile,
                label=name,
                memory_mb=memory_mb,
                base_url=self.result.outputs["api_url"],
                credentials=credentials,
                region=self.account.region,
                folder=self.folder.load,
                on_progress=progress_adapters.load(step, text),
                on_wait=progress_adapters.readiness(step),
                collection=collection,
            )
            return replace(found, ceiling_requests_per_s=ceiling.at_least(most, found))

        return rounds.LoadSeries(run_round, self.folder.load, label)

    def compare(self, *, quietly: Beside = nullcontext, alone: Beside = nullcontext) -> None:
        """Deploy the baseline beside this environment and measure both in turns.

        Args:
            quietly: Entered to deploy and to take down.
            alone: Entered to measure.
        """
        from lambda_dyno.run import comparison

        started = time.monotonic()
        try:  # no step around it: the baseline is a run with steps of its own
            self._add(regression=comparison.compare(self, quietly=quietly, alone=alone))
            self.folder.mark("compare")
        finally:
            elapsed = round(time.monotonic() - started, 3)
            self._add(timings={**self.result.timings, "compare": elapsed})

    def deploy_declared_memory(self) -> None:
        """Deploy the memory size that the environment is declared with, if it has another."""
        declared = int(self.result.outputs["memory_mb"])
        if self.folder.read_lease().memory_mb != declared:
            with self._step("memory", f"back to {declared} MB") as step:
                self._deploy_memory(declared, step)

    def _sizes(self) -> dict[str, int]:
        """Return the memory sizes to load the API at, by label."""
        current = int(self.result.outputs["memory_mb"])
        sizes = {slo.DEPLOYED: current}
        tuning = self.result.tuning
        if tuning and tuning.power != current:
            declared = root_module.variables(self.environment.root)
            if root_module.takes(declared, "memory_mb"):
                sizes["recommended"] = tuning.power
            else:
                self.ui.note(
                    f"not loaded at {tuning.power} MB: envs/{self.env.name} has no variable "
                    "memory_mb that is a number"
                )
        return sizes

    def gate(self) -> Verdict:
        """Hold what was measured against the SLO, and against the baseline if there is one."""
        from lambda_dyno.gates import regression

        with self._step("gate", "holding the results against the SLO") as step:
            limits = self.env.settings.slo
            verdict = slo.evaluate(
                limits,
                load=self.result.load,
                tuning=self.result.tuning,
                balanced_weight=self.env.settings.tuning.balanced_weight,
                samples=self._samples_of_deployed() if limits.confidence else (),
                confidence=rounds.confidence_of_a_look(limits),
            )
            if self.result.regression:
                checks = (*verdict.checks, *regression.slo_checks(self.result.regression))
                verdict = Verdict(slo.overall(checks), checks)
            self._add(verdict=verdict)
            held = sum(check.outcome == "pass" for check in verdict.checks)
            step.update(f"{verdict.outcome}: {held} of {len(verdict.checks)} checks hold")
        return verdict

    def report(self) -> Path:
        """Write the evidence and return the path of the page to read."""
        from lambda_dyno.report import render

        with self._step("report", "writing the evidence") as step:
            rendered = render.render(self.result, self.folder.path)
            step.update(str(short_path(rendered.html)))
        return rendered.html

    def refresh_report(self) -> None:
        """Write the evidence again, with what is known since."""
        from lambda_dyno.report import render

        render.render(self.result, self.folder.path)

    def down(self) -> tuple[Leftover, ...]:
        """Take the environment down and prove that nothing is left.

        Raises:
            StepError: Something is left, or an embedded AWS had to be stopped with it inside.
        """
        with self._step("down", "taking the environment down") as step:
            taken = teardown.take_down(
                self.folder,
                lambda: self.environment,
                say=self.ui.note,
                on_change=progress_adapters.resources(step, "taking down"),
            )
            if taken.failure is None:
                self._add(leftovers=taken.left)
            taken.check()
            step.update("nothing left behind")
        if self.folder.read_lease().server_home:
            gate_shared.clear_away(self.folder.path.parent)  # the last one out
        return taken.left

    def plan(self) -> list[str]:
        """Return what the environment would consist of."""
        with self._step("plan", "asking Terraform") as step:
            self._stage(self._packages())
            changes = self.environment.plan()
            step.update(f"{len(changes)} resources")
        return changes

    # Around the steps

    def keep(self) -> None:
        """Leave the environment standing, with the memory size that it is declared with."""
        lease = self.folder.read_lease()
        declared = int(self.result.outputs.get("memory_mb", lease.memory_mb))
        if lease.memory_mb != declared:
            with self._step("keep", f"back to {declared} MB") as step:
                self._deploy_memory(declared, step)
        self.folder.update_lease(kept=True)
        self.environment.publish()
        if lease.own_server:
            server.let_go(self.folder.server_home)

    def discard(self) -> None:
        """Remove the folder of a run that deployed nothing, and its embedded AWS."""
        if self.folder.read_lease().own_server:
            server.stop(self.folder.server_home)
        shutil.rmtree(self.folder.path)

    @property
    def sources(self) -> Path:
        """Folder whose envs/, modules/ and lambda/ are deployed."""
        return self.project

    @property
    def report_path(self) -> Path:
        """The page to read."""
        return self.folder.path / "report.html"

    def fail(self, error: BaseException) -> None:
        """Note why the run ended early."""
        self._add(error=str(error) or type(error).__name__)

    def save(self) -> None:
        """Write result.json."""
        self.folder.write("result.json", json.dumps(self.result.to_json(), indent=2) + "\n")

    def _samples_of_deployed(self) -> list[Sample]:
        """Return every request of the load test at the deployed memory size."""
        paths = [
            self.folder.path / load.samples_path
            for load in self.result.load
            if load.label == slo.DEPLOYED and load.samples_path
        ]
        return read_samples(path for path in paths if path.exists())

    def _stage(self, packages: dict[str, Package]) -> None:
        """Copy what is deployed into the run's folder, and say what of it is not used."""
        folders = self.env.settings.environment.folders
        for note in self.environment.stage(self.sources, packages, folders=folders):
            self.ui.note(note)

    def _packages(self) -> dict[str, Package]:
        return {
            name: build_package(self.sources / "lambda" / name, self.folder.build / f"{name}.zip")
            for name in self._package_names()
        }

    def _package_names(self) -> tuple[str, ...]:
        return self.packages if self.packages is not None else package_names(self.sources)

    def collection(self, step: str) -> CollectionFiles:
        """Return the files of what a "smoke" or a "load" test asks."""
        return collection_files.of_settings(self.project, self.env, step)

    def _require_api(self, step: str) -> None:
        """Make sure that the API can be asked.

        Raises:
            UserError: It cannot.
        """
        reason = self.why_not(step)
        if reason:
            raise UserError(f"no {step} test: {reason}")

    @contextmanager
    def _step(self, name: str, text: str) -> Iterator[Step]:
        """Show a step, time it and keep what it found."""
        started = time.monotonic()
        try:
            with self.ui.step(name, text) as step, accounts.errors_of(name):
                yield step
                self._require_server(name)
        finally:
            elapsed = round(time.monotonic() - started, 3)
            self._add(timings={**self.result.timings, name: elapsed})

    def _require_server(self, step: str) -> None:
        """Make sure that what a step measured was there until its end.

        Raises:
            StepError: The embedded AWS has ended meanwhile, so the figures are of nothing.
        """
        home = self.folder.embedded_home
        if step in ("smoke", "tune", "load", "compare") and home and server.status(home) is None:
            raise StepError(step, "the embedded AWS has ended, and everything in it")

    def _add(self, **found: Any) -> None:
        self.result = replace(self.result, **found)
        self.save()

    def _deploy_memory(self, memory_mb: int, step: Step) -> None:
        if self.folder.read_lease().memory_mb != memory_mb:
            step.update(f"deploying {memory_mb} MB")
            self.environment.set_memory(
                memory_mb, progress_adapters.resources(step, f"deploying {memory_mb} MB")
            )
            self._require_memory(memory_mb)

    def _require_memory(self, memory_mb: int) -> None:
        """Make sure that the root's variable memory_mb is the function's memory size.

        Raises:
            StepError: It is something else, so that what is measured would be told of another size.
        """
        name = lambda_function.parse_name(str(self.result.outputs["function_arn"]))
        found = lambda_function.look_up(name, self.account).memory_mb
        if found != memory_mb:
            raise StepError(
                "load",
                f"envs/{self.env.name}: the variable memory_mb does not set the function's memory "
                f"size: with {memory_mb} it has {found} MB. Use it there, or name it otherwise.",
            )

    def api_credentials(self) -> Any:
        """Return the keys that sign requests, where the API wants them signed.

        So does an embedded AWS in all accounts but one: whose API is meant is only in the
        signature.
        """
        from lambda_dyno.load.drivers import newman

        elsewhere = self.account.endpoint and self.account.account_id != server.DEFAULT_ACCOUNT
        if self.result.outputs["api_authorization"] != "AWS_IAM" and not elsewhere:
            return None
        keys = self.account.session.get_credentials().get_frozen_credentials()
        return newman.ApiCredentials(keys.access_key, keys.secret_key, keys.token or "")
