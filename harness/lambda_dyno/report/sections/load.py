"""The load tests: latencies by percentile, rates and errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from lambda_dyno.charts.drawing import Size, Spec
from lambda_dyno.charts.latency import latency_spec
from lambda_dyno.core import formatting
from lambda_dyno.core.config import SLO_KEYS
from lambda_dyno.core.results import LoadResult, RunResult, Verdict
from lambda_dyno.gates.phrases import load_sentence
from lambda_dyno.report.section import Chart, Content, Samples, Section
from lambda_dyno.report.tables import Cell, Column, Row, Table

_NEXT_DOOR_MS = 1.0  # a shorter way says nothing to anybody
_MOST_OF_A_LIMIT = 0.25  # of a latency limit that the way alone may take


def _content(result: RunResult) -> Content | None:
    if not result.load:
        return None
    return Content(
        sentence=load_sentence(result.load),
        table=load_table(result.load),
        facts=(*ratios(result.load), *load_facts(result.load, latency_limit_ms(result))),
    )


def _spec(result: RunResult, samples: Samples, size: Size) -> Spec | None:
    return latency_spec(result.load, samples, latency_limits(result.verdict), size)


# --- table ----------------------------------------------------------------------------------


def _latency_ms(name: str) -> Callable[[LoadResult], str]:
    """Return a writer of one of the latency statistics."""
    return lambda r: formatting.milliseconds(
        None if r.latency_ms is None else float(getattr(r.latency_ms, name))
    )


def _predicted_ms(load: LoadResult) -> str:
    return formatting.milliseconds(load.prediction.p50_ms if load.prediction else None)


_COLUMNS: tuple[tuple[Column, Callable[[LoadResult], str]], ...] = (
    (Column("Load", numeric=False), lambda r: r.label),
    (Column("Memory", "MB"), lambda r: str(r.memory_mb)),
    (Column("Requests"), lambda r: formatting.integer(r.requests)),
    (Column("Average", "ms"), _latency_ms("mean")),
    (Column("p50", "ms"), _latency_ms("p50")),
    (Column("Predicted p50", "ms", detail=True), lambda r: _predicted_ms(r)),
    (Column("p90", "ms"), _latency_ms("p90")),
    (Column("p95", "ms"), _latency_ms("p95")),
    (Column("p99", "ms"), _latency_ms("p99")),
    (Column("Max", "ms"), _latency_ms("max")),
    (Column("Errors"), lambda r: formatting.integer(r.errors)),
    (Column("Rate", "req/s"), lambda r: formatting.rounded(r.requests_per_s)),
)


def load_table(loads: tuple[LoadResult, ...]) -> Table | None:
    """Return the table of load tests, or None if there was none."""
    if not loads:
        return None
    predicted = any(load.prediction for load in loads)
    shown = [pair for pair in _COLUMNS if predicted or not pair[0].title.startswith("Predicted")]
    rows = tuple(
        Row(
            tuple(Cell(write(load)) for _, write in shown),
            ("saturated",) if load.saturated else (),
            load.label,
        )
        for load in loads
    )
    notes = [note for load in loads for note in _notes(load)]
    columns = tuple(column for column, _ in shown)
    return Table(f"Load, {_profile(loads)}", columns, rows, tuple(notes))


def _profile(loads: tuple[LoadResult, ...]) -> str:
    """Return what was asked for, or, of results that do not say, what was measured."""
    asked_for = {load.profile for load in loads}
    if asked_for != {""}:
        return asked_for.pop() if len(asked_for) == 1 else f"{len(asked_for)} kinds"
    users = sorted({load.virtual_users for load in loads})
    durations = sorted({round(load.duration_s) for load in loads})
    people = f"{_span(users)} virtual user{'s' if users != [1] else ''}"
    return (
        f"{people}, {_span(durations)} s each"
        if len(loads) > 1
        else (f"{people}, {_span(durations)} s")
    )


def _span(values: list[int]) -> str:
    if values[0] == values[-1]:
        return formatting.integer(values[0])
    return f"{formatting.integer(values[0])} to {formatting.integer(values[-1])}"


def _notes(load: LoadResult) -> Iterable[str]:
    if load.saturated:
        yield f"{load.label}: {load.saturated}"
    if load.errors:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in sorted(load.errors_by_kind.items()))
        ratio = formatting.percent(load.error_ratio)
        yield f"{load.label}: {ratio} of the requests failed" + (f" ({kinds})" if kinds else "")


# --- sentences ------------------------------------------------------------------------------


_FIGURES = {"average": "mean", "p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99"}


def ratios(loads: tuple[LoadResult, ...]) -> tuple[str, ...]:
    """Return how the largest memory size compares with the smallest, measured and predicted."""
    answered = sorted((x for x in loads if x.latency_ms), key=lambda x: x.memory_mb)
    if not answered or answered[0].memory_mb == answered[-1].memory_mb:
        return ()
    small, large = answered[0], answered[-1]
    measured = []
    for word, name in _FIGURES.items():
        slow, fast = (getattr(load.latency_ms, name) for load in (small, large))
        if fast > 0:
            measured.append(f"{word} {slow / fast:.2f}")
    text = f"{small.memory_mb} to {large.memory_mb} MB, latencies as a ratio: {', '.join(measured)}"
    p50s = [x.prediction.p50_ms if x.prediction else None for x in (small, large)]
    if p50s[0] is not None and p50s[1]:
        text += f"; the tuning predicts {p50s[0] / p50s[1]:.2f} for the p50"
    return (f"{text}.",)


_LOOPS = {
    "closed": (
        "Closed loop: each user sends its next request after the last answer, so a slow API "
        "meets fewer of them, and those that were never sent are in no percentile (coordinated "
        "omission)."
    ),
    "open": (
        "Open loop: iterations begin when they are due, whatever the API does, and the wait of a "
        "late one is in its latency."
    ),
}


def load_facts(
    loads: tuple[LoadResult, ...], latency_limit_ms: float | None = None
) -> tuple[str, ...]:
    """Return what a reader must know to read the figures: the loop, what is left out, limits.

    Args:
        loads: The load tests.
        latency_limit_ms: The smallest limit that their latencies are held against, if any.
    """
    several = len({load.profile for load in loads}) > 1
    facts = [_LOOPS[loop] for loop in sorted({load.loop for load in loads})]
    for load in loads:
        own = [f"{load.profile}."] if several and load.profile else []
        own += [*_facts_of(load), *_way(load, latency_limit_ms)]
        if len(loads) > 1:
            facts += [f"{load.label}: {fact}" for fact in own]
        else:
            facts += [fact[:1].upper() + fact[1:] for fact in own]
    return tuple(facts)


def prediction_sentence(load: LoadResult) -> str:
    """Return what the tuning says of a load test, and whether it agrees; empty: nothing."""
    found = load.prediction
    if found is None or load.latency_ms is None:
        return ""
    if found.p50_ms is None or found.api_ms is None:
        return f"its p50 is not predicted: {found.reason}."
    text = (
        f"the tuning predicts a p50 of {formatting.milliseconds(found.p50_ms)} ms at "
        f"{load.memory_mb} MB, {formatting.milliseconds(found.api_ms)} ms of it the API's own; "
        f"measured {formatting.milliseconds(load.latency_ms.p50)} ms"
    )
    words = {"agrees": "agrees", "differs": "does not agree: ", "open": "cannot be told: "}
    return f"{text}: {words[found.outcome]}{found.reason}."


def _facts_of(load: LoadResult) -> Iterator[str]:
    if predicted := prediction_sentence(load):
        yield predicted
    if load.late and load.late not in predicted:
        yield f"{load.late}."
    if load.rounds > 1:
        yield f"{load.rounds} rounds of the same load, one after the other."
    if load.warm_up_s:
        failed = f", {load.warm_up_errors:,} of them failed" if load.warm_up_errors else ""
        each = " of each round" if load.rounds > 1 else ""
        yield (
            f"the first {load.warm_up_s:g} s{each} are left out as warm-up "
            f"({load.warm_up_requests:,} requests{failed})."
        )
    if load.ceiling_requests_per_s:
        share = formatting.percent(load.requests_per_s / load.ceiling_requests_per_s)
        yield (
            "the load driver itself makes at most "
            f"{formatting.rounded(load.ceiling_requests_per_s)} requests/s on this machine; this "
            f"test made {formatting.rounded(load.requests_per_s)}, {share} of that."
        )


def latency_limit_ms(result: RunResult) -> float | None:
    """Return a run's smallest latency limit; None if it has none."""
    limits = [result.setting("slo", key) for key, slo in SLO_KEYS.items() if slo.quantile]
    return min((limit for limit in limits if limit is not None), default=None)


def _way(load: LoadResult, limit_ms: float | None) -> Iterator[str]:
    """Yield how far away the API was, unless it was next door."""
    if load.round_trip_ms is None or load.round_trip_ms < _NEXT_DOOR_MS:
        return
    way = f"the way to the API and back took {formatting.rounded(load.round_trip_ms)} ms by itself"
    if limit_ms is None or load.round_trip_ms <= limit_ms * _MOST_OF_A_LIMIT:
        yield f"{way}, which is in every latency."
        return
    yield (
        f"{way}, more than a quarter of the limit of {formatting.rounded(limit_ms)} ms: that limit "
        "judges the distance as well. Load the API from a machine in its region, or raise the "
        "limit."
    )


def latency_limits(verdict: Verdict | None) -> dict[float, float]:
    """Return the limits in ms that latencies were held against, by quantile, such as 0.95."""
    return {
        quantile: check.limit
        for check in (verdict.checks if verdict else ())
        if check.name in SLO_KEYS and (quantile := SLO_KEYS[check.name].quantile)
    }


SECTION = Section(
    key="load",
    title="Under load",
    place=40,
    rank=5,
    content=_content,
    chart=Chart("latency", "Latency by percentile", _spec),
    terminal_place=40,
)
