"""What a run advises: recommendation, key figures, caveats, and how to put it into force.

Pure functions of `RunResult`. No sentence claims more than was measured: a size that was not
measured is not compared, and a difference below one per cent is none.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambda_dyno.core import formatting
from lambda_dyno.core.results import (
    ArchitectureOutcome,
    LimitOutcome,
    LoadResult,
    Money,
    Point,
    Ratio,
    RunResult,
    TuningResult,
)
from lambda_dyno.gates import separation
from lambda_dyno.money import words

TUNED_FILE = "tuned.auto.tfvars.json"
_NO_DIFFERENCE = 0.01
_FEW = ("none", "one", "two")
_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth"),
    *("sixth", "seventh", "eighth", "ninth", "tenth"),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One key figure: what it is now and what it would be; `before` empty if unknown."""

    title: str
    before: str
    after: str
    unit: str
    change: str = ""  # such as "4.1 times as fast"; empty if there is nothing to compare
    better: bool | None = None  # None: about the same, or nothing to compare


@dataclass(frozen=True, slots=True)
class Change:
    """How a figure changes, in words, and whether it is better, worse or (None) neither."""

    text: str
    better: bool | None


# --- recommendation -------------------------------------------------------------------------


def recommendation(tuning: TuningResult | None, money: Money | None = None) -> str:
    """Return the recommendation in sentences, with what it saves; empty if nothing was tuned."""
    if tuning is None:
        return ""
    said = (
        *_architecture(tuning),
        _sentence(tuning),
        words.sentence(money, tuning),
        limit_sentence(tuning),
        _step(tuning),
        certainty(tuning),
    )
    return " ".join(filter(None, said))


def _architecture(tuning: TuningResult) -> tuple[str, ...]:
    """Return which architecture is best, with its size, and of which one all else is told."""
    others = [x for x in tuning.architectures[1:] if x.power is not None]
    own = tuning.architecture
    best = next((x for x in others if x.is_recommended), None)
    if best is not None:
        return f"Set the architecture and its size to {on(best, tuning)}.", f"{own}:"
    seen = ", ".join(f"{x.architecture} with {x.power} MB" for x in others)
    return (f"Keep {own}: that {seen} would be better was not shown.",) if others else ()


def on(best: ArchitectureOutcome, tuning: TuningResult) -> str:
    """Return another architecture with its size, and how it differs from the own one."""
    ratios = {"cost": best.cost_ratio, "duration": best.duration_ratio}
    gains = [_with_interval(Change(name, None), r) for name, r in ratios.items() if r]
    why = f": {', '.join(gains)} against {tuning.architecture} with {tuning.power} MB"
    return f"{best.architecture} with {best.power} MB{why if gains else ''}"


def _step(tuning: TuningResult) -> str:
    """Return which step of 20 ms the size is on, as a sentence; empty if on none."""
    step = None if tuning.statement is None else tuning.statement.step
    if step is None or step.periods > len(_ORDINALS):
        return ""
    within = f"it ends within its {_ORDINALS[step.periods - 1]} 20 ms period"
    if step.from_mb == tuning.power:
        return f"{tuning.power} MB: the smallest size at which {within}."
    return f"{tuning.power} MB: {within}, as from {step.from_mb} MB on."


def certainty(tuning: TuningResult) -> str:
    """Return how sure adaptive measuring is, as a sentence; empty if measuring was fixed."""
    stated = tuning.statement
    if stated is None or (tuning.limit is not None and tuning.limit.verdict != "proven"):
        return ""
    worse, best = {
        "cost": ("more expensive", "the best size of all"),
        "speed": ("slower", "the best size of all"),
        "balanced": ("worse", "the best size of all"),
        "limit": ("more expensive", "the cheapest size that keeps the limit"),
    }[tuning.strategy]
    of_former = f"what run {stated.prior} measured of the same code"
    begun = "" if not stated.prior else f" It began with {of_former}."
    most = formatting.percent(stated.at_most_ratio)
    return f"With 95 % it is at most {most} {worse} than {best}.{begun}"


def _sentence(tuning: TuningResult) -> str:
    best = best_point(tuning)
    if tuning.power == tuning.current_power:
        return _keep(tuning, best)
    current = tuning.detail(tuning.current_power)
    now = Point.of(current)
    if now is not None:
        gain = _joined(_describe_speed(tuning, now, best), _describe_cost(tuning, now, best))
    elif current is not None and current.excluded:
        unknown = f"at {tuning.current_power} MB the function could not be measured"
        gain = f"{_figures(tuning, best)}; {unknown}"
    else:
        unknown = f"{tuning.current_power} MB was not measured, so the gain is not known"
        gain = f"{_figures(tuning, best)}; {unknown}"
    return f"Set memory_mb from {tuning.current_power} to {best.power}: {gain}."


def best_point(tuning: TuningResult) -> Point:
    """Return the recommended size as it was measured."""
    detail = Point.of(tuning.detail(tuning.power))
    return detail or Point(tuning.power, tuning.duration, tuning.cost)


def _keep(tuning: TuningResult, best: Point) -> str:
    measured = sum(Point.of(detail) is not None for detail in tuning.details)
    over = Point.of(tuning.detail(tuning.kept_over))
    if over is not None:
        more = "A larger num" if tuning.statement is None else 'confidence = "sure"'
        return (
            f"Keep memory_mb at {best.power}: {over.power} measured better for strategy "
            f"{tuning.strategy}, but by no more than chance may do ({_figures(tuning, best)}; at "
            f"{over.power} MB {_figures(tuning, over)}). {more} would tell."
        )
    if measured <= 1:
        return f"Keep memory_mb at {best.power}, the only size measured: {_figures(tuning, best)}."
    return (
        f"Keep memory_mb at {best.power}: the best of {measured} sizes for strategy "
        f"{tuning.strategy}, {_figures(tuning, best)}."
    )


def _figures(tuning: TuningResult, point: Point) -> str:
    return (
        f"{formatting.milliseconds(point.duration_ms)} ms and "
        f"{formatting.per_million(point.cost_usd)} {_cost_unit(tuning)}"
    )


def _cost_unit(tuning: TuningResult) -> str:
    return f"{tuning.currency} per million invocations"


def _speed(tuning: TuningResult, now: Point, best: Point) -> Change:
    """Return how the duration changes, and whether that can be told."""
    here, there = tuning.detail(now.power), tuning.detail(best.power)
    assert here is not None and there is not None
    apart = there.duration_ratio.is_apart if there.duration_ratio else False
    if tuning.statement is None or there.duration_ratio is None:
        apart = apart or separation.are_apart(here, there)
    change = _speed_change(now.duration_ms, best.duration_ms)
    return _told(change, there.duration_ratio, "about as fast", apart)


def _cost(tuning: TuningResult, now: Point, best: Point) -> Change:
    """Return how the cost changes, and whether that can be told."""
    here, there = tuning.detail(now.power), tuning.detail(best.power)
    assert here is not None and there is not None
    apart = there.cost_ratio.is_apart if there.cost_ratio else False
    if tuning.statement is None or there.cost_ratio is None:
        apart = apart or separation.is_cheaper(there, here) or separation.is_cheaper(here, there)
    change = _cost_change(now.cost_usd, best.cost_usd)
    return _told(change, there.cost_ratio, "at about the same cost", apart)


def _told(change: Change, ratio: Ratio | None, same: str, apart: bool) -> Change:
    """Return a change as far as it was shown; what is so on one side alone is likely."""
    if apart or change.better is None:
        return change
    if ratio is not None and ratio.is_likely_less and change.better:
        return Change(f"probably {change.text}", True)
    return Change(f"{same}, as far as can be told", None)


def _describe_speed(tuning: TuningResult, now: Point, best: Point) -> Change:
    """Return how the duration changes, in words with both figures."""
    change = _speed(tuning, now, best)
    before, after = (formatting.milliseconds(point.duration_ms) for point in (now, best))
    figures = f"{after} ms" if after == before else f"{after} ms instead of {before} ms"
    return Change(f"{change.text} ({figures})", change.better)


def _describe_cost(tuning: TuningResult, now: Point, best: Point) -> Change:
    """Return how the price changes, in words with both figures."""
    change = _cost(tuning, now, best)
    before, after = (formatting.per_million(point.cost_usd) for point in (now, best))
    figures = after if after == before else f"{after} instead of {before}"
    return Change(f"{change.text} ({figures} {_cost_unit(tuning)})", change.better)


def speed_change(tuning: TuningResult) -> str:
    """Return the duration at the recommended size, against now where both were measured."""
    now, best = Point.of(tuning.detail(tuning.current_power)), best_point(tuning)
    if now is None or now.power == best.power:
        return f"{formatting.milliseconds(best.duration_ms)} ms at {best.power} MB"
    said = _describe_speed(tuning, now, best).text
    return f"{said[:1].upper()}{said[1:]}"


def cost_change(tuning: TuningResult) -> str:
    """Return what an invocation costs at the recommended size, against now where it can be told."""
    now, best = Point.of(tuning.detail(tuning.current_power)), best_point(tuning)
    if now is None or now.power == best.power:
        return f"{formatting.per_million(best.cost_usd)} {_cost_unit(tuning)}"
    return _describe_cost(tuning, now, best).text


def _speed_change(now: float, best: float) -> Change:
    if _same(now, best):
        return Change("about as fast", None)
    if best < now:
        if best <= 0 or now / best < 1.5:
            return Change(f"{_percent(now - best, now)} faster", True)
        return Change(f"{now / best:.1f} times as fast", True)
    if now <= 0 or best / now < 1.5:
        return Change(f"{_percent(best - now, now)} slower", False)
    return Change(f"taking {best / now:.1f} times as long", False)


def _cost_change(now: float, best: float) -> Change:
    if _same(now, best):
        return Change("at about the same cost", None)
    if best < now:
        return Change(f"{_percent(now - best, now)} cheaper", True)
    if now <= 0 or best / now < 2:
        return Change(f"{_percent(best - now, now)} more expensive", False)
    return Change(f"at {best / now:.1f} times the cost", False)


def _same(now: float, best: float) -> bool:
    return abs(now - best) < _NO_DIFFERENCE * max(abs(now), abs(best)) or now == best


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole if whole else 100:.0f} %"


def _joined(speed: Change, cost: Change) -> str:
    """Return both changes, the gain first; "but" stands between a gain and what it costs."""
    first, second = (cost, speed) if _rank(cost) > _rank(speed) else (speed, cost)
    contrast = second.better is False and first.better is not False
    return f"{first.text} {'but' if contrast else 'and'} {second.text}"


def _rank(change: Change) -> int:
    return {True: 2, None: 1, False: 0}[change.better]


# --- key figures ----------------------------------------------------------------------------


def key_figures(result: RunResult) -> tuple[Figure, ...]:
    """Return the two or three figures that a reader looks for first."""
    figures = () if result.tuning is None else _tuned_figures(result.tuning)
    return (*figures, *_latency_figures(result.load))


def _tuned_figures(tuning: TuningResult) -> tuple[Figure, Figure]:
    best = best_point(tuning)
    duration = formatting.milliseconds(best.duration_ms)
    cost = formatting.per_million(best.cost_usd)
    titles = ("Duration", "Cost per million invocations")
    now = Point.of(tuning.detail(tuning.current_power))
    if now is None or now.power == best.power:
        unit = tuning.currency
        return Figure(titles[0], "", duration, "ms"), Figure(titles[1], "", cost, unit)
    there = tuning.detail(best.power)
    speed, price = (
        Change(_with_interval(read(tuning, now, best), ratio), read(tuning, now, best).better)
        for read, ratio in (
            (_speed, there.duration_ratio if there else None),
            (_cost, there.cost_ratio if there else None),
        )
    )
    before = (formatting.milliseconds(now.duration_ms), formatting.per_million(now.cost_usd))
    return (
        Figure(titles[0], before[0], duration, "ms", speed.text, speed.better),
        Figure(titles[1], before[1], cost, tuning.currency, price.text, price.better),
    )


def _with_interval(change: Change, ratio: Ratio | None) -> str:
    if ratio is None:
        return change.text
    return f"{change.text} ({formatting.change(ratio.low)} to {formatting.change(ratio.high)} %)"


def _latency_figures(loads: tuple[LoadResult, ...]) -> tuple[Figure, ...]:
    """Return p95 under load; compared only if neither test measured its own driver."""
    answered = [(load, load.latency_ms.p95) for load in loads if load.latency_ms is not None]
    if not answered:
        return ()
    (first, p95_first), (last, p95_last) = answered[0], answered[-1]
    before, after = (formatting.milliseconds(p95) for p95 in (p95_first, p95_last))
    change = _speed_change(p95_first, p95_last)
    if len(answered) == 1:
        before, change = "", Change("saturated" if last.saturated else "", None)
    elif first.saturated or last.saturated:
        change = Change("saturated: not comparable", None)
    return (Figure("Latency p95 under load", before, after, "ms", change.text, change.better),)


# --- caveats --------------------------------------------------------------------------------


def caveats(result: RunResult) -> tuple[str, ...]:
    """Return what a reader must know before acting on the figures."""
    notes = []
    if result.on_embedded_aws:
        again = "the same command with an account's credentials"
        notes.append(
            "Measured on the embedded AWS, which models how Lambda's CPU follows memory. "
            "Measure on AWS before you change a deployed function: "
            f"{again if result.function_arn else 'make tune ENV=dev'}."
        )
    if result.tuning is not None:
        notes += result.tuning.warnings
        if result.attached and result.load and result.tuning.power != result.tuning.current_power:
            notes.append(
                f"Loaded at the deployed {result.tuning.current_power} MB alone: the API calls its "
                "function as that is deployed, and the recommended size was measured without it."
            )
    return tuple(notes)


# --- how to apply ---------------------------------------------------------------------------


def tuned_path(env: str) -> str:
    """Return the file that has an environment's tuned memory size, relative to the project."""
    return f"envs/{env}/{TUNED_FILE}"


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
    if result.function_arn:
        return _apply_to_function(tuning, _again(result, tuning))
    file = tuned_path(result.env)
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


def _again(result: RunResult, tuning: TuningResult) -> str:
    """Return the command that measures a function again that others deploy."""
    if not result.attached:
        return f"dyno tune --function {tuning.function_arn}"
    if result.settings_env:
        return f"dyno run --env {result.settings_env}"
    url = str(result.setting("attach", "url", ""))
    asked = f"--url {url} " if url else ""
    return f"dyno run {asked}--function {tuning.function_arn}"


def _apply_to_function(tuning: TuningResult, again: str) -> tuple[Step, ...]:
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
            again,
        ),
    )


# --- a limit on duration --------------------------------------------------------------------


def limit_sentence(tuning: TuningResult) -> str:
    """Return whether the recommended size keeps its limit, and how that is known; else empty."""
    found = tuning.limit
    if found is None:
        return ""
    limit = f"{formatting.milliseconds(found.max_duration_ms)} ms"
    value = f"{formatting.milliseconds(found.value_ms)} ms"
    if found.verdict == "none":
        return (
            f"No size keeps a {found.on} of at most {limit}: the fastest, {tuning.power} MB, has "
            f"{value}."
        )
    kept = f"{tuning.power} MB: {found.on} at most {limit}"
    if found.verdict == "proven":
        return f"{kept}, proven by {_counted(found)}."
    return f"{kept} is not proven: it has {value} in {_counted(found)}{_wanted(found)}."


def _counted(found: LimitOutcome) -> str:
    noun = "invocation" if found.invocations == 1 else "invocations"
    if found.on == "mean":
        most = f", at most {formatting.milliseconds(found.at_most_ms)} ms with 95 %"
        return f"{found.invocations:,} {noun}{most if found.at_most_ms else ''}"
    above = _FEW[found.above] if found.above < len(_FEW) else f"{found.above:,}"
    return f"{found.invocations:,} {noun} with {above} above"


def _wanted(found: LimitOutcome) -> str:
    if not found.missing:
        return ""
    return f"; {found.missing:,} more with none above would prove it"
