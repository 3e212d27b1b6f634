"""The platform's log lines, held to what AWS writes and what power tuners read."""

from __future__ import annotations

import json
import re

from lambda_emulator.sandbox import report

ID = "5d69d4ee-0c5b-4306-a9bc-206aa1e84847"


def test_text_report_of_a_warm_invocation() -> None:
    """END and REPORT, tab-separated, the billed duration rounded up."""
    lines = report.report_lines(ID, duration_ms=221.391, memory_mb=128, max_memory_mb=31)

    assert lines == (
        f"END RequestId: {ID}\n"
        f"REPORT RequestId: {ID}\tDuration: 221.39 ms\tBilled Duration: 222 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 31 MB\t\n"
    )


def test_text_report_of_a_cold_start_bills_init() -> None:
    """Init Duration is there and billed."""
    lines = report.report_lines(ID, duration_ms=10, memory_mb=128, max_memory_mb=31, init_ms=90.5)

    assert "\tBilled Duration: 101 ms\t" in lines
    assert "\tInit Duration: 90.50 ms\t" in lines


def test_whole_milliseconds_are_not_rounded_up() -> None:
    """A duration of exactly 3 ms is billed as 3 ms."""
    lines = report.report_lines(ID, duration_ms=3.0, memory_mb=128, max_memory_mb=31)

    assert "\tBilled Duration: 3 ms\t" in lines


def test_text_report_of_a_timeout_says_so() -> None:
    """Status: timeout, as AWS writes it; none on success."""
    lines = report.report_lines(
        ID, duration_ms=3000, memory_mb=128, max_memory_mb=31, status=report.TIMEOUT
    )

    assert "\tStatus: timeout\t" in lines


def test_power_tuners_find_the_durations() -> None:
    """The expressions with which aws-lambda-power-tuning reads a log match."""
    lines = report.report_lines(ID, duration_ms=1.5, memory_mb=128, max_memory_mb=31, init_ms=90)

    assert re.findall(r"\tDuration: (\d+\.\d+) ms", lines) == ["1.50"]
    assert re.findall(r"\tInit Duration: (\d+\.\d+) ms", lines) == ["90.00"]
    assert re.findall(r"\tBilled Duration: (\d+) ms", lines) == ["92"]


def test_json_report() -> None:
    """One platform.report object on one line, with the same numbers."""
    line = report.report_lines(
        ID, duration_ms=1.5, memory_mb=128, max_memory_mb=31, init_ms=90, as_json=True
    )

    event = json.loads(line)
    assert line.count("\n") == 1
    assert event["type"] == "platform.report"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
    assert event["record"] == {
        "requestId": ID,
        "metrics": {
            "durationMs": 1.5,
            "billedDurationMs": 92,
            "memorySizeMB": 128,
            "maxMemoryUsedMB": 31,
            "initDurationMs": 90,
        },
        "status": "success",
    }


def test_start_line_in_both_formats() -> None:
    """START in text, platform.start in JSON."""
    assert report.start_line(ID, "7", as_json=False) == f"START RequestId: {ID} Version: 7\n"
    event = json.loads(report.start_line(ID, "7", as_json=True))
    assert event["record"] == {"requestId": ID, "version": "7"}
