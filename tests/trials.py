"""Compare a function with itself many times, and with a slower one: how often is the gate wrong?

`make trials N=50` or `python -m tests.trials --runs 50 --slower 0.1`. Both versions are deployed
on the embedded AWS once, at one whole vCPU, so that 10 % more CPU time are 10 % more duration;
then whole comparisons follow each other, with new sandboxes in every block. The slower version
burns its share in front of the handler, or waits there for `--wait-ms`, as for a downstream that
got slower: that is felt at any memory size. A tenth of the baseline's p95 is 10 % more of it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lambda_dyno.compare.events import Events
from lambda_dyno.compare.invocations import invoke
from lambda_dyno.core.errors import EXIT_PASS
from lambda_dyno.core.results import RegressionResult
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.run import build, lifecycle
from lambda_dyno.run.prepare import prepare
from lambda_dyno.run.steps import up
from lambda_dyno.run.steps.compare import Comparison
from lambda_dyno.statistics.stats import rate_interval

ONE_VCPU_MB = 1769

PROJECT = Path(__file__).parents[1]
HANDLER = Path("lambda/crud_api/crud_api/handler.py")

SLOWER = """

import time

_handler = handler


def work(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def handler(event, context):
    {first}
    return _handler(event, context)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50, help="of each: unchanged, and slower")
    parser.add_argument("--only", choices=("unchanged", "slower"), help="the other one is left out")
    parser.add_argument("--slower", type=float, default=0.1, help="0.1 is 10 %%")
    parser.add_argument("--wait-ms", type=float, help="slower by so much waiting, not by work")
    parser.add_argument("--checks", default="cost", help="such as p50,p95,cost")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--turn-s", type=float, default=2.0)
    parser.add_argument(
        "--invocations", type=int, default=20, help="after each block, for its cost"
    )
    parser.add_argument(
        "--memory-mb",
        type=int,
        default=ONE_VCPU_MB,
        help="with less than 1769, durations come in steps: 10 %% more work is any or none",
    )
    parser.add_argument("--report", type=Path, help="file that gets a line of JSON for each run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dyno-trials-") as folder:
        return Trials(copy_of_project(Path(folder) / "project", options.memory_mb), options).run()


def copy_of_project(to: Path, memory_mb: int) -> Path:
    """Return a repository with what is deployed, at a memory size."""
    for name in ("envs", "modules", "lambda", "postman"):
        ignored = shutil.ignore_patterns(".terraform*", "__pycache__")
        shutil.copytree(PROJECT / name, to / name, ignore=ignored)
    for name in ("node_modules", ".cache"):
        (PROJECT / name).mkdir(exist_ok=True)  # a fresh clone has no cache yet
        (to / name).symlink_to(PROJECT / name)
    sized = json.dumps({"memory_mb": memory_mb})
    (to / "envs" / "local" / "tuned.auto.tfvars.json").write_text(sized, encoding="utf-8")
    git = ["git", "-c", "user.name=trials", "-c", "user.email=trials@example.org"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "Baseline"]):
        subprocess.run([*git, *arguments], cwd=to, check=True)
    return to


class Trials:
    """Whole comparisons, one after the other, on two environments that stand."""

    def __init__(self, project: Path, options: argparse.Namespace) -> None:
        self.project = project
        self.options = options
        self.candidate = prepare(
            project,
            "local",
            TerminalUi(),
            overrides={
                "regression.baseline": "main",
                "regression.checks": options.checks.split(","),
                "regression.pairs": options.pairs,
                "regression.invocations": options.invocations,
                "regression.turn_s": options.turn_s,
                "regression.warm_up_s": options.turn_s / 4,
            },
        )
        self.found: dict[str, list[RegressionResult]] = {"unchanged": [], "slower": []}

    def run(self) -> int:
        """Deploy both, compare, take both down, and print how often which verdict was given."""
        status = lifecycle.execute(self.candidate, self._deployed, keep=False)
        for kind, results in self.found.items():
            print(summary(kind, results))
        return status

    def _deployed(self) -> int:
        candidate = self.candidate
        up.step(candidate, build.step(candidate))
        beside = Comparison.beside(candidate)

        def work() -> int:
            beside.deploy()
            if self.options.only != "slower":
                self._compare(beside, "unchanged")
            if self.options.only != "unchanged":
                self._slow_down()
                self._compare(beside, "slower")
            return EXIT_PASS

        return lifecycle.execute(beside.baseline, work, keep=False)

    def _slow_down(self) -> None:
        """Deploy a candidate that takes so much longer than its baseline."""
        if self.options.wait_ms is None:
            first = f"work({self._warm_s() * self.options.slower})"
        else:
            first = f"time.sleep({self.options.wait_ms / 1000})"
        with (self.project / HANDLER).open("a", encoding="utf-8") as handler:
            handler.write(SLOWER.format(first=first))
        up.step(self.candidate, build.step(self.candidate))

    def _warm_s(self) -> float:
        """Return how long an invocation takes."""
        outputs = self.candidate.result.outputs
        invoked = invoke(
            self.candidate.account.session.client("lambda"),
            f"{outputs['function_name']}:{outputs['function_alias']}",
            Events(self.candidate.env.tuning_payload()),
            times=60,
        )
        return statistics.mean(one.billed_ms for one in invoked if not one.cold) / 1000

    def _compare(self, beside: Comparison, kind: str) -> None:
        settings = self.candidate.env.settings.regression
        for number in range(1, self.options.runs + 1):
            started = time.monotonic()
            with beside.baseline.step("compare", f"{kind} {number} of {self.options.runs}") as step:
                result = beside.measure(settings, step)
                step.update(f"{kind} {number} of {self.options.runs}: {result.outcome}")
            self.found[kind].append(result)
            if self.options.report:
                row: dict[str, Any] = {"kind": kind, "took_s": time.monotonic() - started}
                with self.options.report.open("a", encoding="utf-8") as report:
                    report.write(json.dumps(row | asdict(result)) + "\n")


def summary(kind: str, results: list[RegressionResult]) -> str:
    """Return a line: how often which verdict, and with what confidence it fails so often."""
    if not results:
        return f"{kind}: not compared"
    counts = Counter(result.outcome for result in results)
    failed = rate_interval(counts["fail"], len(results))
    pairs = [result.pairs for result in results]
    return (
        f"{kind}: {len(results)} comparisons, fail {counts['fail']} "
        f"({100 * failed.low:.1f} to {100 * failed.high:.1f} %), pass {counts['pass']}, "
        f"undecided {counts['inconclusive']}; {min(pairs)} to {max(pairs)} pairs"
    )


if __name__ == "__main__":
    sys.exit(main())
