"""What a run says, in sentences: headline, recommendation, verdict lines, caveats.

Pure functions of `RunResult`. No sentence claims more than was measured: a size that was not
measured is not compared, and a difference below one per cent is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from harness.report import numbers
from harness.results import (
    Check,
    LoadResult,
    Outcome,
    PowerDetail,
    RunResult,
    TuningResult,
    Verdict,
)

Status = Literal["pass", "fail", "inconclusive", "error", "none"]

SYMBOLS: dict[Status, str] = {
    "pass": "✓",
    "fail": "✗",
    "inconclusive": "?",
    "error": "✗",
    "none": "·",
}

_NO_DIFFERENCE = 0.01
_COST_UNIT = "USD per million invocations"


@dataclass(frozen=True, slots=True)
class Headline:
    """The run in a few words."""

    status: Status
    text: str

    @property
    def symbol(self) -> str:
        """A sign for the status, for readers who scan."""
        return SYMBOLS[self.status]


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """One check of the gate, written out."""

    outcome: Outcome
    title: str
    limit: str
    measured: str
    reason: str

    @property
    def symbol(self) -> str:
        """A sign for the outcome."""
        return SYMBOLS[self.outcome]


@dataclass(frozen=True, slots=True)
class Figure:
    """One key figure: what it is now and what it would be; `before` empty if unknown."""

    title: str
    before: str
    after: str
    unit: str
    change: str  # such as "4.1 times as fast"; empty if there is nothing to compare
    better: bool | None  # None: about the same, or nothing to compare


@dataclass(frozen=True, slots=True)
class Point:
    """Duration and price at one memory size."""

    power: int
    duration_ms: float
    cost_usd: float

    @classmethod
    def of(cls, detail: PowerDetail | None) -> Point | None:
        """Return the point of a power value, or None if it was not measured."""
        if detail is None or detail.duration_ms is None or detail.cost_usd is None:
            return None
        return cls(detail.power, detail.duration_ms.trimmed_mean, detail.cost_usd)


@dataclass(frozen=True, slots=True)
class Change:
    """One measure of two points, compared: words, and whether it is better, worse or neither."""

    words: str
    better: bool | None


# --- headline -------------------------------------------------------------------------------


def headline(result: RunResult) -> Headline:
    """Return the run's outcome in a few words; an error comes before any verdict."""
    if result.error:
        return Headline("error", "The run failed")
    if result.verdict is None:
        return Headline("none", "Not checked against SLOs")
    return Headline(result.verdict.outcome, _verdict_words(result.verdict))


def _verdict_words(verdict: Verdict) -> str:
    total = len(verdict.checks)
    if not total:
        return "No SLO is set"
    of_all = {
        outcome: sum(check.outcome == outcome for check in verdict.checks)
        for outcome in ("pass", "fail", "inconclusive")
    }
    if verdict.outcome == "fail":
        missed = of_all["fail"]
        return f"{missed} of {total} SLOs {'is' if missed == 1 else 'are'} missed"
    if verdict.outcome == "inconclusive":
        return f"Not decided: {of_all['inconclusive']} of {total} SLOs without enough evidence"
    return "The SLO is met" if total == 1 else f"All {total} SLOs are met"


def verdict_lines(verdict: Verdict | None) -> tuple[VerdictLine, ...]:
    """Return one line per check, what needs attention first."""
    if verdict is None:
        return ()
    order = {"fail": 0, "inconclusive": 1, "pass": 2}
    checks = sorted(verdict.checks, key=lambda check: order[check.outcome])
    return tuple(_verdict_line(check) for check in checks)


_TITLES = {
    "latency_p95_ms": "Latency p95",
    "latency_p99_ms": "Latency p99",
    "error_ratio": "Errors",
    "cost_per_million_usd": "Cost per million",
    "distance_from_best": "Distance from the best size",
}


def check_title(name: str) -> str:
    """Return what a check is called; an unknown one by its key."""
    return _TITLES.get(name, name.replace("_", " "))


def _verdict_line(check: Check) -> VerdictLine:
    return VerdictLine(
        outcome=check.outcome,
        title=check_title(check.name),
        limit=check_value(check, check.limit),
        measured=check_value(check, check.measured),
        reason=check.reason,
    )


def check_value(check: Check, value: float | None) -> str:
    """Return a limit or a measured value with its unit, which the check's name ends with."""
    if value is None:
        return "not measured"
    if check.name.endswith("_ms"):
        return f"{numbers.milliseconds(value)} ms"
    if check.name.endswith("_usd"):
        return f"{numbers.usd(value)} USD"
    if check.name.endswith("_ratio") or check.name == "distance_from_best":
        return numbers.percent(value)
    return f"{numbers.rounded(value)} {check.unit}".rstrip()


# --- recommendation -------------------------------------------------------------------------


def recommendation(tuning: TuningResult | None) -> str:
    """Return the recommendation as one sentence; empty if nothing was tuned."""
    if tuning is None:
        return ""
    best = best_point(tuning)
    if tuning.power == tuning.current_power:
        return _keep(tuning, best)
    current = tuning.detail(tuning.current_power)
    now = Point.of(current)
    if now is not None:
        changes = _joined(speed_change(now, best), cost_change(now, best))
        return f"Set memory_mb from {now.power} to {best.power}: {changes}."
    figures = _figures(best)
    if current is not None and current.excluded:
        return (
            f"Set memory_mb from {tuning.current_power} to {best.power}: {figures}; "
            f"at {tuning.current_power} MB the function could not be measured."
        )
    return (
        f"Set memory_mb from {tuning.current_power} to {best.power}: {figures}; "
        f"{tuning.current_power} MB was not measured, so the gain is not known."
    )


def best_point(tuning: TuningResult) -> Point:
    """Return the recommended size as it was measured."""
    detail = Point.of(tuning.detail(tuning.power))
    return detail or Point(tuning.power, tuning.duration, tuning.cost)


def _keep(tuning: TuningResult, best: Point) -> str:
    measured = sum(Point.of(detail) is not None for detail in tuning.details)
    if measured <= 1:
        return f"Keep memory_mb at {best.power}, the only size measured: {_figures(best)}."
    return (
        f"Keep memory_mb at {best.power}: the best of {measured} sizes for strategy "
        f"{tuning.strategy}, {_figures(best)}."
    )


def _figures(point: Point) -> str:
    return (
        f"{numbers.milliseconds(point.duration_ms)} ms and "
        f"{numbers.per_million(point.cost_usd)} {_COST_UNIT}"
    )


def speed_change(now: Point, best: Point) -> Change:
    """Return how the duration changes, in words with both figures."""
    words, better = _speed_words(now.duration_ms, best.duration_ms)
    before, after = (numbers.milliseconds(point.duration_ms) for point in (now, best))
    figures = f"{after} ms" if after == before else f"{after} ms instead of {before} ms"
    return Change(f"{words} ({figures})", better)


def cost_change(now: Point, best: Point) -> Change:
    """Return how the price changes, in words with both figures."""
    words, better = _cost_words(now.cost_usd, best.cost_usd)
    before, after = (numbers.per_million(point.cost_usd) for point in (now, best))
    figures = after if after == before else f"{after} instead of {before}"
    return Change(f"{words} ({figures} {_COST_UNIT})", better)


def _speed_words(now: float, best: float) -> tuple[str, bool | None]:
    if _same(now, best):
        return "about as fast", None
    if best < now:
        if best <= 0 or now / best < 1.5:
            return f"{(now - best) / now:.0%} faster".replace("%", " %"), True
        return f"{now / best:.1f} times as fast", True
    if now <= 0 or best / now < 1.5:
        return f"{_ratio(best - now, now):.0%} slower".replace("%", " %"), False
    return f"taking {best / now:.1f} times as long", False


def _cost_words(now: float, best: float) -> tuple[str, bool | None]:
    if _same(now, best):
        return "at about the same cost", None
    if best < now:
        return f"{(now - best) / now:.0%} cheaper".replace("%", " %"), True
    if now <= 0 or best / now < 2:
        return f"{_ratio(best - now, now):.0%} dearer".replace("%", " %"), False
    return f"at {best / now:.1f} times the cost", False


def _same(now: float, best: float) -> bool:
    return abs(now - best) < _NO_DIFFERENCE * max(abs(now), abs(best)) or now == best


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 1.0


def _joined(speed: Change, cost: Change) -> str:
    """Return both changes, the gain first; "but" stands between a gain and what it costs."""
    first, second = (cost, speed) if _rank(cost) > _rank(speed) else (speed, cost)
    contrast = second.better is False and first.better is not False
    return f"{first.words} {'but' if contrast else 'and'} {second.words}"


def _rank(change: Change) -> int:
    return {True: 2, None: 1, False: 0}[change.better]


# --- key figures ----------------------------------------------------------------------------


def key_figures(result: RunResult) -> tuple[Figure, ...]:
    """Return the two or three figures that a reader looks for first."""
    figures = []
    if result.tuning is not None:
        best = best_point(result.tuning)
        now = Point.of(result.tuning.detail(result.tuning.current_power))
        if now is not None and now.power == best.power:
            now = None
        figures.append(_duration_figure(now, best))
        figures.append(_cost_figure(now, best))
    latency = _latency_figure(result.load)
    if latency is not None:
        figures.append(latency)
    return tuple(figures)


def _duration_figure(now: Point | None, best: Point) -> Figure:
    after = numbers.milliseconds(best.duration_ms)
    if now is None:
        return Figure("Duration", "", after, "ms", "", None)
    words, better = _speed_words(now.duration_ms, best.duration_ms)
    return Figure("Duration", numbers.milliseconds(now.duration_ms), after, "ms", words, better)


def _cost_figure(now: Point | None, best: Point) -> Figure:
    after = numbers.per_million(best.cost_usd)
    title, unit = "Cost per million invocations", "USD"
    if now is None:
        return Figure(title, "", after, unit, "", None)
    words, better = _cost_words(now.cost_usd, best.cost_usd)
    return Figure(title, numbers.per_million(now.cost_usd), after, unit, words, better)


def _latency_figure(loads: tuple[LoadResult, ...]) -> Figure | None:
    """Return p95 under load; compared only if neither test measured its own driver."""
    title = "Latency p95 under load"
    answered = [load for load in loads if load.latency_ms is not None]
    if not answered:
        return None
    last = answered[-1]
    assert last.latency_ms is not None
    after = numbers.milliseconds(last.latency_ms.p95)
    if len(answered) == 1:
        return Figure(title, "", after, "ms", "saturated" if last.saturated else "", None)
    first = answered[0]
    assert first.latency_ms is not None
    before = numbers.milliseconds(first.latency_ms.p95)
    if first.saturated or last.saturated:
        return Figure(title, before, after, "ms", "saturated: not comparable", None)
    words, better = _speed_words(first.latency_ms.p95, last.latency_ms.p95)
    return Figure(title, before, after, "ms", words, better)


# --- load -----------------------------------------------------------------------------------


def load_sentence(loads: tuple[LoadResult, ...]) -> str:
    """Return what changes under load between the first and the last test, as one sentence."""
    if not loads:
        return ""
    first, last = loads[0], loads[-1]
    silent = [load for load in (first, last) if load.latency_ms is None]
    if silent:
        return f"No request was answered at {silent[0].memory_mb} MB."
    assert first.latency_ms is not None and last.latency_ms is not None
    users = f"{last.virtual_users} virtual user{'s' if last.virtual_users != 1 else ''}"
    p95 = f"{numbers.milliseconds(last.latency_ms.p95)} ms"
    if first is last:
        text = f"With {users} at {last.memory_mb} MB, 95 % of the requests took at most {p95}"
    else:
        text = (
            f"With {users}, 95 % of the requests took at most {p95} at {last.memory_mb} MB, "
            f"{numbers.milliseconds(first.latency_ms.p95)} ms at {first.memory_mb} MB"
        )
    if first.saturated or last.saturated:
        return f"{text}; but a test was saturated, so this is not the API alone."
    return f"{text}."


# --- caveats --------------------------------------------------------------------------------


def caveats(result: RunResult) -> tuple[str, ...]:
    """Return what a reader must know before acting on the figures."""
    found = []
    if result.settings.get("environment", {}).get("emulated") is True:
        found.append(
            "Measured on the embedded AWS, which models how Lambda's CPU follows memory. "
            "Measure on AWS before you change a deployed function: make tune ENV=dev."
        )
    if result.tuning is not None:
        noise = _noise(result.tuning)
        found += [noise] if noise else []
        found += result.tuning.warnings
    return tuple(found)


def _noise(tuning: TuningResult) -> str:
    now, best = tuning.detail(tuning.current_power), tuning.detail(tuning.power)
    if now is None or best is None or now.power == best.power:
        return ""
    if now.duration_ms is None or best.duration_ms is None or _separated(now, best):
        return ""
    return (
        f"The durations at {now.power} MB and {best.power} MB overlap so much that their "
        f"difference may be noise; raise num (now {min(now.count, best.count)}) to tell."
    )


def _separated(one: PowerDetail, other: PowerDetail) -> bool:
    """Whether two sizes differ beyond their noise.

    Either the intervals of the means are apart, or, as a cold start widens those a lot, half
    of the faster size's invocations beat every one of the slower's.
    """
    assert one.duration_ms is not None and other.duration_ms is not None
    fast, slow = sorted((one.duration_ms, other.duration_ms), key=lambda stats: stats.p50)
    return fast.ci95[1] < slow.ci95[0] or fast.p50 < slow.min


# --- afterwards -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: why, and the command or file content."""

    text: str
    command: str = ""


def how_to_apply(result: RunResult) -> tuple[Step, ...]:
    """Return how to put the recommendation into force; nothing if there is none."""
    tuning = result.tuning
    if tuning is None or tuning.power == tuning.current_power:
        return ()
    file = f"envs/{result.env}/tuned.auto.tfvars.json"
    return (
        Step(
            f"Set the variable memory_mb of envs/{result.env} to {tuning.power}. Terraform reads "
            f"this file by itself; a size that is set past Terraform is undone by the next apply.",
            f"echo '{{\"memory_mb\": {tuning.power}}}' > {file}",
        ),
        Step(
            "Measure again: the new size is then the current one.",
            f"make tune ENV={result.env}",
        ),
    )


@dataclass(frozen=True, slots=True)
class Teardown:
    """What is left of the environment: a sentence, and what to do about it."""

    text: str
    clean: bool
    command: str = ""


def teardown(result: RunResult) -> Teardown:
    """Return whether the environment is gone, kept, or gone but for some resources."""
    if result.leftovers is None:
        if "up" not in result.timings and not result.outputs:
            return Teardown("Nothing was deployed.", clean=True)
        text = f"Kept: {result.name_prefix}. Take it down with:"
        return Teardown(text, clean=False, command=down_command(result))
    count = len(result.leftovers)
    if not count:
        return Teardown("Nothing left behind.", clean=True)
    things = "1 resource is" if count == 1 else f"{count} resources are"
    return Teardown(f"{things} left behind:", clean=False)


def down_command(result: RunResult) -> str:
    """Return the command that takes the run's environment down."""
    return f"make down RUN={result.run_id}"


def commit(git_sha: str) -> str:
    """Return a short commit id; a mark of changes behind it stays."""
    sha, plus, changes = git_sha.partition("+")
    return sha[:9] + plus + changes


def latency_limits(verdict: Verdict | None) -> dict[float, float]:
    """Return the latency SLOs in ms by share: latency_p95_ms is the limit at 0.95."""
    limits = {}
    for check in verdict.checks if verdict else ():
        found = re.fullmatch(r"latency_p(\d{2,4})_ms", check.name)
        if found:
            limits[float(f"0.{found.group(1)}")] = check.limit
    return limits
