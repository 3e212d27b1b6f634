"""What the numbers mean: how each kind of figure was taken and what it leaves out."""

from __future__ import annotations

from lambda_dyno.core import formatting
from lambda_dyno.core.results import RunResult


def glossary(result: RunResult) -> tuple[tuple[str, str], ...]:
    """Return a term and its note for each kind of figure."""
    share = formatting.percent(result.setting("tuning", "discard_top_bottom", 0.2))
    return tuple((term, text.format(share=share)) for term, text in _TERMS.items())


_TERMS = {
    "Duration": (
        "As in Lambda's REPORT line, initialisation of cold starts included. The mean without "
        "the fastest and the slowest {share} of the invocations (trimmed mean), so that single "
        "cold starts do not decide."
    ),
    "p50, p95 by memory": (
        "Percentiles of the measured invocations, interpolated between the two nearest ones. "
        "Of ten invocations, p95 is all but the slowest one: usually the cold start."
    ),
    "Billed": (
        "What Lambda billed: each duration rounded up to a full millisecond; of those the "
        "trimmed mean, as for the duration."
    ),
    "Cost": (
        "Price of a million invocations at the billed duration. Without the request fee, which "
        "is the same for every memory size."
    ),
    "Cold starts": "Measured invocations that had to start a new execution environment.",
    "Errors": "Invocations that failed. They are not in the durations.",
    "What is asked": (
        "The requests of the workload: each share is of one pass of it, in the load test's "
        "proportions. Duration and cost of a memory size are their weighted means."
    ),
    "Predicted p50": (
        "The median of the tuned durations in the load's proportions, and the API's own time: the "
        "latency of a request that is asked alone, less its tuned duration. It agrees within 15 % "
        "or 5 ms."
    ),
    "Late answers": (
        "The embedded AWS holds an answer back until its modelled time; it is late if this machine "
        "took longer. Above a tenth of them no latency limit is judged."
    ),
    "Load": (
        "Latencies as the client saw them, network and API included, of all requests that got "
        "an answer. An error is a request without an answer or with a wrong one. Percentiles "
        "are by nearest rank: the smallest latency that at least so many per cent of all do "
        "not exceed, so always one that occurred."
    ),
    "Closed and open loop": (
        "In a closed loop each user waits for its answer before it asks again, so a slow API is "
        "asked less, just when it is slow: the percentiles leave out what was never sent, which "
        "is known as coordinated omission. In an open loop iterations begin when they are due; "
        "one that finds all users busy waits, and its latency runs from when it was due. What "
        "nobody came to is an error, unserved."
    ),
    "Saturated": (
        "The driver or the machine was at its limit, so the latencies also measure waiting for "
        "them."
    ),
}
