"""The four lines that page, comment, job summary, terminal and JSON show first."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from lambda_dyno.artefacts.render import render
from lambda_dyno.core.results import RunResult, Traffic, Verdict
from lambda_dyno.gates import summary
from lambda_dyno.gates.summary import completed
from lambda_dyno.report import markdown
from lambda_dyno.report.console import print_summary
from lambda_dyno.review.comment import compose
from lambda_dyno.review.comment_parts import CODECOMMIT, GITHUB, SUMMARY, Review
from tests.support import report_samples as samples

KNOWN = {"tuning": samples.known(), "traffic": Traffic(2e9, "[traffic]")}
UNDECIDED = tuple(
    replace(check, outcome="inconclusive", reason=f"{check.name} needs more requests")
    for check in samples.VERDICT.checks[:2]
)
RUNS: dict[str, RunResult] = {
    "pass": samples.run(**KNOWN),
    "miss": replace(samples.mended(), **KNOWN),
    "undecided": samples.run(
        verdict=Verdict.of((*UNDECIDED, *samples.VERDICT.checks[2:])), **KNOWN
    ),
    "failed step": samples.run(
        error="load: Newman died\nwith a trace", verdict=None, load=(), **KNOWN
    ),
    "embedded dev": samples.run(
        env="dev", endpoint="http://127.0.0.1:4566", tuning=samples.known(), api="REST"
    ),
}
ABOUT = "dyno-crud · local · 128 MB · commit 1b98e3c09 · run 261120-2243-k3f9"
CHANGE = (
    "Change 128 → 512 MB: saves 33 USD a month ± 17 (−11 % of compute, −4.8 % of this "
    "function's bill)."
)
FIRST = {
    "pass": f"✓ PASS: all 5 SLOs are met · {ABOUT}",
    "miss": f"✗ MISSED: Latency p95 178 ms, limit 100 ms · {ABOUT}",
    "undecided": f"? UNDECIDED: Latency p95 lacks evidence, and 1 more of 5 · {ABOUT}",
    "failed step": f"✗ FAILED: load: Newman died · {ABOUT}",
    "embedded dev": f"✓ PASS: all 5 SLOs are met · {ABOUT}".replace("local", "dev (embedded AWS)"),
}


def html_lines(run: RunResult, folder: Path) -> list[str]:
    """The texts of the head of the page, a paragraph each."""

    class Head(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.texts: list[str] = []
            self.inside = 0

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "h1" or (tag == "p" and ("class", "lead") in attrs):
                self.texts.append("")
                self.inside = 1

        def handle_endtag(self, tag: str) -> None:
            if tag in ("h1", "p"):
                self.inside = 0

        def handle_data(self, data: str) -> None:
            if self.inside:
                self.texts[-1] += data

    head = Head()
    head.feed(render(run, folder, load_samples={}).html.read_text(encoding="utf-8"))
    return [text.replace("\u00a0", " ") for text in head.texts]


def terminal_lines(run: RunResult, _: Path) -> list[str]:
    out = io.StringIO()
    print_summary(run, Console(file=out, width=80), Path("report.html"))
    return out.getvalue().splitlines()


def markdown_lines(run: RunResult, folder: Path) -> list[str]:
    text = render(run, folder, load_samples={}).markdown.read_text(encoding="utf-8")
    return [re.sub(r"^# |\*\*", "", line) for line in text.splitlines() if line]


def comment_lines(run: RunResult, flavour: object) -> list[str]:
    text = compose(Review(run), flavour).text  # type: ignore[arg-type]  # one of three
    lines = [line for line in text.splitlines() if line and "lambda-dyno review" not in line]
    return [re.sub(r"^## |\*\*", "", line) for line in lines]


def json_lines(run: RunResult, folder: Path) -> list[str]:
    content = json.loads(render(run, folder, load_samples={}).result_json.read_text())
    assert list(content)[:2] == ["schema_version", "summary"]
    return list(content["summary"])


PLACES: dict[str, Callable[[RunResult, Path], list[str]]] = {
    "page": html_lines,
    "report.md": markdown_lines,
    "comment": lambda run, _: comment_lines(run, GITHUB),
    "CodeCommit": lambda run, _: comment_lines(run, CODECOMMIT),
    "job summary": lambda run, _: comment_lines(run, SUMMARY),
    "terminal": terminal_lines,
    "JSON": json_lines,
}
MARKDOWN = ("report.md", "comment", "CodeCommit", "job summary")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("state", RUNS)
def test_every_place_shows_the_same_four_lines_first(
    state: str, place: str, tmp_path: Path
) -> None:
    """Verdict, change, speed, finding."""
    run = completed(RUNS[state])
    lines = list(run.summary)
    if place in MARKDOWN:
        lines = [markdown.text(line) for line in lines]
    assert PLACES[place](run, tmp_path)[:4] == lines


@pytest.mark.parametrize("state", RUNS)
def test_the_first_line_leads_with_what_decided(state: str) -> None:
    """A miss with its limit, a failure with its reason, and where it was measured."""
    found = summary.of(completed(RUNS[state]))
    assert found.verdict == FIRST[state]
    assert all(found.lines)


def test_the_other_lines_have_money_speed_and_risk() -> None:
    """Each with what it rests on."""
    _, change, speed, finding = summary.of(completed(RUNS["pass"])).lines
    assert change == CHANGE
    assert speed == (
        "4.7 times as fast (15.2 ms instead of 71.5 ms); p95 under load 178 ms at 128 MB → "
        "65.4 ms at 512 MB."
    )
    assert finding.startswith("The deployed 128 MB is under-provisioned. Risk of 512 MB: medium (")


def test_a_size_that_is_kept_has_what_it_costs() -> None:
    """Nothing changes, and its bill is known."""
    tuning = replace(samples.known(), power=128)
    lines = summary.of(completed(samples.run(**{**KNOWN, "tuning": tuning}))).lines
    assert lines[1].startswith("Keep 128 MB: this function costs 700 USD a month ± 25, requests ")
    assert lines[2].startswith("71.5 ms at 128 MB; p95 under load ")


def test_an_older_result_has_its_lines_too() -> None:
    """Without what newer ones keep, nothing is made up."""
    found = summary.of(samples.run())
    assert found.change == (
        "Change 128 → 512 MB: 11 % cheaper (0.133 instead of 0.150 USD per million invocations)."
    )
    assert summary.of(samples.run(tuning=None, load=(), verdict=None)).lines[1:] == (
        "No change: nothing was tuned.",
        "Speed: nothing was measured.",
        "Whether its memory size is right is not known: nothing was tuned.",
    )
