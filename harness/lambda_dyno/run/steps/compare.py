"""Compare with a baseline: deployed beside the candidate, measured in turns with it.

The baseline's environment is a run of its own, with a folder, a lease and a teardown like all
others, in the candidate's account.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from lambda_dyno.aws import target as targets
from lambda_dyno.compare import pairs
from lambda_dyno.compare.events import Events
from lambda_dyno.compare.interleaved_driver import InterleavedDriver
from lambda_dyno.compare.pairs import COST, Deployed
from lambda_dyno.compare.regression import Version
from lambda_dyno.core.config import RegressionSettings
from lambda_dyno.core.errors import EXIT_INTERRUPTED, EXIT_PASS, StepError
from lambda_dyno.core.progress import Step
from lambda_dyno.core.results import RegressionResult
from lambda_dyno.run import api, build, lifecycle, memory, workload
from lambda_dyno.run.run import Run
from lambda_dyno.run.steps import up
from lambda_dyno.terraform import root_module
from lambda_dyno.terraform.packages import Package
from lambda_dyno.tuner_contract.workload import Workload


def step(run: Run) -> None:
    """Deploy a run's baseline beside it, measure both in turns, and take the baseline down.

    Args:
        run: The candidate, whose environment stands; its settings say how to compare.

    Raises:
        StepError: It failed, or something of the baseline is left.
    """
    with run.timed("compare"):  # no step around it: the baseline is a run with steps of its own
        run.add(regression=_compared(run))
        run.folder.mark("compare")


def _compared(run: Run) -> RegressionResult:
    comparison = Comparison.beside(run)
    status = lifecycle.execute(comparison.baseline, comparison.work, keep=False, recorded=False)
    if status == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    found, result = comparison.found, comparison.baseline.result
    if found is None or result.error:
        assert run.baseline is not None
        raise StepError(
            "compare",
            f"the baseline {run.baseline.label}: {result.error or 'not compared'}",
            f"see {comparison.baseline.folder.path / 'logs'}",
        )
    return found


@dataclass
class Comparison:
    """A candidate and the run of its baseline, side by side.

    Attributes:
        candidate: The run that is compared; its environment stands.
        baseline: The baseline's run.
        found: What the comparison came to; None before.
    """

    candidate: Run
    baseline: Run
    found: RegressionResult | None = None

    @classmethod
    def beside(cls, candidate: Run) -> Comparison:
        """Make the run folder of a candidate's baseline, with its lease."""
        if candidate.baseline is None:
            raise ValueError("no baseline is named")
        beside = Run.create(
            candidate.mode,
            candidate.project,
            candidate.env,
            targets.beside(candidate.target),
            candidate.ui,
            tools=candidate.environment.toolchain,
            runs_folder=candidate.folder.path.parent,
            bucket=candidate.folder.read_lease().backend.get("bucket", ""),
            git_sha=candidate.baseline.git_sha,
            beside=candidate.folder.run_id,
        )
        beside.mode = replace(candidate.mode, sources=beside.folder.path / "sources")
        beside.baseline = candidate.baseline
        return cls(candidate, beside)

    def work(self) -> int:
        """Deploy the baseline and compare."""
        guard = self.candidate.mode.guard
        with guard.shared():
            self.deploy()
        with guard.exclusive(), self.baseline.step("compare", self._text) as shown:
            self.found = self.measure(self.candidate.env.settings.regression, shown)
            shown.update(f"{self.found.outcome}: {self.found.pairs} pairs of blocks, {self._text}")
        return EXIT_PASS

    def deploy(self) -> None:
        """Deploy the baseline, and the candidate at the memory size that it is declared with."""
        up.step(self.baseline, self._packages())
        memory.deploy_declared(self.candidate)

    def measure(self, settings: RegressionSettings, shown: Step) -> RegressionResult:
        """Measure pairs of blocks until it can be told, or the last look is over."""
        baseline = self.baseline.baseline
        assert baseline is not None
        runs: dict[Version, Run] = {"baseline": self.baseline, "candidate": self.candidate}
        # both are asked the same
        asked = workload.of(self.candidate, recorded=True)
        parsed = None if asked is None else Workload.parse(asked)
        checks = self._checks(settings)
        return pairs.measure(
            {
                name: Deployed(run.account, run.result.outputs, _events(run, parsed))
                for name, run in runs.items()
            },
            checks,
            settings,
            shown,
            driver=None if checks == [COST] else _driver(self.candidate, runs),
            folder=self.candidate.folder.load / "turns",
            baseline=baseline,
            baseline_run_id=self.baseline.folder.run_id,
        )

    @property
    def _text(self) -> str:
        assert self.baseline.baseline is not None
        return f"in turns with the baseline {self.baseline.baseline.label}"

    def _packages(self) -> dict[str, Package]:
        """Get the baseline's sources, and build its packages, or take a run's as they were."""
        run, baseline = self.baseline, self.baseline.baseline
        assert baseline is not None
        with run.step("build", f"the baseline {baseline.label}") as shown:
            packages = baseline.write_to(run.mode.sources, run.project, run.env)
            root_module.check(run.mode.sources / run.env.root, run.names)
            if packages is None:
                packages = build.build(run)
            shown.update(f"the baseline {baseline.label}, {len(packages)} packages")
        return packages

    def _checks(self, settings: RegressionSettings) -> list[str]:
        """Return what can be compared, and say why something cannot.

        Raises:
            StepError: Nothing can.
        """
        note = self.baseline.ui.note
        checks = [str(name) for name in settings.checks]
        if COST in checks and not _can_price(self.candidate):
            checks.remove(COST)
            note("cost is not compared: the payload of [tuning] is not one event")
        reason = api.why_not(self.candidate, "load")
        if reason and checks != [COST]:
            checks = [name for name in checks if name == COST]
            note(f"latencies are not compared: {reason}")
        if not checks:
            raise StepError("compare", "there is nothing that can be compared")
        return checks


def _driver(
    candidate: Run, versions: Mapping[Version, Run]
) -> AbstractContextManager[InterleavedDriver]:
    for run in versions.values():
        for output in ("api_url", "function_alias"):
            if not run.result.outputs.get(output):
                raise StepError("compare", f"{run.result.name_prefix} has no output {output}")
    return InterleavedDriver.running(
        candidate.env.settings.load,
        {name: api.of(run) for name, run in versions.items()},
        api.collection(candidate, "load"),
        folder=candidate.folder.load,
        log=candidate.folder.logs / "compare.log",
    )


def _events(run: Run, parsed: Workload | None) -> Events:
    return Events(run.env.tuning_payload(), parsed, int(run.result.outputs["memory_mb"]))


def _can_price(run: Run) -> bool:
    """Whether the function can be invoked as it is tuned, one event for all invocations."""
    tuning = run.env.settings.tuning
    weighted = isinstance(tuning.payload, list) and any(
        isinstance(entry, dict) and "weight" in entry for entry in tuning.payload
    )
    return not (tuning.payload_s3 or tuning.pre_processor_arn or weighted)
