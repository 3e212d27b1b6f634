"""What a run says, in sentences: headline, verdict lines, load, what is left behind.

Pure functions of `RunResult`; what follows from it for the memory size is in `advice`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lambda_dyno.core.results import (
    INTERRUPTED,
    Check,
    LoadResult,
    Outcome,
    RegressionResult,
    RunResult,
    Verdict,
)
from lambda_dyno.report import formatting

_NEXT_DOOR_MS = 1.0  # a shorter way says nothing to anybody
_MOST_OF_A_LIMIT = 0.25  # of a latency limit that the way alone may take

Status = Literal["pass", "fail", "inconclusive", "error", "none"]

SYMBOLS: dict[Status, str] = {
    "pass": "✓",
    "fail": "✗",
    "inconclusive": "?",
    "error": "✗",
    "none": "·",
}


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


# --- headline -------------------------------------------------------------------------------


def headline(result: RunResult) -> Headline:
    """Return the run's outcome in a few words; an error comes before any verdict."""
    if result.error == INTERRUPTED:
        return Headline("error", "Interrupted before its end")
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
    "distance_from_best": "Distance from best",
    "cost_ratio": "Cost against the baseline",
}


def check_title(name: str) -> str:
    """Return what a check is called; an unknown one by its key."""
    found = re.fullmatch(r"(p\d+)_ratio", name)
    if found:
        return f"{found[1]} against the baseline"
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
        return f"{formatting.milliseconds(value)} ms"
    if check.name.endswith("_usd"):
        return f"{formatting.usd(value)} USD"
    if check.name.endswith("_ratio") or check.name == "distance_from_best":
        return formatting.percent(value)
    return f"{formatting.rounded(value)} {check.unit}".rstrip()


# --- load -----------------------------------------------------------------------------------


def regression_sentence(regression: RegressionResult | None) -> str:
    """Return how a candidate was compared with its baseline, in a sentence or two."""
    if regression is None:
        return ""
    made = f"{regression.pairs} pairs of blocks of {regression.turn_s:g} s, new sandboxes in each"
    again = f"; {regression.redone} pairs were made again" if regression.redone else ""
    looks = f", after {regression.looks} looks" if regression.looks > 1 else ""
    failed = ", ".join(f"{count:,} of the {name}" for name, count in regression.errors.items())
    said = f" Requests without a good answer: {failed}." if any(regression.errors.values()) else ""
    return (
        f"In turns with {regression.baseline}: {made}{looks}{again}. At most "
        f"{formatting.percent(regression.margin)} worse is allowed; if nothing got worse, at most "
        f"{formatting.percent(regression.alpha)} of the comparisons fail.{said}"
    )


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
    return f"{text}."


def _who(load: LoadResult) -> str:
    """Return who asked, such as "10 virtual users" or "3 iterations per second"."""
    if load.loop == "open":
        rate = load.arrivals_per_s
        return "arrivals by stages" if rate is None else f"{rate:g} iterations per second"
    return f"{load.virtual_users} virtual user{'s' if load.virtual_users != 1 else ''}"


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
        found = [f"{load.profile}."] if several and load.profile else []
        found += [*_facts_of(load), *_way(load, latency_limit_ms)]
        if len(loads) > 1:
            facts += [f"{load.label}: {fact}" for fact in found]
        else:
            facts += [fact[:1].upper() + fact[1:] for fact in found]
    return tuple(facts)


def _facts_of(load: LoadResult) -> Iterator[str]:
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
    slo = result.settings.get("slo")
    if not isinstance(slo, dict):
        return None
    limits = [slo.get(f"latency_{name}_ms") for name in ("p95", "p99")]
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


# --- afterwards -----------------------------------------------------------------------------


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
