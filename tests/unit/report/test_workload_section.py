"""What each request takes, and which decides; what a load was predicted to be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lambda_dyno.core.results import Answers, LoadResult, Prediction, RequestDetail
from lambda_dyno.gates import load_phrases as load_section
from lambda_dyno.report.sections import workload
from lambda_dyno.report.sections.load import load_table
from tests.support import report_samples as samples


def tuned(*costs: float) -> Any:
    def at(power: int) -> Any:
        requests = tuple(
            RequestDetail(f"r{i}", 5, 10.0 * cost, 9.0 * cost, 8.0, 99.0, cost)
            for i, cost in enumerate(costs)
        )
        return replace(samples.detail(power, 10.0), requests=requests)

    return samples.tuning(at(128), at(512), power=512, current=128)


def test_shares_add_up_and_the_dearest_decides() -> None:
    """Calls, duration and cost, at the deployed and the recommended size."""
    table = workload.workload_table(tuned(1e-7, 1e-7, 8e-7))
    assert table is not None
    assert [column.title for column in table.columns] == [
        "Request", "Calls", "128 MB", "512 MB", "Of duration", "Of cost",
    ]  # fmt: skip
    assert [[cell.text for cell in row.cells][-2:] for row in table.rows] == [
        ["10 %", "10 %"],
        ["10 %", "10 %"],
        ["80 %", "80 %"],
    ]
    assert workload.sentence(tuned(1e-7, 1e-7, 8e-7)) == "r2 decides: 80 % of the cost at 512 MB."
    assert workload.sentence(tuned(1e-7, 1e-7)).startswith("No request decides alone")


def test_one_request_or_a_payload_has_no_table() -> None:
    """There is nothing to share out."""
    assert workload.workload_table(tuned(1e-7)) is None
    assert (
        workload.workload_table(samples.tuning(samples.detail(512, 9.0), power=512, current=512))
        is None
    )


def test_many_requests_are_cut_to_the_dearest() -> None:
    """In the collection's order; the rest is in result.json."""
    table = workload.workload_table(tuned(*[1e-7 * (1 + i % 7) for i in range(40)]))
    assert table is not None
    assert len(table.rows) == 15
    assert table.notes == ("25 requests that cost less are left out.",)


@pytest.mark.parametrize(
    ("outcome", "reason", "words"),
    [
        ("agrees", "", "measured 50.0 ms: agrees."),
        ("differs", "it is late", "measured 50.0 ms: does not agree: it is late."),
        ("open", "too few", "measured 50.0 ms: cannot be told: too few."),
    ],
)
def test_predicted_stands_beside_measured(outcome: Any, reason: str, words: str) -> None:
    """With the API's own part of it."""
    load = samples.load("current", 128, [float(ms) for ms in range(1, 101)])
    found = replace(
        load, prediction=Prediction(42.0, 37.0, 47.0, 18.0, 45.0, 55.0, outcome, reason)
    )
    said = load_section.prediction_sentence(found)
    assert said.startswith(
        "the tuning predicts a p50 of 42.0 ms at 128 MB, 18.0 ms of it the API's"
    )
    assert said.endswith(words)
    # in the sentence, which a comment has, too
    agreement = {
        "agrees": "As the tuning predicts.",
        "differs": "Other than the tuning predicts at 128 MB: it is late.",
        "open": "Whether the tuning predicts that cannot be told at 128 MB.",
    }
    assert load_section.load_sentence((found,)).endswith(agreement[outcome])
    table = load_table((found,))
    assert table is not None
    assert "Predicted p50" in [column.title for column in table.columns]


def test_late_answers_are_said_and_sizes_compared() -> None:
    """Whatever was measured."""
    values = [float(ms) for ms in range(1, 101)]
    small = samples.load("current", 128, [4 * value for value in values])
    large = replace(samples.load("at-1024-mb", 1024, values), answers=Answers(200, 198, 3))
    facts = load_section.load_facts((small, large))
    assert any("99 % of the answers were late: this machine is slower" in fact for fact in facts)
    (ratio,) = load_section.ratios((large, small))
    assert ratio.startswith("128 to 1024 MB, latencies as a ratio: average 4.00, p50 4.00")
    assert load_section.ratios((large,)) == ()


@pytest.mark.parametrize(
    ("measured_ms", "half_ms", "late", "words"),
    [
        (22.0, 1.0, 0, "the tuning predicts 4.00 for the p50: agrees."),
        (30.0, 12.0, 0, "cannot be told, the requests are too few."),
        (50.0, 1.0, 0, "for the p50: does not agree."),
        (
            50.0,
            1.0,
            150,
            "does not agree: answers were late.",
        ),
    ],
)
def test_the_ratio_of_sizes_is_held_against_the_tuning(
    measured_ms: float, half_ms: float, late: int, words: str
) -> None:
    """Within 15 %; what contradicts has its reason."""

    def load(memory_mb: int, p50_ms: float, predicted_ms: float, half_ms: float) -> LoadResult:
        found = samples.load("at", memory_mb, [p50_ms])
        ends = (p50_ms - half_ms, p50_ms + half_ms)
        said = Prediction(predicted_ms, 0.0, 0.0, 5.0, *ends, "open")
        return replace(found, prediction=said)

    small = load(128, 84.0, 80.0, 1.0)
    large = replace(
        load(1024, measured_ms, 20.0, half_ms), answers=Answers(200, late, 0) if late else None
    )
    (ratio,) = load_section.ratios((small, large))
    assert ratio.endswith(words)
