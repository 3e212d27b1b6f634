"""A run: what is known of it, where it is, and how a step adds to that.

`Run.create` makes one, `Run.open` finds one that is there. It knows no step: `steps/` has them,
`order` says what follows what, `lifecycle` that a teardown follows whatever happens. The result is
on disk after every step, so nothing measured is lost when a later one fails.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from lambda_dyno.attach.plan import AttachPlan
from lambda_dyno.aws import accounts
from lambda_dyno.aws import target as targets
from lambda_dyno.aws.target import NewEmulator, Target
from lambda_dyno.compare.baseline import Baseline
from lambda_dyno.core.config import Env, parse_settings, with_overrides
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.progress import Step, Ui
from lambda_dyno.core.results import RunResult
from lambda_dyno.environments import account_bucket
from lambda_dyno.environments.environment import Environment
from lambda_dyno.gates.summary import completed
from lambda_dyno.history import commits
from lambda_dyno.run import preflight
from lambda_dyno.runs import result_store, run_folder
from lambda_dyno.runs.git import WorkingTree
from lambda_dyno.runs.mode import RunMode
from lambda_dyno.runs.run_folder import Lease, RunFolder
from lambda_dyno.terraform.toolchain import Toolchain

# Their figures are of nothing if the AWS that they were measured in ended meanwhile.
_MEASURING = ("smoke", "tune", "load", "compare")


class Run:
    """One run, from settings to evidence.

    Attributes:
        mode: What kind of run it is.
        project: Folder that holds `envs/`, `modules/`, `lambda/` and `postman/`.
        env: The environment's name and settings.
        folder: Where the run keeps everything.
        target: Where its environment is.
        environment: The environment, of a run that deploys one.
        ui: Where progress goes.
        result: What is known so far.
        finished: Steps of a resumed run that were done before.
        baseline: What it is compared with; None: nothing.
        attached: What it is attached to, and what it may send; None: its function is its own.
    """

    environment: Environment

    def __init__(
        self,
        mode: RunMode,
        project: Path,
        env: Env,
        folder: RunFolder,
        target: Target,
        ui: Ui,
        result: RunResult,
        tools: Toolchain | None = None,
    ) -> None:
        self.mode = mode
        self.project = project
        self.env = env
        self.folder = folder
        self.target = target
        self.ui = ui
        self.result = result
        self.finished: frozenset[str] = frozenset()
        self.baseline: Baseline | None = None
        self.attached: AttachPlan | None = None
        if tools is not None:  # None: a run that deploys nothing
            self.environment = Environment(folder, target, tools)

    @classmethod
    def create(
        cls,
        mode: RunMode,
        project: Path,
        env: Env,
        target: Target | NewEmulator,
        ui: Ui,
        *,
        tools: Toolchain | None,
        runs_folder: Path | None = None,
        lifetime_hours: float | None = None,
        bucket: str = "",
        git_sha: str | None = None,
        settings: Mapping[str, Any] | None = None,
        **lease: Any,
    ) -> Run:
        """Make a run's folder with its lease, and start its embedded AWS if it gets one.

        Args:
            mode: What kind of run it is.
            project: Folder that gets `runs/`.
            env: The environment.
            target: Where it will be.
            ui: Where progress goes.
            tools: Terraform; None: it deploys nothing.
            runs_folder: Folder of all runs; None is the project's `runs/`.
            lifetime_hours: Until the sweeper may take it down; None is what the settings say.
            bucket: Where Terraform's state is kept; empty: in the run's folder.
            git_sha: The commit that it measures; None is the project's.
            settings: What the lease keeps of the settings; None is all of them.
            lease: Further fields of the lease.

        Raises:
            UserError: There is no room for it, or its port is in use.
            StepError: Its embedded AWS did not come up.
        """
        environment = env.settings.environment
        folder = run_folder.create(
            runs_folder or project / "runs",
            env.name,
            environment.name,
            timedelta(hours=lifetime_hours or environment.lifetime_hours),
            settings=env.settings.model_dump() if settings is None else settings,
            **target.lease_fields(),
            **lease,
        )
        started = target.start(folder)
        folder.update_lease(**started.lease_fields())
        account_bucket.keep_state_in(bucket, folder, started.account)
        sha = WorkingTree(project).version() if git_sha is None else git_sha
        links = commits.pages(project, sha)
        result = result_store.begun(folder.read_lease(), git_sha=sha, links=links)
        run = cls(mode, project, env, folder, started, ui, result, tools)
        run.save()
        return run

    @classmethod
    def open(
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
        """Return a run that is there.

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
        env = Env(lease.env, project / "envs" / lease.env, settings)
        result = result_store.read(folder)
        tools = preflight.tools_of(
            project, ui, node=not lease.tuner_only and (project / "postman").is_dir()
        )
        target = targets.of_lease(lease, folder) if standing else targets.out_of_reach(lease)
        _ = target.account  # whoever has other credentials hears of it before a step begins
        return cls(_mode_of(lease, project), project, env, folder, target, ui, result, tools)

    @property
    def account(self) -> accounts.Account:
        """The account that its environment is in."""
        return self.target.account

    @property
    def report_path(self) -> Path:
        """The page to read."""
        return self.folder.path / "report.html"

    @property
    def declared_memory_mb(self) -> int:
        """The memory size that the environment is declared with."""
        return int(self.result.outputs["memory_mb"])

    @contextmanager
    def step(self, name: str, text: str) -> Iterator[Step]:
        """Show a step, time it and keep what it found.

        Raises:
            StepError: AWS refused something, or ended meanwhile.
        """
        with self.timed(name), self.ui.step(name, text) as step, accounts.errors_of(name):
            yield step
            if name in _MEASURING and not self.target.alive():
                raise StepError(name, "the embedded AWS has ended, and everything in it")

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Keep how long a step takes that is a run with steps of its own."""
        started = time.monotonic()
        try:
            yield
        finally:
            elapsed = round(time.monotonic() - started, 3)
            self.add(timings={**self.result.timings, name: elapsed})

    def add(self, **found: Any) -> None:
        """Take what was found into the result, on disk too."""
        self.result = completed(replace(self.result, **found))
        self.save()

    def fail(self, error: BaseException) -> None:
        """Note why the run ended early."""
        self.add(error=str(error) or type(error).__name__)

    def save(self) -> None:
        """Write result.json."""
        result_store.write(self.folder, self.result)


def _mode_of(lease: Lease, project: Path) -> RunMode:
    if lease.tuner_only:
        return RunMode.of_tuner(project)
    if lease.attached:
        return RunMode.of_attached(project)
    return RunMode(project)
