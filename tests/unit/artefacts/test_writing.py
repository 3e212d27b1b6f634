"""The files beside a report: there, self-contained, safe, and copied only where they may be."""

from __future__ import annotations

import base64
import struct
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lambda_dyno.artefacts import committed, visualization, writing
from lambda_dyno.cleanup import evidence
from lambda_dyno.core.config import parse_settings
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.results import (
    RunResult,
    SmokeAssertion,
    SmokeFailure,
    SmokeRequest,
    SmokeResult,
)
from lambda_dyno.runs.run_folder import RunFolder
from power_tuner import visualization as packed
from power_tuner.strategies import Candidate
from tests.support import report_samples as samples

EVIL = "<script>alert(1)</script> #panic() *bold*"
SMOKE = SmokeResult(
    requests=3,
    assertions=3,
    failures=(SmokeFailure("read", EVIL, "expected 200"),),
    skipped=1,
    asked=(
        SmokeRequest(EVIL, "POST", 201, 23.4, (SmokeAssertion("status is 201", "held"),)),
        SmokeRequest("read", "GET", 500, 8.1, (SmokeAssertion(EVIL, "failed", "expected 200"),)),
        SmokeRequest("later", "GET", 0, None, (SmokeAssertion("body", "skipped"),)),
    ),
)


def run() -> RunResult:
    """A whole run with a hostile smoke test."""
    return replace(samples.run(), smoke=SMOKE, summary=("✓ PASS", EVIL, "speed", "finding"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run, all files written."""
    made = tmp_path_factory.mktemp("run")
    writing.write(run(), made)
    return made


def test_all_files_are_there_and_named_in_the_page(folder: Path) -> None:
    names = {"memory-summary.md", "visualization.html", "newman.html", "report.pdf"}
    names |= {"load-128MB.pdf", "load-512MB.pdf"}
    assert names <= {path.name for path in folder.iterdir()}
    page = (folder / "report.html").read_text()
    assert all(f'href="{name}' in page for name in names)
    for name in ("report.pdf", "load-128MB.pdf", "load-512MB.pdf"):
        content = (folder / name).read_bytes()
        assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")


def test_newman_has_each_request_with_what_held(folder: Path) -> None:
    page = (folder / "newman.html").read_text()
    assert "<script" not in page and "alert(1)" in page
    assert "http" not in page.replace("http-equiv", "")
    for text in ("status 201 · 23.4 ms", "no answer", "expected 200", "1 skipped"):
        assert text in page
    assert [page.count(f'class="{kind}"') for kind in ("held", "failed", "skipped")] == [1, 1, 1]


def test_what_is_gone_from_a_run_is_gone_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "load-4096MB.pdf").write_text("of an earlier writing")
    (tmp_path / "newman.html").write_text("of an earlier writing")
    (tmp_path / "mine.pdf").write_text("somebody's own")
    nothing = replace(run(), smoke=None, tuning=None, load=(), settings={"report": {"pdf": False}})
    writing.write(nothing, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert "mine.pdf" in names
    assert not names & {"load-4096MB.pdf", "newman.html", "report.pdf", "memory-summary.md"}


def test_without_typst_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert writing.missing(run()) == ""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "typst", None)
    assert "pip install 'lambda-dyno[pdf]'" in writing.missing(run())
    off = replace(run(), settings={"report": {"pdf": False}})
    assert writing.missing(off) == ""


def test_the_curve_page_loads_nothing() -> None:
    page = visualization.render()
    assert "default-src 'none'" in page
    addresses = page.replace("http://www.w3.org/2000/svg", "")
    assert "http:" not in addresses and "https:" not in addresses


def test_the_page_links_the_curve_with_this_runs_hash(tmp_path: Path) -> None:
    url = packed.url("https://lambda-power-tuning.show/", [Candidate(128, 2e-7, 20.0)], "eu-west-1")
    of_curve = run()
    assert of_curve.tuning is not None
    state_machine = replace(of_curve.tuning.state_machine, visualization=url)
    tuning = replace(of_curve.tuning, state_machine=state_machine)
    settings = {"report": {"pdf": False, "png": False}}
    writing.write(replace(of_curve, tuning=tuning, settings=settings), tmp_path)
    size = base64.b64encode(struct.pack("<h", 128)).decode()
    assert f'href="visualization.html#{size};' in (tmp_path / "report.html").read_text()


def test_files_for_people_are_copied_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    target, left = committed.copy(run(), folder, tmp_path, "reports/history")
    assert target == tmp_path / "reports" / "history" / run().run_id and not left
    assert {path.name for path in target.iterdir()} == {
        "memory-summary.md",
        "visualization.html",
        "newman.html",
        "report.pdf",
        "load-128MB.pdf",
        "load-512MB.pdf",
        "power_values.csv",
    }


@pytest.mark.parametrize(
    ("variable", "secret"),
    [
        ("DEPLOY_TOKEN", "s3cr3t-of-this-process"),
        ("DYNO_TEAMS_WEBHOOK_URL", "https://teams.example.com/workflows/of-this-process"),
        ("SOMETHING", "glpat-" + 20 * "x"),  # by its form, whatever the variable is called
        ("SOMETHING", "https://hooks." + "slack.com/services/T0/B0/x"),
    ],
)
def test_what_holds_a_secret_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, secret: str
) -> None:
    monkeypatch.setenv(variable, secret)
    asked = (SmokeRequest(f"GET with {secret}", "GET", 200, 1.0),)
    leaky = replace(run(), smoke=replace(SMOKE, asked=asked))
    leaky = replace(leaky, settings={"report": {"pdf": False, "png": False}})
    writing.write(leaky, tmp_path / "run")
    target, left = committed.copy(leaky, tmp_path / "run", tmp_path, "kept")
    assert left == ["newman.html"]
    assert not (target / "newman.html").exists() and (target / "memory-summary.md").exists()


@pytest.mark.parametrize(
    "place", ["../out", "/tmp/out", "a/../../b", ".git/x", "a//b", "a/", "x\n"]
)
def test_a_place_outside_the_project_is_refused(place: str) -> None:
    with pytest.raises(UserError, match="commit"):
        parse_settings({"evidence": {"commit": place}}, "dyno.toml")


def test_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "reports").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="no link"):
        committed.folder_of("261120-2243-k3f9", tmp_path / "project", "reports")
    with pytest.raises(UserError):
        committed.folder_of("../../x", tmp_path / "project", "kept")
    for inside_git in (".git/x", ".GIT/x"):  # some file systems know no case
        with pytest.raises(UserError):
            committed.folder_of("261120-2243-k3f9", tmp_path / "project", inside_git)


def test_a_run_says_where_its_evidence_went(tmp_path: Path) -> None:
    settings = {"evidence": {"commit": "reports/history"}, "report": {"pdf": False, "png": False}}
    asked = replace(run(), settings=settings)
    folder = RunFolder(tmp_path / "runs" / asked.run_id)
    evidence.write(asked, folder)
    assert evidence.copy(run(), folder, tmp_path) == ""  # nothing was asked for
    assert not (tmp_path / "reports").exists()
    said = evidence.copy(asked, folder, tmp_path)
    assert said.endswith(f"reports/history/{asked.run_id}")
    assert (tmp_path / "reports" / "history" / asked.run_id / "newman.html").is_file()
