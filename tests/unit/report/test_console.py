"""The end of a run in the terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lambda_dyno.core.results import Check, Leftover, RunResult, SmokeFailure, SmokeResult, Verdict
from lambda_dyno.report.console import print_summary, print_table
from lambda_dyno.report.tables import Cell, Column, Row, Table
from tests.support import report_samples as samples

REPORT = Path("runs/261120-2243-k3f9/report.html")


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def printed(run: RunResult, *, terminal: bool = False, **console: Any) -> str:
    output = Screen() if terminal else io.StringIO()
    print_summary(run, Console(file=output, **console), REPORT)
    return output.getvalue()


def test_plain_output_has_tables_sentence_verdict_and_report() -> None:
    """Without a terminal the summary is plain text, one line each, ended by the report."""
    lines = [line.rstrip() for line in printed(samples.run(), width=80).splitlines()]
    assert "   512     15.2 15.0 28.2   16.0       0.133      1      0 recommended" in lines
    assert (
        "Set memory_mb from 128 to 512: 4.7 times as fast (15.2 ms instead of 71.5 ms) and 11 % "
        "cheaper (0.133 instead of 0.150 USD per million invocations)."
    ) in lines
    assert "recommended    512    1,420    40.2 37.8 59.0 65.4 81.5 134      0  93.4" in lines
    assert "  ✓  Errors  0 %, limit 1 %, 100 % left, 0 of 1,180 requests" in lines
    assert lines[-2:] == ["Nothing left behind.", f"Report: {REPORT}"]
    assert not any("\x1b" in line for line in lines)


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR a terminal gets no colours."""
    coloured = printed(samples.run(), force_terminal=True, color_system="standard", width=100)
    assert "\x1b[32m" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    plain = printed(samples.run(), force_terminal=True, color_system="standard", width=100)
    assert "\x1b[32m" not in plain


def test_forced_colours_do_not_make_a_pipe_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """With FORCE_COLOR a log has colours, and its lines are as long as they are."""
    plain = printed(samples.run(), width=80)
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = printed(samples.run(), width=80, color_system="standard")
    assert "\x1b[32m" in coloured
    assert [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", coloured).splitlines()] == [
        line.rstrip() for line in plain.splitlines()
    ]


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("terminal", [True, False])
def test_no_figure_is_cut(width: int, terminal: bool) -> None:
    """However narrow the window is, every cell of the tables is whole."""
    run = samples.run(tuning=samples.many_sizes())
    text = printed(run, terminal=terminal, color_system=None, width=width)
    assert "…" not in text
    assert "recommended" in text
    assert "USD/million" in text


def test_intervals_go_below_where_a_window_is_narrow() -> None:
    """Figures and intervals stay in one table as long as possible; a pipe's lines are whole."""
    change = Cell("−64 %", interval="−69 to −59 %")
    table = Table(
        "Options",
        (Column("Option", numeric=False), Column("Duration"), Column("Cost")),
        (Row((Cell("cheapest"), change, change), ("recommended",)),),
        intervals=True,
    )

    def rows(width: int, output: io.StringIO) -> list[str]:
        print_table(Console(file=output, color_system=None, width=width), table)
        lines = output.getvalue().splitlines()
        return [" ".join(line.split()) for line in lines if "−6" in line]

    whole = "cheapest −64 % (−69 to −59 %) −64 % (−69 to −59 %) recommended"
    assert rows(40, io.StringIO()) == rows(100, Screen()) == [whole]
    assert rows(54, Screen()) == [
        "cheapest −64 % −64 % recommended",
        "(−69 to −59 %) (−69 to −59 %)",
    ]


def test_an_interrupted_run_did_not_fail() -> None:
    """Whoever pressed Ctrl-C knows why; once is enough."""
    text = printed(samples.run(error="interrupted", verdict=None))
    assert "✗ INTERRUPTED before its end · dyno-crud" in text
    assert "failed" not in text
    assert text.lower().count("interrupted") == 1


def test_failed_run_says_why_and_what_still_stands() -> None:
    """Without results the error and the way to take the environment down are left."""
    run = samples.run(
        smoke=None,
        tuning=None,
        load=(),
        verdict=None,
        leftovers=None,
        error="terraform apply failed\nError: limit",
    )
    about = "dyno-261120-2243-k3f9-crud · local · 128 MB · commit 1b98e3c09 · run 261120-2243-k3f9"
    head = f"✗ FAILED: terraform apply failed · {about}"
    assert printed(run, width=80).splitlines() == [
        head,
        "No change: nothing was tuned.",
        "Speed: nothing was measured.",
        "Whether its memory size is right is not known: nothing was tuned.",
        "",
        "  terraform apply failed",
        "  Error: limit",
        "",
        "Kept: dyno-261120-2243-k3f9. Take it down with: make down RUN=261120-2243-k3f9",
        f"Report: {REPORT}",
    ]


def test_problems_are_named() -> None:
    """Missed SLOs, failed assertions, excluded sizes and leftovers are all listed."""
    run = samples.run(
        smoke=SmokeResult(2, 9, (SmokeFailure("GET /items", "status is 200", "got 500"),)),
        verdict=Verdict("fail", (Check("latency_p95_ms", 1, 2, "fail", "Too slow by 1 ms."),)),
        load=(replace(samples.run().load[0], saturated="driver at 98 %"),),
        tuning=samples.many_sizes(),
        leftovers=(Leftover("log group", "/aws/x", "aws logs delete-log-group x"),),
    )
    text = printed(run, width=80)
    for line in (
        "✗ the smoke test failed: 2 requests, 8 of 9 assertions hold",
        "  GET /items: status is 200: got 500",
        "  ✗  Latency p95  Too slow by 1 ms.",
        "128 MB was excluded: Runtime.OutOfMemory: signal: killed",
        "current: driver at 98 %",
        "1 resource is left behind:",
        "  log group /aws/x: aws logs delete-log-group x",
    ):
        assert line in text.splitlines(), line


def test_text_from_outside_is_not_rich_markup() -> None:
    """Square brackets in a message are printed, not taken for style."""
    run = samples.run(error="[red]index [0][/red] :smile: https://x")
    assert "✗ FAILED: [red]index [0][/red] :smile: https://x · " in printed(run, width=80)


@pytest.mark.parametrize(
    ("part", "first"),
    [
        ("memory", "Memory sizes, strategy balanced"),
        ("load", "Load, 10 virtual users, 15 s each"),
        ("verdict", "✓ All 5 SLOs are met"),
        ("teardown", "Nothing left behind."),
    ],
)
def test_a_single_part_can_be_printed(part: str, first: str) -> None:
    """A step on its own prints its own part, and names no report that it did not write."""
    output = io.StringIO()
    print_summary(samples.run(), Console(file=output), REPORT, parts=(part,))
    text = output.getvalue()
    assert text.splitlines()[0].rstrip() == first
    assert "Report:" not in text


def test_the_verdict_says_what_both_sizes_are() -> None:
    """The deployed one misses a limit that the recommended one meets: both stand side by side."""
    text = printed(samples.mended())
    assert "✗ 1 of 5 SLOs is missed at 128 MB; all 5 SLOs are met at 512 MB" in text
    assert "limit 100 ms, 1,180 requests; ✓ 65.4 ms at 512 MB" in text
