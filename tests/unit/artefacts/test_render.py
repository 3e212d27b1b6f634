"""The files of a report: complete, self-contained, safe, and there in every state of a run."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lambda_dyno.artefacts import junit, power_values
from lambda_dyno.artefacts.render import RenderedReport, render
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.results import (
    Check,
    Leftover,
    RunResult,
    Sample,
    SmokeFailure,
    SmokeResult,
    Verdict,
)
from lambda_dyno.core.samples import write_samples
from lambda_dyno.gates.advice import advised
from lambda_dyno.gates.slo import evaluate
from lambda_dyno.report.console import print_summary
from lambda_dyno.review.comment import compose
from lambda_dyno.review.comment_parts import CODECOMMIT, GITHUB, Review
from lambda_dyno.runs import result_store
from tests.support import report_samples as samples

EVIL = "<script>alert(1)</script>\"'><img src=https://evil.example/x onerror=alert(2)>"
SAMPLES = {"current": samples.CURRENT, "recommended": samples.RECOMMENDED}


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self._inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._inside.append(tag)

    def handle_data(self, data: str) -> None:
        if self._inside[-1:] == ["script"]:
            self.scripts.append(data)
            self._inside.pop()
        elif self._inside[-1:] != ["style"]:
            self.text += data
        else:
            self._inside.pop()

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def evil_run() -> RunResult:
    """A run in which every text that comes from outside is hostile."""
    run = samples.run()
    assert run.tuning is not None
    return replace(
        run,
        env="local",
        outputs={"function_name": EVIL, EVIL: 1},
        settings={"report": {"title": EVIL}, "tuning": {"payload": EVIL}},
        error=EVIL,
        smoke=SmokeResult(1, 1, (SmokeFailure(EVIL, EVIL, EVIL),)),
        tuning=replace(
            run.tuning,
            warnings=(EVIL,),
            details=(*run.tuning.details, samples.excluded(3008, EVIL)),
        ),
        load=(
            replace(run.load[0], label=EVIL, saturated=EVIL, errors=1, errors_by_kind={EVIL: 1}),
        ),
        verdict=Verdict("fail", (Check("latency_p95_ms", 1, 2, "fail", EVIL),)),
        regression=samples.regression(baseline=EVIL, errors={EVIL: 3}),
        leftovers=(Leftover(EVIL, EVIL, EVIL),),
        timings={EVIL: 1.0},
    )


STATES: dict[str, RunResult] = {
    "complete": samples.run(),
    "46 sizes": samples.run(tuning=samples.many_sizes()),
    "one size": samples.run(
        tuning=samples.tuning(samples.detail(512, 20.0), power=512, current=512)
    ),
    "no size measured but the best": samples.run(
        tuning=samples.tuning(samples.excluded(128, "timeout"), power=512, current=128)
    ),
    "zero costs": samples.run(
        tuning=samples.tuning(
            samples.detail(128, 0.0, 0.0), samples.detail(256, 0.0, 0.0), power=256, current=128
        )
    ),
    "no load": samples.run(load=()),
    "load without an answer": samples.run(
        load=(replace(samples.run().load[0], requests=0, latency_ms=None, requests_per_s=0.0),)
    ),
    "load of one request": samples.run(load=(samples.load("current", 128, [12.5]),)),
    "against a baseline": samples.run(regression=samples.regression()),
    "failed before up": RunResult(
        "r1", "dev", "", "not a time", {}, "", {}, {}, error="terraform is missing"
    ),
    "failed in load": samples.run(load=(), verdict=None, leftovers=None, error="Newman died"),
    "hostile": evil_run(),
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RenderedReport]:
    """The report of each state, rendered once."""
    return {
        name: render(run, tmp_path_factory.mktemp("run"), load_samples=SAMPLES)
        for name, run in STATES.items()
    }


def html(report: RenderedReport) -> str:
    return report.html.read_text(encoding="utf-8")


@pytest.mark.parametrize("state", STATES)
def test_every_state_renders_all_files(state: str, reports: dict[str, RenderedReport]) -> None:
    """Whatever a run came to, its report is written, whole, with the headline and any error."""
    report = reports[state]
    assert all(path.stat().st_size > 0 for path in report.paths)
    assert result_store.parse(json.loads(report.result_json.read_text())) == STATES[state]
    ET.parse(report.junit)
    for chart in report.charts:
        if chart.suffix == ".svg":
            ET.parse(chart)
    page = Page(html(report))
    assert len(page.all("h1")) == 1
    if STATES[state].error:
        assert "✗ FAILED: " in page.text
        assert STATES[state].error in page.text
    assert not [path for path in report.html.parent.rglob(".*") if path.is_file()]


def test_power_values_are_a_table_for_programs(reports: dict[str, RenderedReport]) -> None:
    """A line for each, what could not be measured too; no tuning, no table."""
    path = reports["46 sizes"].power_values
    assert path is not None
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    details = samples.many_sizes().details
    assert [int(row["power_mb"]) for row in rows] == [detail.power for detail in details]
    assert sum(row["recommended"] == "1" for row in rows) == 1
    for row, detail in zip(rows, details, strict=True):
        assert int(row["count"]) == detail.count
        if detail.duration_ms is None:
            assert row["mean_ms"] == row["cost_usd"] == ""
            assert row["excluded"] == detail.excluded
        else:
            assert float(row["p95_ms"]) == detail.duration_ms.p95
            assert float(row["ci95_high_ms"]) == detail.duration_ms.ci95[1]
            assert float(row["cost_usd"]) == detail.cost_usd
    without = [state for state, result in STATES.items() if result.tuning is None]
    assert without
    assert all(reports[state].power_values is None for state in without)


def test_no_spreadsheet_takes_a_reason_for_a_formula() -> None:
    evil = samples.excluded(128, "=1+1\n,x")
    tuning = samples.tuning(samples.detail(512, 20.0), evil, power=512, current=512)
    rows = list(csv.DictReader(io.StringIO(power_values.to_csv(tuning))))
    assert "'=1+1\n,x" in [row["excluded"] for row in rows]


@pytest.mark.parametrize("state", STATES)
def test_the_page_loads_nothing(state: str, reports: dict[str, RenderedReport]) -> None:
    """No attribute, style or script of the page holds an address outside the run's folder."""
    text = html(reports[state])
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form", "image"}
        assert "src" not in attributes
        target = attributes.get("href", "") + attributes.get("xlink:href", "")
        assert not re.match(r"[a-z]+:|//", target), target
        assert not any(name.startswith("on") for name in attributes)
    foreign = EVIL if state == "hostile" else "\0"
    ours = text.replace(foreign.replace("&", "&amp;"), "")
    for style in re.findall(r"<style.*?</style>", ours, re.DOTALL):
        assert "url(" not in style
        assert "@import" not in style
    assert "://" not in re.sub(r"https://evil\.example", "", ours)


@pytest.mark.parametrize("state", STATES)
def test_only_our_script_may_run(state: str, reports: dict[str, RenderedReport]) -> None:
    """The page has one script, the one whose digest its content security policy allows."""
    page = Page(html(reports[state]))
    assert len(page.all("script")) == 1
    script = html(reports[state]).split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [
        meta["content"]
        for meta in page.all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_hostile_text_is_shown_as_text(reports: dict[str, RenderedReport]) -> None:
    """Names and messages with markup appear as they are and never become elements."""
    report = reports["hostile"]
    page = Page(html(report))
    assert page.text.count(EVIL) >= 10
    markdown = report.markdown.read_text(encoding="utf-8")
    outside_code = re.sub(r"```.*?```|`[^`\n]*`", "", markdown, flags=re.DOTALL)
    assert "<script" not in outside_code
    assert "<img" not in outside_code
    for chart in report.charts:
        if chart.suffix == ".svg":
            tree = ET.parse(chart)
            assert not [x for x in tree.iter() if x.tag.endswith(("script", "image"))]


def test_what_hides_or_turns_a_text_is_not_in_the_page(tmp_path: Path) -> None:
    """As in the comment: no colours of a terminal, and no other direction of reading."""
    turned = "\x1b[31mred\x1b[0m \u202eexe.txt\u2066 \x07end"
    run = samples.run(
        error=turned,
        settings={"report": {"title": turned}, "tuning": {"payload": turned}},
        leftovers=(Leftover(turned, turned, turned),),
        verdict=Verdict("fail", (Check("latency_p95_ms", 1, 2, "fail", turned),)),
    )
    text = html(render(run, tmp_path))
    assert "red exe.txt end" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)


def test_the_curve_is_there_without_script(reports: dict[str, RenderedReport]) -> None:
    """The page holds the drawn curve for wide and narrow screens, and names every point."""
    page = Page(html(reports["complete"]))
    assert len(page.all("svg")) == 4  # cost and duration, latency; each wide and narrow
    labels = [path.get("aria-label", "") for path in page.all("path")]
    assert labels.count("512 MB (recommended): 15.2 ms") == 2
    assert labels.count("128 MB (current): 0.150 USD per million invocations") == 2
    assert labels.count("recommended, 512 MB, p95: 65.4 ms") == 2


def test_the_curve_reads_its_values_from_the_table(reports: dict[str, RenderedReport]) -> None:
    """Every point of the curve has the table row that the script shows for it."""
    page = Page(html(reports["46 sizes"]))
    rows = {row["data-key"] for row in page.all("tr") if "data-key" in row}
    label = re.compile(r"(\d+) MB(?: \(.*\))?: [\d,.]+ ms")
    points = [label.fullmatch(path.get("aria-label", "")) for path in page.all("path")]
    powers = {found.group(1) for found in points if found}
    assert len(powers) == 45  # one of the 46 could not be measured
    assert powers <= rows
    assert page.text.count("128 MB was excluded: Runtime.OutOfMemory") == 1


def test_tables_are_readable_by_machines(reports: dict[str, RenderedReport]) -> None:
    """Every table has heads with a scope, and each row is named by its first cell."""
    page = Page(html(reports["complete"]))
    heads = page.all("th")
    assert heads
    assert all(head.get("scope") in {"col", "row"} for head in heads)


def test_the_page_states_the_facts(reports: dict[str, RenderedReport]) -> None:
    """Recommendation, reasons, how to apply, settings, outputs, timings and notes are there."""
    text = Page(html(reports["complete"])).text.replace("\u00a0", " ")
    for fact in (
        "Set memory_mb from 128 to 512: 4.7 times as fast (15.2 ms instead of 71.5 ms)",
        "✓ PASS: all 5 SLOs are met",
        "1,180 requests",
        "dyno apply 261120-2243-k3f9",
        "tuning.power_values",
        "dyno-261120-2243-k3f9-crud",
        "All 5 SLOs are met",
        "Nothing left behind.",
        "1 min 17 s",
        "nearest rank",
        "load/recommended.jsonl",
    ):
        assert fact in text, fact


def test_markdown_holds_the_same_tables(reports: dict[str, RenderedReport]) -> None:
    """The Markdown file has the same figures as GitHub tables, and pictures that need no file."""
    lines = reports["complete"].markdown.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith(
        "# ✓ PASS: all 5 SLOs are met · dyno-crud · local · 128 MB · commit "
    )
    assert "| 512 | recommended | 15.2 | 15.0 | 28.2 | 16.0 | 0.133 | 1 | 0 | 20 | 83 |" in lines
    assert not [line for line in lines if line.startswith("![")]  # no forge has the file
    assert lines.count("```mermaid") == 2 + 2
    assert '    y-axis "ms" 0 --> 80' in lines
    assert "    line [104.573864, 160.005538, 178.232148, 223.637683]" in lines
    rows = [line for line in lines if line.startswith("|")]
    assert all(row.endswith("|") for row in rows)


def test_a_baseline_is_shown_with_ratios_and_what_is_allowed(
    reports: dict[str, RenderedReport],
) -> None:
    """The page and the Markdown file have the same table; what was not measured is no number."""
    page, lines = html(reports["against a baseline"]), reports["against a baseline"].markdown
    text = lines.read_text(encoding="utf-8")
    assert "| p95 (ms) | 41.0 | 45.5 | 1.110 | 1.080 | 1.140 | ✗ fail |" in text
    assert "| cost (USD per million) | – | – | – | – | – | ? inconclusive |" in text
    said = (
        "In turns with main (1a2b3c4d5): 30 pairs of blocks of 4 s, new sandboxes in each; 2 pairs"
    )
    assert said in text
    assert "At most 5 % worse is allowed" in text
    assert "0 of the baseline, 3 of the candidate" in text
    assert 'id="regression"' in page
    assert "1.110" in page


def test_pictures_that_no_longer_apply_are_removed(tmp_path: Path) -> None:
    """Rendering again without load or PNG leaves no picture of the earlier report."""
    first = render(samples.run(), tmp_path)
    names = {path.name for path in first.charts}
    assert names == {"power.svg", "power.png", "latency.svg", "latency.png"}
    second = render(samples.run(load=(), settings={"report": {"png": False}}), tmp_path)
    assert {path.name for path in (tmp_path / "charts").iterdir()} == {"power.svg"}
    assert second.charts == (tmp_path / "charts" / "power.svg",)


def test_pictures_are_png_and_svg_with_dark_colours(reports: dict[str, RenderedReport]) -> None:
    """The PNG is one, and the SVG carries its colours for dark pages."""
    files = {path.name: path for path in reports["complete"].charts}
    assert files["power.png"].read_bytes().startswith(b"\x89PNG")
    assert "prefers-color-scheme:dark" in files["power.svg"].read_text(encoding="utf-8")


def test_a_result_is_kept_even_if_a_picture_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was measured is on disk before anything is drawn."""

    def broken(*_: Any) -> None:
        raise ValueError("cannot draw")

    monkeypatch.setattr("lambda_dyno.charts.drawing._draw", broken)
    with pytest.raises(StepError, match="cannot draw"):
        render(samples.run(), tmp_path)
    content = json.loads((tmp_path / "result.json").read_text())
    assert result_store.parse(content) == samples.run()


def test_costs_in_china_are_in_yuan_everywhere(tmp_path: Path) -> None:
    """The price list says so; nothing that a reader sees calls them dollars."""
    tuning = replace(samples.TUNING, raw={"prices": {"currency": "CNY"}}, region="cn-north-1")
    run = samples.run(
        tuning=tuning, verdict=evaluate(samples.SLO, load=samples.LOAD, tuning=tuning)
    )
    report = render(run, tmp_path, load_samples=SAMPLES)
    out = io.StringIO()
    print_summary(run, Console(file=out, width=200), report.html)
    texts = [path.read_text(encoding="utf-8") for path in report.paths if path.suffix != ".png"]
    texts += [out.getvalue(), *(compose(Review(run), at).text for at in (GITHUB, CODECOMMIT))]
    for text in texts:
        assert "USD" not in text
    assert (
        sum("cny" in text.lower() for text in texts) == len(texts) - 1
    )  # the latency chart has no cost
    hostile = replace(samples.TUNING, raw={"prices": {"currency": "<b>{}"}})
    assert hostile.currency == "USD"


def junit_cases(run: RunResult) -> dict[str, str]:
    """Outcome by "class: name" of a run's JUnit file."""
    root = ET.fromstring(junit.to_xml(run))
    problems = ("failure", "error", "skipped")
    return {
        f"{case.get('classname')}: {case.get('name')}": next(
            (kind for kind in problems if case.find(kind) is not None), "pass"
        )
        for case in root.iter("testcase")
    }


def test_junit_has_a_case_per_check_step_and_failure() -> None:
    """A missed SLO fails, an undecided one too, a step is a pass with its time."""
    run = samples.run(
        smoke=SmokeResult(
            2,
            9,
            (SmokeFailure("GET /items", "status is 200", "got 500"),),
            names=("POST /items", "GET /items"),
        ),
        verdict=Verdict(
            "fail",
            (
                Check("latency_p95_ms", 150, 179.3, "fail", "Too slow."),
                Check("latency_p99_ms", 500, None, "inconclusive", "Too few."),
                Check("error_ratio", 0.01, 0, "pass", "None failed."),
            ),
        ),
        timings={"up": 12.4},
        leftovers=(Leftover("log group", "/aws/x", "aws logs"),),
        error="boom",
    )
    assert junit_cases(run) == {
        "smoke: collection": "pass",
        "smoke: POST /items": "pass",
        "smoke: GET /items": "failure",
        "slo: Latency p95": "failure",
        "slo: Latency p99": "failure",
        "slo: Errors": "pass",
        "steps: up": "pass",
        "steps: run": "error",
        "steps: nothing left behind": "failure",
    }


def test_junit_has_numbers_and_names_that_no_limit_changes() -> None:
    """Measured value and limit are properties, as programs read them."""
    names = []
    for limit in (150.0, 151.0):
        check = Check("latency_p95_ms", limit, 4629.0, "fail", "Too slow.", "ms")
        root = ET.fromstring(junit.to_xml(samples.run(verdict=Verdict("fail", (check,)))))
        case = next(one for one in root.iter("testcase") if one.get("classname") == "slo")
        facts = {fact.get("name"): fact.get("value") for fact in case.iter("property")}
        assert facts == {"measured": "4629.0", "limit": str(limit), "unit": "ms"}
        names.append([one.get("name") for one in root.iter("testcase")])
    assert names[0] == names[1]


def test_junit_has_finding_and_risk() -> None:
    """As properties, for whoever makes a board of many functions."""
    root = ET.fromstring(junit.to_xml(advised(samples.run())))
    facts = {fact.get("name"): fact.get("value") for fact in root.iter("property")}
    assert (facts["finding"], facts["risk"]) == ("under-provisioned", "medium")


def test_junit_follows_what_inconclusive_means() -> None:
    """Where a verdict without evidence may pass, its checks are skipped."""
    check = Check("latency_p99_ms", 500, None, "inconclusive", "Too few.")
    run = samples.run(
        verdict=Verdict("inconclusive", (check,)), settings={"slo": {"inconclusive": "pass"}}
    )
    assert junit_cases(run)["slo: Latency p99"] == "skipped"


def test_junit_survives_control_characters() -> None:
    """A message with bytes that XML forbids is written without them."""
    run = samples.run(error="\x1b[31mred\x00\x1b[0m \ud800 end")
    assert junit_cases(run)["steps: run"] == "error"


def test_bytes_that_are_no_text_do_not_stop_the_report(tmp_path: Path) -> None:
    """An error message with undecodable bytes is written with question marks in their place."""
    report = render(samples.run(error="bad \udcff byte", load=()), tmp_path)
    assert "bad ? byte" in html(report)


def test_samples_on_disk_are_drawn(tmp_path: Path) -> None:
    """Without samples given, the files that the result names make the line; broken ones do not."""
    (tmp_path / "load").mkdir()
    some = [Sample(float(i), ms, 0, i, "list", 200, "") for i, ms in enumerate(samples.CURRENT)]
    write_samples(some, tmp_path / "load" / "current.jsonl")
    (tmp_path / "load" / "recommended.jsonl").write_text("{}\nnot a sample\n")
    render(samples.run(), tmp_path)
    from_disk = (tmp_path / "charts" / "latency.svg").read_text()
    render(samples.run(), tmp_path, load_samples={"current": samples.CURRENT})
    assert (tmp_path / "charts" / "latency.svg").read_text() == from_disk
    render(samples.run(), tmp_path, load_samples={})
    assert (tmp_path / "charts" / "latency.svg").read_text() != from_disk


def test_the_verdict_has_a_column_for_each_size(tmp_path: Path) -> None:
    """In the page, in Markdown, in the comment; JUnit says it beside the check."""
    run = samples.mended()
    report = render(run, tmp_path)
    page = re.sub(r"<[^>]+>", " ", html(report))
    assert "Limit 128 MB current 512 MB recommended Margin" in " ".join(page.split())
    assert '<td class="number" data-size="512 MB recommended">✓ 65.4 ms</td>' in html(report)
    row = "| Latency p95 | ✗ fail | 100 ms | ✗ 178 ms | ✓ 65.4 ms | −78 % |"
    for text in (report.markdown.read_text(), compose(Review(run), GITHUB).text):
        assert row in text
        assert "1 of 5 SLOs is missed at 128 MB; all 5 SLOs are met at 512 MB" in text
        assert "Not to be applied" not in text
    said = [x.text or "" for x in ET.parse(report.junit).iter("system-out")]
    assert "Latency p95: ✓ 65.4 ms at 512 MB" in said
    assert junit_cases(run)["slo: Latency p95"] == "failure"


def test_figures_stand_with_their_intervals(tmp_path: Path) -> None:
    """Duration and cost of each size, and what each option changes: page, Markdown, comment."""
    run = samples.run(tuning=samples.known())
    report = render(run, tmp_path)
    page = " ".join(re.sub(r"<[^>]+>", " ", html(report)).split())
    assert "15.2 13.7 to 16.7" in page
    assert "0.133 0.123 to 0.147" in page
    assert "−79 % −81 to −76 %" in page
    assert "≈ −3 % −10 to +4 %" in page
    assert "The deployed 128 MB is under-provisioned. Risk of 512 MB: medium (it was" in page
    markdown = report.markdown.read_text()
    for text in (markdown, compose(Review(run), GITHUB).text):
        text = text.replace("\u00a0", " ")  # no cell breaks within an interval
        assert (
            "| balanced | recommended | 512 | 15.2 | −79 % (−81 to −76 %) | 0.133 | ≈ −3 %"
            " (−10 to +4 %) |" in text
        )
        assert "| 512 | recommended | 15.2 (13.7 to 16.7) |" in text


def test_the_terminal_has_the_options() -> None:
    """With their intervals; the table of memory sizes has no room for its own."""
    out = io.StringIO()
    run = samples.run(tuning=samples.known())
    print_summary(run, Console(file=out, width=200), Path("r.html"), parts={"memory", "options"})
    text = re.sub(r" +", " ", out.getvalue())
    assert "balanced 512 15.2 −79 % (−81 to −76 %) 0.133 ≈ −3 % (−10 to +4 %) recommended" in text
    assert "13.7 to 16.7" not in text


def test_pages_of_the_run_are_linked(tmp_path: Path) -> None:
    """Commit and pull request, in page and Markdown; a forged address is not."""
    links = {
        "commit": "https://github.com/acme/shop/commit/1b98e3c09",
        "pull request": "javascript:alert(1)",
    }
    report = render(replace(samples.run(), links=links), tmp_path)
    assert f'<a href="{links["commit"]}" rel="noreferrer">commit</a>' in html(report)
    assert f"commit <{links['commit']}>" in report.markdown.read_text()
    for text in (html(report), report.markdown.read_text()):
        assert "javascript:alert" not in text
