"""Tune five functions many times on the embedded AWS: is the answer right, and what does it cost?

`make tuner-trials N=40` or `python -m tests.tuner_trials --tunings 40 --stops 20 --lpt FOLDER`.
Adaptive tunings go through the deployed state machine, beside it 10 invocations at each of LPT's
six sizes (fixed), and, with a checkout of aws-lambda-power-tuning, LPT's own code with the same.
What is right is worked out from the meter's model and the work that it saw the functions do, so
that it does not depend on how busy the machine is. Other tunings are stopped at random moments.

LPT's code is deployed without its SAM template (MiniStack has no SAM), its functions may do all
(MiniStack judges GetAlias as ListAliases), and all of them find the SDK in the runtime.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_dyno.emulator import meter, server
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.emulator.model import Work, predict
from lambda_dyno.statistics.stats import rate_interval
from tests.support.functions import archive
from tests.support.tuner_stack import TunerStack

ACCOUNT = "000000000017"
LPT_SIZES = (128, 256, 512, 1024, 1536, 3008)
NUM = 10
CLOSE = 0.10  # an answer that costs, or takes, so much more than the best is right
MOST_MB = 10_240
HEADROOM = 1.1  # over the memory that it uses

BURN = """
import time

def burn(ms):
    end = time.thread_time() + ms / 1000
    while time.thread_time() < end:
        pass
"""


@dataclass(frozen=True)
class Case:
    """A function to tune."""

    name: str
    handler: str  # body of the handler
    start: str = ""  # what its Init does
    least_mb: int = 128  # below, it cannot work

    @property
    def source(self) -> str:
        """Its code."""
        return f"{BURN}\n{self.start}\ndef handler(event, context):\n    {self.handler}\n"


CASES = (
    Case("cpu", "burn(100)"),
    Case("io", "burn(2); time.sleep(0.12)"),
    Case("mixed", "burn(30); time.sleep(0.06)"),
    Case("hungry", "burn(40); data = bytes(range(256)) * 4096 * 180", least_mb=256),
    # what it holds is touched, else no memory is used
    Case("fails", "burn(60)", "held = b'x' * (455 << 20)\n", least_mb=512),
)
STRATEGIES = ("cost", "cost", "speed", "cost")  # in turn


@dataclass(frozen=True)
class Tuning:
    """A tuning that is over."""

    case: str
    by: str  # adaptive, fixed or LPT
    strategy: str
    chosen_mb: int
    at_most: float | None  # what it states, as a share
    used_mb: int  # most memory used
    cost_usd: float  # invocations and state transitions
    wall_s: float


@dataclass(frozen=True)
class Verdict:
    """A tuning, held against the truth."""

    tuning: Tuning
    regret: float

    @property
    def right(self) -> bool:
        """Whether the choice is near the best."""
        return self.regret <= CLOSE

    @property
    def true(self) -> bool:
        """Whether the statement holds."""
        return self.tuning.at_most is None or self.regret <= self.tuning.at_most


class Trials:
    """Five functions, and tuners of them."""

    def __init__(self, running: server.LocalServer, folder: Path, lpt: Path | None) -> None:
        self.stack = TunerStack.deploy(running, ACCOUNT, folder)
        self.session: LocalSession = self.stack.session
        self.states = self.session.client("stepfunctions")
        self.role = _role(self.session)
        for case in CASES:
            self._function(f"target-{case.name}", {"app.py": case.source}, MemorySize=1024)
        self.lpt = None if lpt is None else self._deploy_lpt(lpt)

    def _function(self, name: str, files: dict[str, str], **config: Any) -> str:
        options = {"Runtime": "python3.13", "Handler": "app.handler", "Timeout": 60} | config
        lambdas = self.session.client("lambda")
        made = lambdas.create_function(
            FunctionName=name, Role=self.role, Code={"ZipFile": archive(files)}, **options
        )
        lambdas.get_waiter("function_active_v2").wait(FunctionName=name)
        return str(made["FunctionArn"])

    def _deploy_lpt(self, checkout: Path) -> str:
        code = {path.name: path.read_text() for path in (checkout / "lambda").glob("*.js")}
        prices = {"x86_64": {"default": 2.1e-9}, "arm64": {"default": 1.7e-9}}
        variables = {
            "defaultPowerValues": ",".join(map(str, LPT_SIZES)),
            "minRAM": "128",
            "baseCosts": json.dumps(prices),
            "sfCosts": json.dumps({"default": 0.000025}),
            "visualizationURL": "https://lambda-power-tuning.show/",
        }
        definition = (checkout / "statemachine/statemachine.asl.json").read_text()
        for state in ("initializer", "publisher", "executor", "cleaner", "analyzer", "optimizer"):
            arn = self._function(
                f"lpt-{state}",
                code,
                Runtime="nodejs22.x",
                Handler=f"{state}.handler",
                Timeout=300,
                Environment={"Variables": variables},
            )
            definition = definition.replace(f"${{{state}Arn}}", arn)
        definition = definition.replace("${totalExecutionTimeout}", "300")
        made = self.states.create_state_machine(
            name="lpt", definition=definition, roleArn=self.role
        )
        return str(made["stateMachineArn"])

    def adaptive(self, case: Case, strategy: str) -> Tuning:
        """Let the tuner decide."""
        keys = {"num": None, "measuring": "adaptive", "strategy": strategy}
        return self._tuning(case, "adaptive", strategy, self.stack.start(_target(case), **keys))

    def fixed(self, case: Case, strategy: str) -> Tuning:
        """Measure LPT's sizes with the tuner."""
        keys = {"num": NUM, "powerValues": list(LPT_SIZES), "strategy": strategy}
        return self._tuning(case, "fixed", strategy, self.stack.start(_target(case), **keys))

    def of_lpt(self, case: Case, strategy: str) -> Tuning:
        """Measure LPT's sizes at which the function works with LPT, which fails at others."""
        sizes = [size for size in LPT_SIZES if size >= case.least_mb]
        arn = self.stack.function_arn(_target(case))
        content = {"lambdaARN": arn, "num": NUM, "powerValues": sizes, "strategy": strategy}
        started = self.states.start_execution(stateMachineArn=self.lpt, input=json.dumps(content))
        return self._tuning(case, "LPT", strategy, started["executionArn"])

    def _tuning(self, case: Case, by: str, strategy: str, execution_arn: str) -> Tuning:
        done = self.stack.wait(execution_arn, deadline_s=900)
        assert done.status == "SUCCEEDED" and done.output.get("power"), done
        times = self.states.describe_execution(executionArn=execution_arn)
        said = done.output.get("adaptive")
        costs = done.output["stateMachine"]
        return Tuning(
            case.name,
            by,
            strategy,
            int(done.output["power"]),
            None if said is None else said["atMostPercent"] / 100,
            max((d["maxMemoryUsed"] or 0 for d in done.output.get("details", [])), default=0),
            costs["executionCost"] + costs["lambdaCost"],
            (times["stopDate"] - times["startDate"]).total_seconds(),
        )

    def stop_one(self, case: Case, moment: random.Random) -> float:
        """Stop an adaptive tuning after 0 to 8 s, and wait until nothing of it is left."""
        name = _target(case)
        before = self.stack.snapshot(name)
        after_s = moment.uniform(0, 8)
        execution = self.stack.start(name, num=None, measuring="adaptive")
        time.sleep(after_s)
        self.stack.stop(execution)
        self.stack.wait_until_clean(name, before)
        return after_s


def work_seen(trace: Path) -> dict[str, Work]:
    """Return what the functions did, in the median of their invocations, as the meter saw it."""
    seen: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for line in trace.read_text().splitlines():
        record = json.loads(line)
        if not record["function"].startswith("target-"):
            continue  # a tuner's own
        cpu_ms = sum(step[1] for step in record["steps"] if step[0] == "cpu")
        # ("wait", ms), and ("call", which, ms) of a timer or a service
        wait_ms = sum(step[-1] for step in record["steps"] if step[0] in ("wait", "call"))
        seen[record["function"]].append((cpu_ms, wait_ms))
    return {
        name: Work(
            statistics.median(cpu for cpu, _ in found),
            blocked_ms=statistics.median(wait for _, wait in found),
        )
        for name, found in seen.items()
    }


def judge(tuning: Tuning, work: Work, least_mb: int) -> Verdict:
    """Hold a choice against the best of all sizes that leave a tenth of the memory free."""
    sizes = sorted({*range(least_mb + (-least_mb) % 16, MOST_MB + 1, 16), tuning.chosen_mb})
    found = {
        one.memory_mb: one.cost_share if tuning.strategy == "cost" else one.duration_ms.mean
        for one in predict(work, sizes)
    }
    return Verdict(tuning, found[tuning.chosen_mb] / min(found.values()) - 1)


def table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    yield (
        "| function | by | tunings | right | statement true | regret: mean, most "
        "| USD, median | seconds, median |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for case in (*(case.name for case in CASES), "all"):
        for by in ("adaptive", "fixed", "LPT"):
            own = [v for v in verdicts if v.tuning.by == by and case in (v.tuning.case, "all")]
            if not own:
                continue
            stated = [v for v in own if v.tuning.at_most is not None]
            true = f"{sum(v.true for v in stated)} of {len(stated)}" if stated else ""
            regrets = [v.regret for v in own]
            yield (
                f"| {case} | {by} | {len(own)} | {sum(v.right for v in own)} | {true} "
                f"| {statistics.mean(regrets):.3f}, {max(regrets):.3f} "
                f"| {statistics.median(v.tuning.cost_usd for v in own):.6f} "
                f"| {statistics.median(v.tuning.wall_s for v in own):.1f} |"
            )


def _target(case: Case) -> str:
    return f"target-{case.name}"


def _role(session: LocalSession) -> str:
    """Return a role that Lambda and Step Functions may have, and that may do all."""
    iam = session.client("iam")
    principal = {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]}
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    may = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    role = iam.create_role(RoleName="may-all", AssumeRolePolicyDocument=_policy(trust))["Role"]
    iam.put_role_policy(RoleName="may-all", PolicyName="all", PolicyDocument=_policy(may))
    return str(role["Arn"])


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def main() -> int:
    """Run the trials; 1 if the tuner was wrong too often, or left something behind."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--tunings", type=int, default=40, help="adaptive ones, of all functions")
    parser.add_argument("--stops", type=int, default=10, help="tunings that are stopped")
    parser.add_argument("--lpt", type=Path, help="checkout of aws-lambda-power-tuning 4.4")
    parser.add_argument("--seed", type=int, default=random.randrange(1000), help="of the stops")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="dyno-tuner-trials-"))
    running = server.start(folder / "aws", owner_pid=os.getpid())
    meter.set_steady(folder / "aws", steady=False)
    meter.set_trace(folder / "aws", folder / "trace.jsonl")
    (folder / "tuner").mkdir()
    try:
        trials = Trials(running, folder / "tuner", options.lpt)
        done = list(_tunings(trials, options.tunings))
        work = work_seen(folder / "trace.jsonl")
        verdicts = [_judged(tuning, work, done) for tuning in done]
        print(*table(verdicts), sep="\n")
        moment = random.Random(options.seed)
        for number in range(options.stops):
            after_s = trials.stop_one(CASES[number % len(CASES)], moment)
            print(f"stopped after {after_s:.1f} s: nothing is left", flush=True)
        trials.stack.destroy()
        left = trials.stack.leftovers()
        print(f"left of the tuner: {', '.join(left) or 'nothing'} (seed {options.seed})")
        return int(bool(left) or not _good(verdicts))
    finally:
        server.stop(folder / "aws")
        shutil.rmtree(folder, ignore_errors=True)


def _tunings(trials: Trials, adaptive: int) -> Iterator[Tuning]:
    """Make the tunings, those of the others for each function and strategy once."""
    others: list[Callable[[Case, str], Tuning]] = [trials.fixed]
    if trials.lpt is not None:
        others.append(trials.of_lpt)
    for number in range(adaptive):
        case = CASES[number % len(CASES)]
        turn = number // len(CASES)
        strategy = STRATEGIES[turn % len(STRATEGIES)]
        for tune in (trials.adaptive, *(others if turn in (0, 2) else ())):
            found = tune(case, strategy)
            print(found, file=sys.stderr, flush=True)
            yield found


def _judged(tuning: Tuning, work: dict[str, Work], all_of: Sequence[Tuning]) -> Verdict:
    (case,) = (case for case in CASES if case.name == tuning.case)
    used_mb = max(other.used_mb for other in all_of if other.case == tuning.case)
    least_mb = max(case.least_mb, round(HEADROOM * used_mb))
    # LPT and fixed measuring know no headroom: their smallest sizes are no mistake
    least_mb = min(least_mb, tuning.chosen_mb)
    return judge(tuning, work[f"target-{tuning.case}"], least_mb)


def _good(verdicts: Sequence[Verdict]) -> bool:
    """Tell whether statements can be true in 95 % of all tunings, as they say."""
    own = [v for v in verdicts if v.tuning.by == "adaptive"]
    return rate_interval(sum(v.true for v in own), len(own)).high >= 0.95


if __name__ == "__main__":
    sys.exit(main())
