"""Kill runs at random moments by random means, sweep once, and look what is left.

`make faults N=60` or `python -m tests.faults --runs 60 --seed 1`. What is left is looked for by
`inventory`, which shares no code with the harness. `--no-sweep` is the control: it must find
something.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import inventory, world
from tests.faults.world import KINDS, MEANS, Victim, World

_DONE = {"tune": "tuning", "load": "load "}
# The mark is a spinner's on a terminal.
_STEP_LINE = re.compile(r"([^\w\s]) (\w+) +[\d.]+ s ")
_END_S = 300.0  # for a run to end by itself after what happened to it


@dataclass
class Fault:
    """What happened to one run, and what was left."""

    number: int
    kind: str
    means: str
    moment_s: float
    step: str = ""
    note: str = ""
    terminal: bool = False
    exit_status: int | None = None
    ended_after_s: float = 0.0
    sweep_status: int | None = None
    sweep_s: float = 0.0
    measured: int = 0
    left: dict[str, Any] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.left and not self.lost


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-sweep", action="store_true", help="the control: find what is left")
    parser.add_argument("--only", help="a part of the names of kind or means, such as function")
    parser.add_argument(
        "--terminal", type=float, default=0.5, help="share of the runs that have a terminal"
    )
    parser.add_argument("--report", type=Path, help="file that gets a line of JSON for each run")
    options = parser.parse_args()
    # In the background of a shell SIGINT is ignored, and what we start would inherit that; a
    # handler is not inherited.
    if not sys.stdin.isatty():
        signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chance = random.Random(options.seed)
    pairs = [
        (kind, means)
        for kind in KINDS
        for means in MEANS
        if (means != "embedded AWS killed" or kind == "local")
        and (means != "disk full" or world.can_mount())
        and (not options.only or options.only in f"{kind} {means}")
    ]
    faults = []
    with World.make() as where:
        durations = {kind: _whole(where, kind) for kind in sorted({kind for kind, _ in pairs})}
        print(
            f"undisturbed: {', '.join(f'{k} {s:.0f} s' for k, s in durations.items())}", flush=True
        )
        chosen: list[tuple[str, str]] = []
        while len(chosen) < options.runs:  # every pair as often as every other, in random order
            chosen += chance.sample(pairs, len(pairs))
        for number, (kind, means) in enumerate(chosen[: options.runs], start=1):
            while True:  # a run that was over before anything could happen to it does not count
                fault = Fault(number, kind, means, chance.uniform(0.3, durations[kind]))
                fault.terminal = means == "terminal closed" or chance.random() < options.terminal
                if _happen(where, fault, sweep=not options.no_sweep):
                    break
                durations[kind] = (durations[kind] + fault.moment_s) / 2
                where.forget()
            faults.append(fault)
            _say(fault)
            if options.report:
                with options.report.open("a") as report:
                    report.write(json.dumps(asdict(fault)) + "\n")
            if not fault.clean:
                print(_indented(where.stderr), file=sys.stderr)
            where.forget()
    return _summary(faults)


def _whole(where: World, kind: str) -> float:
    """Let a run of a kind come to its end, and return how long that takes."""
    account = where.new_account() if kind != "local" else None
    started = time.monotonic()
    status, _ = where.dyno(KINDS[kind], account)
    if status not in (0, 1):
        raise SystemExit(f"an undisturbed run fails ({status}):\n{where.stderr}")
    where.forget()
    return time.monotonic() - started


def _happen(where: World, fault: Fault, *, sweep: bool) -> bool:
    """Let a fault happen to a run; return whether it was in time for it."""
    account = where.new_account() if fault.kind != "local" else None
    session = where.session(account) if account else None
    function = world.FUNCTION if account else None
    before = inventory.account(session, where.aws.endpoint, function) if session else None
    with ExitStack() as stack:
        if fault.means == "disk full":
            stack.enter_context(world.small_disk(where.project / "runs"))
        if fault.terminal:
            process: subprocess.Popen[Any] = where.start_on_terminal(
                KINDS[fault.kind], account
            ).process
        else:
            process = where.start(KINDS[fault.kind], account)
        started = time.monotonic()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=fault.moment_s)
            fault.moment_s = time.monotonic() - started
            return False
        fault.step = _step(where.stderr)
        fault.note = MEANS[fault.means](Victim(process, where.project, where.window))
        fault.moment_s = round(time.monotonic() - started, 1)
        process.communicate(timeout=_END_S)
        fault.exit_status = process.returncode
        fault.ended_after_s = round(time.monotonic() - started - fault.moment_s, 1)
        measured = inventory.measurements(where.project)
        finished = _finished(where.stderr)
        if sweep:
            started = time.monotonic()
            fault.sweep_status, said = where.dyno(["sweep", "--json"], account)
            fault.sweep_s = round(time.monotonic() - started, 1)
            if fault.sweep_status:
                fault.note += f" sweep: {said.strip()[:500]}"
        _look(where, fault, measured, finished, before, session)
    return True


def _look(
    where: World,
    fault: Fault,
    measured: dict[str, Any],
    finished: set[str],
    before: dict[str, Any] | None,
    session: Any,
) -> None:
    """Find out what is left and what is lost."""
    left: dict[str, Any] = {
        "processes": inventory.processes(where.project, where.temp),
        "temporary": inventory.temp(where.temp),
        "files": inventory.files(where.project),
        "environments": {
            run_id: state
            for run_id, state in inventory.leases(where.project).items()
            if state not in ("down", "no lease, but []")
        },
    }
    if session:
        function = world.FUNCTION
        now = inventory.account(session, where.aws.endpoint, function)
        left["account"] = {k: (before[k], now[k]) for k in now if before and now[k] != before[k]}
    fault.left = {name: found for name, found in left.items() if found}
    now_measured = inventory.measurements(where.project)
    fault.measured = len(measured)
    fault.lost = [name for name, value in measured.items() if now_measured.get(name) != value]
    for step in finished:
        if not any(_DONE[step] in name for name in now_measured):
            fault.lost.append(f"{step} was finished")


def _step(stderr: str) -> str:
    """Return the step that a run was in."""
    lines = [found for line in stderr.splitlines() if (found := _STEP_LINE.match(line))]
    if not lines:
        return "start"
    mark, name = lines[-1].groups()
    return f"after {name}" if mark in "✓✗!" else name


def _finished(stderr: str) -> set[str]:
    """Return the measuring steps that a run said it had finished."""
    marked = (line.split()[1] for line in stderr.splitlines() if line.startswith("✓"))
    return {step for step in marked if step in _DONE}


def _say(fault: Fault) -> None:
    what = "clean" if fault.clean else f"LEFT {fault.left} LOST {fault.lost}"
    print(
        f"{fault.number:3} {fault.kind:<8} {'tty' if fault.terminal else '   '} "
        f"{fault.means:<21} at {fault.moment_s:5.1f} s "
        f"({fault.step}) {fault.note}; exit {fault.exit_status} after {fault.ended_after_s:.1f} s, "
        f"sweep {fault.sweep_status} in {fault.sweep_s:.1f} s, {fault.measured} measurements: "
        f"{what}",
        flush=True,
    )


def _summary(faults: list[Fault]) -> int:
    print(f"\n{'':<22}" + "".join(f"{kind:>10}" for kind in KINDS))
    for means in MEANS:
        cells = []
        for kind in KINDS:
            those = [f for f in faults if (f.kind, f.means) == (kind, means)]
            clean = sum(f.clean for f in those)
            cells.append(f"{clean}/{len(those)}" if those else "-")
        print(f"{means:<22}" + "".join(f"{cell:>10}" for cell in cells))
    clean = sum(fault.clean for fault in faults)
    sweeps = sorted(fault.sweep_s for fault in faults)
    measured = sum(fault.measured for fault in faults)
    lost = sum(len(fault.lost) for fault in faults)
    print(
        f"\n{clean} of {len(faults)} left nothing; {lost} of {measured} measurements were lost; "
        f"a sweep took {sweeps[len(sweeps) // 2]:.1f} s (median), {sweeps[-1]:.1f} s at most"
    )
    return 0 if clean == len(faults) else 1


def _indented(text: str) -> str:
    return "\n".join(f"      {line}" for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(main())
