"""Tables of a report: which cell holds what."""

from __future__ import annotations

from dataclasses import replace

from lambda_dyno.core.results import RunResult, SmokeFailure, SmokeResult
from lambda_dyno.report import tables
from lambda_dyno.report.sections import SECTIONS
from lambda_dyno.report.sections.load import load_table
from lambda_dyno.report.sections.memory import memory_table
from lambda_dyno.report.sections.smoke import smoke_table
from tests.support import report_samples as samples


def texts(table: tables.Table | None) -> list[list[str]]:
    assert table is not None
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_memory_table_shows_every_size_with_its_marks() -> None:
    """Each power value is a row: trimmed mean, percentiles, billed, cost, cold starts, errors."""
    tuning = samples.tuning(
        samples.excluded(128, "Runtime.OutOfMemory"),
        samples.detail(256, 40.0, 0.2e-6, p99=60.0),
        samples.detail(512, 23.1, 0.25e-6, p99=30.9),
        power=512,
        current=128,
    )
    table = memory_table(tuning)
    assert texts(table and table.brief()) == [
        ["128", "–", "–", "–", "–", "–", "0", "5"],
        # p50 is 0.99 times, p95 half way to p99 in the samples
        ["256", "40.0", "39.6", "50.0", "41.0", "0.200", "1", "0"],
        ["512", "23.1", "22.9", "27.0", "24.0", "0.250", "1", "0"],
    ]
    assert table is not None
    assert [row.marks for row in table.rows] == [("current", "excluded"), (), ("recommended",)]
    assert table.notes == ("128 MB was excluded: Runtime.OutOfMemory",)
    best = [[i for i, cell in enumerate(row.cells) if cell.best] for row in table.rows]
    assert best == [[], [5], [1]]


def test_a_single_size_is_not_called_the_best() -> None:
    """Without a choice no cell is marked as the best of its column."""
    table = memory_table(samples.tuning(samples.detail(512, 23.1), power=512, current=512))
    assert table is not None
    assert not any(cell.best for cell in table.rows[0].cells)
    assert table.rows[0].marks == ("current", "recommended")


def test_load_table_shows_each_test() -> None:
    """Each load test is a row: requests, latencies, errors and rate."""
    values = [float(ms) for ms in range(1, 101)]
    load = samples.load("current", 128, values, duration_s=10.0, requests_per_s=10.0)
    assert texts(load_table((load,))) == [
        ["current", "128", "100", "50.5", "50.0", "90.0", "95.0", "99.0", "100", "0", "10.0"]
    ]


def test_load_table_says_what_went_wrong() -> None:
    """A saturated test is marked, its reason and the failed requests stand below."""
    load = replace(
        samples.run().load[0],
        requests=1000,
        errors=14,
        errors_by_kind={"timeout": 2, "HTTP 500": 12},
        saturated="a driver used 97 % of its core",
    )
    table = load_table((load,))
    assert table is not None
    assert table.rows[0].marks == ("saturated",)
    assert table.notes == (
        "current: a driver used 97 % of its core",
        "current: 1.4 % of the requests failed (12 HTTP 500, 2 timeout)",
    )


def test_load_without_an_answer_has_no_latencies() -> None:
    """A test that nobody answered shows that, and no zero."""
    load = replace(samples.run().load[0], requests=0, latency_ms=None, requests_per_s=0.0)
    row = texts(load_table((load,)))[0]
    assert row[2:] == ["0", "–", "–", "–", "–", "–", "–", "0", "0"]


def test_what_was_not_done_has_no_table() -> None:
    """Steps that did not run are left out, not shown empty."""
    assert load_table(()) is None
    assert tables.timings_table({}) is None
    assert smoke_table(samples.run()) is None
    assert tables.pairs_table("Outputs", {}) is None


def test_smoke_table_lists_failures() -> None:
    """Every failed assertion is a row."""
    smoke = SmokeResult(2, 9, (SmokeFailure("GET /items", "status is 200", "got 500"),))
    assert texts(smoke_table(samples.run(smoke=smoke))) == [
        ["GET /items", "status is 200", "got 500"]
    ]


def test_nested_settings_become_dotted_keys() -> None:
    """Settings are written as in dyno.toml, and what is not set says so."""
    content = {
        "tuning": {"power_values": [128, 512], "payload": None, "parallel_invocation": False},
        "load": {"duration_s": 15.0, "tags": []},
        "empty": {},
        "name": "",
    }
    assert texts(tables.pairs_table("Settings", content)) == [
        ["tuning.power_values", "128, 512"],
        ["tuning.payload", "not set"],
        ["tuning.parallel_invocation", "false"],
        ["load.duration_s", "15"],
        ["load.tags", "none"],
        ["empty", "{}"],
        ["name", "not set"],
    ]


def test_timings_end_with_their_sum() -> None:
    """The last row is the time of all steps."""
    assert texts(tables.timings_table({"up": 12.4, "tune": 50.0})) == [
        ["up", "12.4 s"],
        ["tune", "50.0 s"],
        ["all steps", "1 min 02 s"],
    ]


def test_a_run_that_did_nothing_has_no_section() -> None:
    """A heading with nothing below it says nothing, in no output."""
    nothing = RunResult("r", "local", "", "2026-11-20T22:43:07Z", {}, "", {}, {})
    assert [section.key for section in SECTIONS if section.content(nothing)] == []


def test_sections_are_told_apart_and_in_order() -> None:
    """Keys and places are each section's own: page, comment and terminal go by them."""
    for values in (
        [section.key for section in SECTIONS],
        [section.place for section in SECTIONS],
        [x.terminal_place for x in SECTIONS if x.terminal_place is not None],
    ):
        assert len(set(values)) == len(values)
    known = ["smoke", "verdict", "memory", "load", "regression", "apply"]
    assert [section.key for section in SECTIONS if section.key in known] == known
