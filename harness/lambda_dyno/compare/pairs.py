"""Measure a candidate and its baseline in turns, a pair of blocks after the other.

Both are deployed already. In each pair both get new execution environments, and who comes first
changes from pair to pair, so that neither is measured at a better time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lambda_dyno.aws.accounts import Account
from lambda_dyno.compare import regression
from lambda_dyno.compare.baseline import Baseline
from lambda_dyno.compare.events import Events
from lambda_dyno.compare.fresh_environments import FreshEnvironments, renewable
from lambda_dyno.compare.interleaved_driver import InterleavedDriver, Turn
from lambda_dyno.compare.invocations import costs_usd
from lambda_dyno.compare.regression import Block, Comparison, Version
from lambda_dyno.core.config import RegressionSettings
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.progress import Step
from lambda_dyno.core.results import RegressionResult
from lambda_dyno.core.samples import write_samples
from lambda_dyno.tuner_contract import prices

COST = "cost"

# Above, what was measured is how fast a version says no.
_MOST_ERRORS = 0.1


@dataclass(frozen=True, slots=True)
class Deployed:
    """One of the two versions.

    Attributes:
        account: Where it is.
        outputs: Of its root.
        events: What its function is invoked with, to know its cost.
    """

    account: Account
    outputs: Mapping[str, Any]
    events: Events


@dataclass
class _Measured:
    """What was measured so far."""

    blocks: dict[Version, list[Block]]
    redone: int = 0
    looks: int = 0
    saturated: str = ""
    comparison: Comparison | None = None

    def result(
        self, baseline: Baseline, baseline_run_id: str, settings: RegressionSettings
    ) -> RegressionResult:
        """Return it as the evidence has it. What measured this machine decides nothing."""
        assert self.comparison is not None
        latencies = {
            name: [latency for block in blocks for latency in block.latencies_ms]
            for name, blocks in self.blocks.items()
        }
        checks = self.comparison.checks
        outcome = self.comparison.outcome
        if self.saturated:
            outcome = "inconclusive"
            checks = tuple(
                regression.undecided(check, f"cannot tell: {self.saturated}") for check in checks
            )
        return RegressionResult(
            outcome=outcome,
            baseline=baseline.label,
            git_sha=baseline.git_sha,
            baseline_run_id=baseline_run_id,
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


def measure(
    versions: Mapping[Version, Deployed],
    checks: Sequence[str],
    settings: RegressionSettings,
    step: Step,
    *,
    driver: AbstractContextManager[InterleavedDriver] | None,
    folder: Path,
    baseline: Baseline,
    baseline_run_id: str,
) -> RegressionResult:
    """Measure pairs of blocks until it can be told, or the last look is over.

    Args:
        versions: Both versions.
        checks: What is compared.
        settings: How.
        step: Where progress goes.
        driver: Loads both APIs; None: latencies are not compared.
        folder: Gets the latencies of each turn.
        baseline: What is compared with, for the evidence.
        baseline_run_id: Its run.

    Raises:
        StepError: A version does not do what it is asked.
    """
    with ExitStack() as stack:
        sandboxes = {
            name: stack.enter_context(_sandboxes(version)) for name, version in versions.items()
        }
        running = None
        if driver is not None:
            step.update("starting the load driver")
            running = stack.enter_context(driver)
        pairs = _Pairs(versions, sandboxes, running, settings, COST in checks, step, folder)
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
    found = measured.result(baseline, baseline_run_id, settings)
    region = versions["candidate"].account.region
    currency = prices.lookup(region, "x86_64").currency
    in_currency = (regression.in_currency(check, currency) for check in found.checks)
    return replace(found, checks=tuple(in_currency))


@dataclass
class _Pairs:
    """Measures one pair of blocks after the other."""

    versions: Mapping[Version, Deployed]
    sandboxes: Mapping[Version, FreshEnvironments]
    driver: InterleavedDriver | None  # None: latencies are not compared
    settings: RegressionSettings
    priced: bool
    step: Step
    folder: Path
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
            list(pool.map(FreshEnvironments.renew, self.sandboxes.values()))
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
            self.folder.mkdir(exist_ok=True)
            write_samples(turn.samples, self.folder / f"{self._turns:04d}-{version}.jsonl")
        costs: list[float] = []
        if self.priced:
            deployed = self.versions[version]
            costs = costs_usd(
                self.sandboxes[version].invoke(self.settings.invocations),
                int(deployed.outputs["memory_mb"]),
                deployed.account.region,
                str(deployed.outputs["architecture"]),
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


def _sandboxes(version: Deployed) -> AbstractContextManager[FreshEnvironments]:
    return renewable(
        version.account.session.client("lambda"),
        str(version.outputs["function_name"]),
        str(version.outputs.get("function_alias", "")),
        version.events,
    )
