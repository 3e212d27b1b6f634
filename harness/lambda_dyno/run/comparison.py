"""A candidate and its baseline, side by side: deployed, measured in turns, compared.

The baseline's environment is a run of its own, with a folder, a lease and a teardown like all
others, in the candidate's account.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from lambda_dyno.compare.baseline import Baseline
from lambda_dyno.compare.fresh_environments import Sandboxes, renewable
from lambda_dyno.compare.interleaved_driver import Turn, TurnDriver
from lambda_dyno.compare.invocations import costs_usd
from lambda_dyno.core.config import RegressionSettings
from lambda_dyno.core.errors import EXIT_INTERRUPTED, EXIT_PASS, StepError
from lambda_dyno.core.progress import Step
from lambda_dyno.core.results import Leftover, RegressionResult
from lambda_dyno.gates import regression
from lambda_dyno.gates.regression import Block, Comparison, Version
from lambda_dyno.load.samples import write_samples
from lambda_dyno.run import lifecycle
from lambda_dyno.run.run import Beside, Run
from lambda_dyno.runs import result_store, run_folder
from lambda_dyno.state import account_bucket
from lambda_dyno.terraform import root_module
from lambda_dyno.terraform.packages import Package

_COST = "cost"

# Above, what was measured is how fast a version says no.
_MOST_ERRORS = 0.1


def compare(
    run: Run, *, quietly: Beside = nullcontext, alone: Beside = nullcontext
) -> RegressionResult:
    """Deploy a run's baseline beside it, measure both in turns, and take the baseline down.

    Args:
        run: The candidate, whose environment stands; its settings say how to compare.
        quietly: Entered to deploy and to take down.
        alone: Entered to measure.

    Raises:
        StepError: It failed, or something of the baseline is left.
    """
    if run.baseline is None:
        raise ValueError("no baseline is named")
    beside = BaselineRun.prepare_beside(run, run.baseline, quietly)
    status = lifecycle.execute(beside, keep=False, work=lambda: beside.work(run, alone))
    if status == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    if beside.found is None or beside.result.error:
        raise StepError(
            "compare",
            f"the baseline {run.baseline.label}: {beside.result.error or 'not compared'}",
            f"see {beside.folder.path / 'logs'}",
        )
    return beside.found


class BaselineRun(Run):
    """The run of a baseline, for as long as a candidate is compared with it.

    Attributes:
        found: What the comparison came to; None before.
    """

    found: RegressionResult | None = None
    _quietly: Beside

    @classmethod
    def prepare_beside(cls, run: Run, baseline: Baseline, quietly: Beside) -> BaselineRun:
        """Make the baseline's run folder, with its lease.

        Args:
            run: The candidate.
            baseline: What to deploy.
            quietly: Entered to deploy and to take down.
        """
        settings = run.env.settings
        home = run.folder.embedded_home
        folder = run_folder.create(
            run.folder.path.parent,
            run.env.name,
            settings.environment.name,
            timedelta(hours=settings.environment.lifetime_hours),
            account_id=run.account.account_id,
            region=run.account.region,
            endpoint=run.account.endpoint,
            server_home=str(home.resolve()) if home else "",
            beside=run.folder.run_id,
            settings=settings.model_dump(),
        )
        bucket = run.folder.read_lease().backend.get("bucket", "")
        account_bucket.keep_state_in(bucket, folder, run.account)
        result = result_store.begun(folder.read_lease(), git_sha=baseline.git_sha)
        beside = cls(
            run.project, run.env, folder, run.account, run.environment.toolchain, run.ui, result
        )
        beside.baseline = baseline
        beside._quietly = quietly
        beside.save()
        return beside

    @property
    def sources(self) -> Path:
        """Where the baseline's envs/, modules/ and lambda/ are put."""
        return self.folder.path / "sources"

    def build(self) -> dict[str, Package]:
        """Get the baseline's sources, and build its packages, or take a run's as they were."""
        assert self.baseline is not None
        with self._step("build", f"the baseline {self.baseline.label}") as step:
            packages = self.baseline.write_to(self.sources, self.project, self.env)
            root_module.check(self.sources / "envs" / self.env.name)
            if packages is None:
                packages = self._packages()
            step.update(f"the baseline {self.baseline.label}, {len(packages)} packages")
        return packages

    def down(self) -> tuple[Leftover, ...]:
        """Take the baseline's environment down."""
        with self._quietly():
            return super().down()

    def work(self, candidate: Run, alone: Beside) -> int:
        """Deploy the baseline and compare."""
        assert self.baseline is not None
        with self._quietly():
            self.up(self.build())
            candidate.deploy_declared_memory()
        settings = candidate.env.settings.regression
        text = f"in turns with the baseline {self.baseline.label}"
        with alone(), self._step("compare", text) as step:
            self.found = self.measure(candidate, settings, step)
            step.update(f"{self.found.outcome}: {self.found.pairs} pairs of blocks, {text}")
        return EXIT_PASS

    def measure(self, candidate: Run, settings: RegressionSettings, step: Step) -> RegressionResult:
        """Measure pairs of blocks until it can be told, or the last look is over."""
        versions: dict[Version, Run] = {"baseline": self, "candidate": candidate}
        checks = self._checks(candidate, settings)
        with ExitStack() as stack:
            sandboxes = {
                name: stack.enter_context(_sandboxes(run)) for name, run in versions.items()
            }
            driver = None
            if checks != [_COST]:
                step.update("starting the load driver")
                driver = stack.enter_context(_driver(candidate, versions))
            pairs = _Pairs(versions, sandboxes, driver, settings, _COST in checks, step)
            measured = _Measured({name: [] for name in versions})
            for look in range(1, settings.looks + 1):
                pairs.measure(measured, look * settings.pairs)
                measured.comparison = regression.compare(
                    measured.blocks["baseline"],
                    measured.blocks["candidate"],
                    checks=checks,
                    margin=settings.margin,
                    alpha=settings.alpha,
                    risk=settings.risk,
                    look=look,
                )
                measured.looks = look
                if measured.saturated or not measured.comparison.more_would_help:
                    break
        return measured.result(self, settings)

    def _checks(self, candidate: Run, settings: RegressionSettings) -> list[str]:
        """Return what can be compared, and say why something cannot.

        Raises:
            StepError: Nothing can.
        """
        checks = [str(name) for name in settings.checks]
        if _COST in checks and not _can_price(candidate):
            checks.remove(_COST)
            self.ui.note("cost is not compared: the payload of [tuning] is not one event")
        reason = candidate.why_not("load")
        if reason and checks != [_COST]:
            checks = [name for name in checks if name == _COST]
            self.ui.note(f"latencies are not compared: {reason}")
        if not checks:
            raise StepError("compare", "there is nothing that can be compared")
        return checks


@dataclass
class _Measured:
    """What was measured so far."""

    blocks: dict[Version, list[Block]]
    redone: int = 0
    looks: int = 0
    saturated: str = ""
    comparison: Comparison | None = None

    def result(self, run: BaselineRun, settings: RegressionSettings) -> RegressionResult:
        """Return it as the evidence has it. What measured this machine decides nothing."""
        assert self.comparison is not None
        assert run.baseline is not None
        latencies = {
            name: [latency for block in blocks for latency in block.latencies_ms]
            for name, blocks in self.blocks.items()
        }
        checks = self.comparison.records()
        outcome = self.comparison.outcome
        if self.saturated:
            outcome = "inconclusive"
            checks = tuple(
                regression.undecided(check, f"cannot tell: {self.saturated}") for check in checks
            )
        return RegressionResult(
            outcome=outcome,
            baseline=run.baseline.label,
            git_sha=run.baseline.git_sha,
            baseline_run_id=run.folder.run_id,
            pairs=self.comparison.pairs,
            redone=self.redone,
            looks=self.looks,
            margin=settings.margin,
            alpha=settings.alpha,
            risk=settings.risk,
            turn_s=settings.turn_s,
            requests={name: len(values) for name, values in latencies.items()},
            errors={name: sum(map(math.isinf, values)) for name, values in latencies.items()},
            checks=checks,
            saturated=self.saturated,
        )


@dataclass
class _Pairs:
    """Measures one pair of blocks after the other."""

    versions: Mapping[Version, Run]
    sandboxes: Mapping[Version, Sandboxes]
    driver: TurnDriver | None  # None: latencies are not compared
    settings: RegressionSettings
    priced: bool
    step: Step
    _turns: int = field(default=0, init=False)

    def measure(self, measured: _Measured, count: int) -> None:
        """Add pairs until there are so many, or this machine is too busy to measure any."""
        while len(measured.blocks["baseline"]) < count and not measured.saturated:
            done = len(measured.blocks["baseline"])
            pair, saturated = self._pair(done, count)
            if saturated:
                measured.redone += 1
                if measured.redone >= self.settings.pairs:
                    measured.saturated = (
                        f"{measured.redone} pairs of blocks were made again, the last since "
                        f"{saturated}"
                    )
                continue
            for name, block in pair.items():
                measured.blocks[name].append(block)
            if not done:
                self._require_answers(pair)

    def _pair(self, done: int, count: int) -> tuple[dict[Version, Block], str]:
        """Return a block of each version, and why they measured this machine; empty: not."""
        text = f"pair {done + 1} of {count}"
        self.step.update(f"{text}: new sandboxes", done, count)
        with ThreadPoolExecutor(len(self.sandboxes)) as pool:
            list(pool.map(Sandboxes.renew, self.sandboxes.values()))
        pair: dict[Version, Block] = {}
        saturated = ""
        for name in regression.turns(done + 1)[-2:]:
            self.step.update(f"{text}: the {name}'s turn", done, count)
            pair[name], saturated = self._block(name)
            if saturated:
                break  # the other turn would be for nothing
        return pair, saturated

    def _block(self, version: Version) -> tuple[Block, str]:
        self._turns += 1
        turn = Turn((), "")
        if self.driver is not None:
            turn = self.driver.turn(
                version,
                self.settings.turn_s,
                f"turn-{self._turns}",
                warm_up_s=self.settings.warm_up_s,
            )
            folder = self.versions["candidate"].folder.load / "turns"
            folder.mkdir(exist_ok=True)
            write_samples(turn.samples, folder / f"{self._turns:04d}-{version}.jsonl")
        run = self.versions[version]
        costs: list[float] = []
        if self.priced:
            outputs = run.result.outputs
            costs = costs_usd(
                self.sandboxes[version].invoke(self.settings.invocations),
                int(outputs["memory_mb"]),
                run.account.region,
                str(outputs["architecture"]),
            )
        block = Block.of(turn.samples, warm_up_s=self.settings.warm_up_s, costs_usd=costs)
        return block, turn.saturated

    @staticmethod
    def _require_answers(pair: Mapping[Version, Block]) -> None:
        """Make sure that both versions do what they are asked.

        Raises:
            StepError: One does not.
        """
        for name, block in pair.items():
            failed, every = sum(map(math.isinf, block.latencies_ms)), len(block.latencies_ms)
            if failed > _MOST_ERRORS * every:
                raise StepError(
                    "compare",
                    f"{failed} of {every} requests to the {name} got no good answer, so there is "
                    "nothing to compare",
                )


def _driver(candidate: Run, versions: Mapping[Version, Run]) -> AbstractContextManager[TurnDriver]:
    for run in versions.values():
        for output in ("api_url", "function_alias"):
            if not run.result.outputs.get(output):
                raise StepError("compare", f"{run.result.name_prefix} has no output {output}")
    return TurnDriver.running(
        candidate.env.settings.load,
        {name: run.result.outputs["api_url"] for name, run in versions.items()},
        credentials=candidate.api_credentials(),
        region=candidate.account.region,
        folder=candidate.folder.load,
        log=candidate.folder.logs / "compare.log",
        collection=candidate.collection("load"),
    )


def _sandboxes(run: Run) -> AbstractContextManager[Sandboxes]:
    outputs = run.result.outputs
    return renewable(
        run.account.session.client("lambda"),
        str(outputs["function_name"]),
        str(outputs.get("function_alias", "")),
        run.env.tuning_payload(),
    )


def _can_price(run: Run) -> bool:
    """Whether the function can be invoked as it is tuned, one event for all invocations."""
    tuning = run.env.settings.tuning
    weighted = isinstance(tuning.payload, list) and any(
        isinstance(entry, dict) and "weight" in entry for entry in tuning.payload
    )
    return not (tuning.payload_s3 or tuning.pre_processor_arn or weighted)
