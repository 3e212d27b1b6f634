"""What a run says of its load tests, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from lambda_dyno.core import formatting
from lambda_dyno.core.config import SLO_KEYS
from lambda_dyno.core.results import LoadResult, RunResult

_NEXT_DOOR_MS = 1.0  # a shorter way says nothing to anybody
_RATIO_TOLERANCE = 0.15
_MOST_OF_A_LIMIT = 0.25  # of a latency limit that the way alone may take


def load_sentence(loads: tuple[LoadResult, ...]) -> str:
    """Return what changes under load between the first and the last test, as one sentence."""
    if not loads:
        return ""
    first, last = loads[0], loads[-1]
    silent = [load for load in (first, last) if load.latency_ms is None]
    if silent:
        return f"No request was answered at {silent[0].memory_mb} MB."
    assert first.latency_ms is not None and last.latency_ms is not None
    users = _who(last)
    p95 = f"{formatting.milliseconds(last.latency_ms.p95)} ms"
    if first is last:
        text = f"With {users} at {last.memory_mb} MB, 95 % of the requests took at most {p95}"
    else:
        text = (
            f"With {users}, 95 % of the requests took at most {p95} at {last.memory_mb} MB, "
            f"{formatting.milliseconds(first.latency_ms.p95)} ms at {first.memory_mb} MB"
        )
    if first.saturated or last.saturated:
        return f"{text}; but a test was saturated, so this is not the API alone."
    return f"{text}. {agreement(loads)}".rstrip()


def agreement(loads: tuple[LoadResult, ...]) -> str:
    """Return whether load tests are what the tuning predicts; empty if it predicts nothing."""
    known = [(x.memory_mb, x.prediction) for x in loads if x.prediction and x.prediction.p50_ms]
    others = [
        f"at {memory_mb} MB: {found.reason}"
        for memory_mb, found in known
        if found.outcome == "differs"
    ]
    if others:
        return f"Other than the tuning predicts {'; '.join(others)}."
    unclear = [str(memory_mb) for memory_mb, found in known if found.outcome == "open"]
    if unclear:
        return f"Whether the tuning predicts that cannot be told at {', '.join(unclear)} MB."
    return "As the tuning predicts." if known else ""


def _who(load: LoadResult) -> str:
    """Return who asked, such as "10 virtual users" or "3 iterations per second"."""
    if load.loop == "open":
        rate = load.arrivals_per_s
        return "arrivals by stages" if rate is None else f"{rate:g} iterations per second"
    return f"{load.virtual_users} virtual user{'s' if load.virtual_users != 1 else ''}"


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
    return (f"{text}{_predicted_ratio(small, large)}.",)


def _predicted_ratio(small: LoadResult, large: LoadResult) -> str:
    """Return what the tuning says of the ratio of the p50s, and whether it agrees within 15 %."""
    one, other = small.prediction, large.prediction
    if not one or not other or one.p50_ms is None or not other.p50_ms:
        return ""
    predicted = one.p50_ms / other.p50_ms
    text = f"; the tuning predicts {predicted:.2f} for the p50"
    low, high = (1 - _RATIO_TOLERANCE) * predicted, (1 + _RATIO_TOLERANCE) * predicted
    ends = (
        one.measured_low_ms,
        one.measured_high_ms,
        other.measured_low_ms,
        other.measured_high_ms,
    )
    if not all(ends) or small.latency_ms is None or large.latency_ms is None:
        return text
    if low <= small.latency_ms.p50 / large.latency_ms.p50 <= high:
        return f"{text}: agrees"
    least, most, least_of_large, most_of_large = (float(end or 0) for end in ends)
    if least / most_of_large <= high and most / least_of_large >= low:
        return f"{text}: cannot be told, the requests are too few"
    if small.saturated or large.saturated:
        return f"{text}: does not agree: a test was saturated"
    late = ": answers were late" if small.late or large.late else ""
    return f"{text}: does not agree{late}"


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
