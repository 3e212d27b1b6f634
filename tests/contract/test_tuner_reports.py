"""REPORT lines as Lambda writes them, in text and in JSON, alone and among other lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_dyno.tuner_contract import reports
from lambda_dyno.tuner_contract.reports import Report

pytestmark = pytest.mark.contract

FOLDER = Path(__file__).parent / "tuner_reports"

EXPECTED = {
    "text-warm": Report("53ab7e8c-6a0b-4a0e-9d4e-7f1f8e2d7a01", 2.34, 3, max_memory_used_mb=39),
    "text-cold": Report(
        "0c9f3a52-1111-4f7d-a8a2-2f2b1c9f0002", 48.10, 160, 111.27, max_memory_used_mb=71
    ),
    "text-snapstart": Report(
        "5f2b4c1e-2222-4c3d-9e11-000000000003", 8.64, 9, 0, 523.89, 73, max_memory_used_mb=178
    ),
    "text-timeout": Report(
        "7e3c0d1f-3333-4b2a-8f00-000000000004", 3000, 3000, max_memory_used_mb=30
    ),
    "text-printed-by-the-function": Report(
        "53ab7e8c-aaaa-4a0e-9d4e-7f1f8e2d7a11", 55.5, 56, max_memory_used_mb=39
    ),
    "json-one-line": Report(
        "a1b2c3d4-4444-4444-8444-000000000005", 45.678, 46, max_memory_used_mb=64
    ),
    "json-cold": Report(
        "a1b2c3d4-5555-4444-8444-000000000006", 45.678, 247, 200.9, max_memory_used_mb=64
    ),
    "json-snapstart": Report(
        "a1b2c3d4-6666-4444-8444-000000000007", 20.5, 21, 0, 301.25, 40, max_memory_used_mb=150
    ),
    "json-pretty": Report("a1b2c3d4-7777-4444-8444-000000000008", 1.5, 2, max_memory_used_mb=33),
    "json-among-others": Report(
        "a1b2c3d4-8888-4444-8444-000000000009", 7, 7, max_memory_used_mb=33
    ),
    "json-missing-parts": Report("a1b2c3d4-9999-4444-8444-000000000010", 7.25, 0),
    "none": None,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_recorded_log(name: str) -> None:
    """The REPORT of a recorded log tail is found, whatever is around it."""
    assert reports.find((FOLDER / f"{name}.log").read_text()) == EXPECTED[name]


def test_every_recorded_log_is_read() -> None:
    """No recorded log is without a test."""
    assert {path.stem for path in FOLDER.glob("*.log")} == set(EXPECTED)


def test_report_of_the_invocation_wins() -> None:
    """Of several REPORT lines the one with the invocation's request id counts."""
    log = (FOLDER / "text-printed-by-the-function.log").read_text()
    report = reports.find(log, "fake-request")
    assert report is not None
    assert report.duration_ms == 1.0


def test_report_that_the_function_prints_in_the_other_format() -> None:
    """The last REPORT counts, whichever format the function imitates with its own request id."""
    lambdas_own = (FOLDER / "json-one-line.log").read_text()
    expected = EXPECTED["json-one-line"]
    assert expected is not None
    printed = f"REPORT RequestId: {expected.request_id}\tDuration: 1.00 ms\tBilled Duration: 1 ms"
    assert reports.find(f"{printed}\n{lambdas_own}", expected.request_id) == expected


@pytest.mark.parametrize("name", ["json-one-line", "json-cold", "json-pretty"])
def test_any_cut_of_the_tail(name: str) -> None:
    """A tail that begins in the middle gives the whole REPORT or none."""
    log = (FOLDER / f"{name}.log").read_text()
    for cut in range(len(log)):
        assert reports.find(log[cut:]) in (EXPECTED[name], None)


@pytest.mark.parametrize(
    ("name", "total_ms", "billed_ms", "cold"),
    [
        ("text-warm", 2.34, 3, False),
        ("text-cold", 159.37, 160, True),
        ("text-snapstart", 532.53, 82, True),
        ("json-cold", 246.578, 247, True),
        ("json-snapstart", 321.75, 61, True),
    ],
)
def test_what_is_measured(name: str, total_ms: float, billed_ms: float, cold: bool) -> None:
    """Duration includes Init and Restore, billed includes the billed Restore; both mean cold."""
    report = EXPECTED[name]
    assert report is not None
    assert report.total_ms == pytest.approx(total_ms)
    assert report.billed_ms == billed_ms
    assert report.cold is cold
