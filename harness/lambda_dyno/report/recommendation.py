"""What a run advises: recommendation, key figures, caveats, and how to put it into force.

Pure functions of `RunResult`. No sentence claims more than was measured: a size that was not
measured is not compared, and a difference below one per cent is none.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambda_dyno.core.results import LoadResult, PowerDetail, RunResult, TuningResult
from lambda_dyno.gates import separation
from lambda_dyno.report import formatting

_NO_DIFFERENCE = 0.01
_COST_UNIT = "USD per million invocations"


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
        told = _durations_told(tuning)
        changes = _joined(speed_change(now, best, told=told), cost_change(now, best))
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


def _durations_told(tuning: TuningResult) -> bool:
    """Whether the durations of the deployed and the recommended size can be told apart."""
    now, best = tuning.detail(tuning.current_power), tuning.detail(tuning.power)
    return now is None or best is None or separation.are_apart(now, best)


def _keep(tuning: TuningResult, best: Point) -> str:
    measured = sum(Point.of(detail) is not None for detail in tuning.details)
    over = Point.of(tuning.detail(tuning.kept_over))
    if over is not None:
        return (
            f"Keep memory_mb at {best.power}: {over.power} measured better for strategy "
            f"{tuning.strategy}, but by no more than chance may do ({_figures(best)}; at "
            f"{over.power} MB {_figures(over)}). A larger num would tell."
        )
    if measured <= 1:
        return f"Keep memory_mb at {best.power}, the only size measured: {_figures(best)}."
    return (
        f"Keep memory_mb at {best.power}: the best of {measured} sizes for strategy "
        f"{tuning.strategy}, {_figures(best)}."
    )


def _figures(point: Point) -> str:
    return (
        f"{formatting.milliseconds(point.duration_ms)} ms and "
        f"{formatting.per_million(point.cost_usd)} {_COST_UNIT}"
    )


def speed_change(now: Point, best: Point, *, told: bool = True) -> Change:
    """Return how the duration changes, in words with both figures.

    Args:
        now: The deployed size.
        best: The recommended one.
        told: Whether the durations can be told apart.
    """
    words, better = _speed_words(now.duration_ms, best.duration_ms)
    if not told and better is not None:
        words, better = "about as fast, as far as can be told", None
    before, after = (formatting.milliseconds(point.duration_ms) for point in (now, best))
    figures = f"{after} ms" if after == before else f"{after} ms instead of {before} ms"
    return Change(f"{words} ({figures})", better)


def cost_change(now: Point, best: Point) -> Change:
    """Return how the price changes, in words with both figures."""
    words, better = _cost_words(now.cost_usd, best.cost_usd)
    before, after = (formatting.per_million(point.cost_usd) for point in (now, best))
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
        return f"{_ratio(best - now, now):.0%} more expensive".replace("%", " %"), False
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
        figures.append(_duration_figure(result.tuning, now, best))
        figures.append(_cost_figure(now, best))
    latency = _latency_figure(result.load)
    if latency is not None:
        figures.append(latency)
    return tuple(figures)


def _duration_figure(tuning: TuningResult, now: Point | None, best: Point) -> Figure:
    after = formatting.milliseconds(best.duration_ms)
    if now is None:
        return Figure("Duration", "", after, "ms", "", None)
    words, better = _speed_words(now.duration_ms, best.duration_ms)
    if not _durations_told(tuning):
        words, better = "cannot be told apart", None
    return Figure("Duration", formatting.milliseconds(now.duration_ms), after, "ms", words, better)


def _cost_figure(now: Point | None, best: Point) -> Figure:
    after = formatting.per_million(best.cost_usd)
    title, unit = "Cost per million invocations", "USD"
    if now is None:
        return Figure(title, "", after, unit, "", None)
    words, better = _cost_words(now.cost_usd, best.cost_usd)
    return Figure(title, formatting.per_million(now.cost_usd), after, unit, words, better)


def _latency_figure(loads: tuple[LoadResult, ...]) -> Figure | None:
    """Return p95 under load; compared only if neither test measured its own driver."""
    title = "Latency p95 under load"
    answered = [load for load in loads if load.latency_ms is not None]
    if not answered:
        return None
    last = answered[-1]
    assert last.latency_ms is not None
    after = formatting.milliseconds(last.latency_ms.p95)
    if len(answered) == 1:
        return Figure(title, "", after, "ms", "saturated" if last.saturated else "", None)
    first = answered[0]
    assert first.latency_ms is not None
    before = formatting.milliseconds(first.latency_ms.p95)
    if first.saturated or last.saturated:
        return Figure(title, before, after, "ms", "saturated: not comparable", None)
    words, better = _speed_words(first.latency_ms.p95, last.latency_ms.p95)
    return Figure(title, before, after, "ms", words, better)


# --- caveats --------------------------------------------------------------------------------


def caveats(result: RunResult) -> tuple[str, ...]:
    """Return what a reader must know before acting on the figures."""
    found = []
    if result.on_embedded_aws:
        there = "the same command with an account's credentials"
        found.append(
            "Measured on the embedded AWS, which models how Lambda's CPU follows memory. "
            "Measure on AWS before you change a deployed function: "
            f"{there if tuned_function(result) else 'make tune ENV=dev'}."
        )
    if result.tuning is not None:
        found += result.tuning.warnings
    return tuple(found)


# --- how to apply ---------------------------------------------------------------------------


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
    if tuned_function(result):
        return _apply_to_function(tuning)
    file = f"envs/{result.env}/tuned.auto.tfvars.json"
    return (
        Step(
            f"Write memory_mb {tuning.power} and its evidence into {file}, which Terraform reads "
            "by itself; a size that is set past Terraform is undone by the next apply. With "
            "--open-pr it becomes a pull request, and its review the approval.",
            f"dyno apply {result.run_id}",
        ),
        Step(
            "Measure again: the new size is then the current one.",
            f"make tune ENV={result.env}",
        ),
    )


def tuned_function(result: RunResult) -> str:
    """Return the ARN of the function of `dyno tune --function`; empty for an environment's."""
    tuning = result.settings.get("tuning")
    return str(tuning.get("function_arn", "")) if isinstance(tuning, dict) else ""


def _apply_to_function(tuning: TuningResult) -> tuple[Step, ...]:
    """Return how to change a function that somebody else deploys, in a way we cannot know."""
    name = tuning.function_arn.rsplit(":", 1)[-1]
    return (
        Step(
            f"Set the memory size to {tuning.power} MB where the function is declared (Terraform, "
            "SAM, CDK): a size that is set past that is undone by its next deployment. To try it "
            "at once:",
            f"aws lambda update-function-configuration --region {tuning.region} "
            f"--function-name {name} --memory-size {tuning.power}",
        ),
        Step(
            "Measure again: the new size is then the current one.",
            f"dyno tune --function {tuning.function_arn}",
        ),
    )
