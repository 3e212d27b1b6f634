"""tools.gate_simulation.tables, bench_report: what `make bench-gate` says."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from lambda_dyno.report.tables import Cell, Column, Row, Table
from tools.gate_simulation import report as bench_report
from tools.gate_simulation.gate import CASES, SEED, Tally, Trial, targets
from tools.gate_simulation.noise import NO_EFFECT
from tools.gate_simulation.tables import Report, markdown, tables
from tools.gate_simulation.widths import LatencyWidth, RatioWidth, Widths

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def report():
    """A report in which unchanged candidates pass, and a quarter of the others at first."""

    def trials(judge, effect):
        if not effect.size:
            return (Trial(judge, effect, "pass", "pass", 1000),) * 4
        if judge == "p95 alone":
            return (Trial(judge, effect, "inconclusive", "inconclusive", 4000, looks=4),) * 4
        late = Trial(judge, effect, "inconclusive", "fail", 2000, looks=2)
        return (*(Trial(judge, effect, "fail", "fail", 1000),) * 3, late)

    tallies = [
        Tally(case.name, judge, effect, trials(judge, effect))
        for case in CASES
        for judge in case.judges
        for effect in case.effects
    ]
    widths = Widths(
        (LatencyWidth(100, {0.5: 0.031, 0.95: math.inf}),),
        (RatioWidth(30, 30_000, 0.021, math.inf, 0.93, 0.96),),
    )
    return Report(tallies, widths, targets(tallies), 4, SEED, 12.0)


def texts(table):
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_tables_tell_shares_with_their_evidence(report):
    """False alarms with an interval; what was found at the first look and in the end."""
    rows = {tuple(row[:2]): row[2:] for row in texts(tables(report)["errors"])}
    own = rows["regression gate", "interleaved, new sandboxes per turn"]
    assert own[0] == "0 % (0 to 60.2 %)"  # 1 - 0.025 ** (1 / 4)
    assert own[1:4] == ["75 %, then 100 %"] * 3
    assert own[4:] == ["0 %", "0 %", "1,000"]
    assert rows["naive rule", "one load test after the other"][1] == "100 %"


def test_tables_say_when_nothing_is_known(report):
    """An open interval is no width."""
    assert texts(tables(report)["requests"]) == [["100", "± 3.1 %", "not at all"]]
    assert texts(tables(report)["pairs"])[0][2:4] == ["± 2.1 %", "not at all"]


def test_kinds_name_every_change_once(report):
    """No two rows are about the same load and change."""
    rows = [tuple(row[:2]) for row in texts(tables(report)["kinds"])]
    assert len(set(rows)) == len(rows)
    assert ("default profile on AWS", "every request 10 % slower") in rows


def test_json_is_strict(report):
    """Infinite widths are null; every verdict is there."""
    content = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert content["ratio_widths"][0]["half_p90"] is None
    assert content["latency_widths"][0]["halves"]["p95"] is None
    assert len(content["verdicts"]) == len(report.tallies)
    assert [t["outcome"] for t in content["targets"]] == ["met", "met", "unclear"]


def test_terminal_shows_targets_and_seed(report, capsys):
    """What was met or missed is the last thing to read."""
    bench_report.print_report(report)
    shown = capsys.readouterr().out
    assert "met: false alarms when nothing changed" in shown
    assert "unclear: p95 alone 10 % worse" in shown
    assert f"4 runs per case, seed {SEED}, 12.0 s" in shown


def test_docs_are_renewed_between_their_markers(report, tmp_path):
    """All tables have their place in docs/gates.md; what people wrote stays."""
    original = (DOCS / "gates.md").read_text()
    (tmp_path / "gates.md").write_text(original)
    bench_report.write_docs(report, tmp_path)
    renewed = (tmp_path / "gates.md").read_text()
    assert "| 100 | ± 3.1 % | not at all |" in renewed
    headings = re.compile(r"^#.*$", re.M)
    assert headings.findall(renewed) == headings.findall(original)
    assert (tmp_path / bench_report.CHART).read_text().startswith("<svg")
    again = bench_report.replaced(renewed, "pairs", "new\n")
    assert bench_report.replaced(again, "pairs", markdown(tables(report)["pairs"])) == renewed


def test_a_missing_marker_is_an_error():
    """Else a table would silently stay old."""
    with pytest.raises(ValueError, match="no markers for errors"):
        bench_report.replaced("# Gates", "errors", "| |")


def test_chart_has_a_point_for_every_change(report):
    """Two lines over eight sizes of change, each point with its sentence."""
    spec = bench_report.chart(report)
    lines = [layer["data"]["values"] for layer in spec["layer"] if "values" in layer["data"]]
    assert [len(values) for values in lines if len(values) > 1] == [8, 8, 8, 8]
    assert lines[0][0]["text"] == ("regression gate: fails 0 % of the runs when p95 is 0 % worse")
    assert report.find("interleaved", "regression", NO_EFFECT).share("fail").value == 0


def test_markdown_aligns_numbers():
    """Numbers to the right, names to the left."""
    table = Table("T", (Column("A", numeric=False), Column("B")), (Row((Cell("a"), Cell("1"))),))
    assert markdown(table) == "| A | B |\n|---|---:|\n| a | 1 |\n"


@pytest.mark.parametrize("arguments", [["--runs", "0"], ["--runs", "many"], ["--what"]])
def test_bad_arguments_are_refused(arguments, capsys):
    """Before anything is simulated."""
    with pytest.raises(SystemExit) as ended:
        bench_report.main(arguments)
    assert ended.value.code == 2
    assert "make bench-gate: error" in capsys.readouterr().err
