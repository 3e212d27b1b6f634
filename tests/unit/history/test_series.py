"""What belongs together, what is shown of it, and what its page says."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import subprocess
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lambda_dyno.core.formatting import sparkline
from lambda_dyno.history import listing, page
from lambda_dyno.history.schema import RUNS
from lambda_dyno.history.series import Key, Record, Wanted, current, series_of

BEGIN = datetime(2026, 12, 1, tzinfo=UTC).replace(tzinfo=None)
WEB = "https://github.com/acme/shop"


def record(number: int = 0, **more: Any) -> Record:
    """A row of `runs`."""
    at = BEGIN + timedelta(hours=number)
    texts = {column.name: "" if column.type == "VARCHAR" else None for column in RUNS.columns}
    return {
        **texts,
        "record_id": f"r{number}_run_0000000{number % 10}",
        "run_id": f"r{number}",
        "mode": "run",
        "recorded_at": at,
        "started_at": at,
        "env": "dev",
        "function_name": "crud-api",
        "region": "eu-west-1",
        "account_id": "123456789012",
        "is_embedded": False,
        "branch": "main",
        "git_sha": hashlib.sha256(str(number).encode()).hexdigest()[:40],
        "is_dirty": False,
        "outcome": "pass",
        "memory_mb": 128,
        "recommended_mb": 512,
        "duration_ms": 20.0,
        "cost_usd": 4e-8,
        "p95_ms": 80.0,
        "p95_limit_ms": 100.0,
        "memory_used_mb": 83,
        **more,
    }


def stepped(before: int = 20, after: int = 10, ratio: float = 1.5, **more: Any) -> list[Record]:
    """Runs whose duration changes once."""
    chance = Random(1)
    levels = [20.0] * before + [20.0 * ratio] * after
    return [
        record(at, duration_ms=level * math.exp(chance.gauss(0, 0.03)), **more)
        for at, level in enumerate(levels)
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"is_embedded": True},
        {"branch": "feature"},
        {"env": "prod"},
        {"function_name": "other"},
        {"region": "us-east-1"},
        {"account_id": "210987654321"},
    ],
)
def test_what_differs_in_place_or_branch_is_another_trend(other: dict[str, Any]) -> None:
    """First of all the embedded AWS and AWS: their figures are of different machines."""
    found = series_of([record(0), record(1, **other), record(2)])
    assert [len(one.records) for one in found] == [2, 1]
    assert set(other) <= {field.name for field in fields(Key)}


def test_a_run_without_figures_is_in_no_trend() -> None:
    """A gate of a standing environment adds a verdict alone."""
    nothing = dict.fromkeys(("duration_ms", "cost_usd", "p95_ms", "memory_used_mb"))
    assert series_of([record(0, **nothing)]) == []


def test_a_resumed_run_replaces_its_own_record_and_no_other() -> None:
    """Two tunings on one environment are two."""
    first = record(0, p95_ms=None)
    resumed = record(0, recorded_at=BEGIN + timedelta(minutes=5))
    tunings = [record(1, run_id="x", mode="tune"), record(2, run_id="x", mode="tune")]
    assert current([first, resumed, *tunings]) == [resumed, *tunings]
    assert current([resumed, first]) == [resumed]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Wanted(), 3),
        (Wanted(function="crud-api"), 3),
        (Wanted(function="crud"), 0),
        (Wanted(env="prod"), 1),
        (Wanted(branch="main", on="embedded"), 1),
        (Wanted(on="aws"), 2),
    ],
)
def test_runs_are_chosen_by_what_they_are_of(wanted: Wanted, count: int) -> None:
    """An empty choice takes all."""
    runs = [record(0), record(1, env="prod"), record(2, is_embedded=True)]
    assert sum(map(wanted.takes, runs)) == count


def test_a_change_names_the_runs_before_and_after_it() -> None:
    """With its size and interval, and only of the figure that changed."""
    (one,) = series_of(stepped())
    (change,) = one.changes
    assert change.metric.column == "duration_ms"
    assert (change.before["run_id"], change.after["run_id"]) == ("r19", "r20")
    assert re.fullmatch(r"\+\d\d % \(\d\d to \d\d %\)", change.words)


@pytest.mark.parametrize(
    ("values", "width", "drawn"),
    [
        ([], 10, ""),
        ([5.0], 10, "▄"),
        ([5.0, 5.0, 5.0], 10, "▄▄▄"),
        ([1.0, 8.0], 10, "▁█"),
        ([1, 2, 3, 4, 5, 6, 7, 8], 10, "▁▂▃▄▅▆▇█"),
        ([9, 1, 8], 2, "▁█"),
        ([1, 2], 0, ""),
    ],
)
def test_a_sparkline_goes_from_its_lowest_to_its_highest(
    values: list[float], width: int, drawn: str
) -> None:
    """And has the newest values."""
    assert sparkline(values, width) == drawn


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_list_fits_any_width(width: int) -> None:
    """No line is longer, and the figures that decide are there."""
    runs = [*stepped(), *(record(at, env="prod", branch="feature/" + "x" * 50) for at in (40, 41))]
    found = series_of(runs)
    lines = list(listing.lines(found, runs[::-1][:8], width))
    assert [line for line in lines if len(line) > width and " " in line.strip()] == []
    text = "\n".join(lines)
    assert all(word in text for word in ("r41", "r29", "crud-api", "Duration", "p95 ms", "▁"))
    assert re.search(r"\+\d\d % \(\d\d to \d\d %\)\s+since\s+commit", text)
    assert ("USD/million" in text) == (width > 40)


def test_names_from_outside_are_shown_and_do_nothing() -> None:
    """Neither to a terminal nor to a page."""
    name = "\x1b[2J</script><img src=x onerror=alert(1)>"
    runs = [record(at, function_name=name, branch=name) for at in range(3)]
    found = series_of(runs)
    assert "\x1b" not in "\n".join(listing.lines(found, runs, 80))
    text = page.render(found, web=WEB, written=BEGIN, chosen=name)
    assert "\x1b" not in text
    assert "<img" not in text
    assert text.count("</script>") == 3


def test_a_run_for_programs_has_times_with_their_zone() -> None:
    """And null for what there is not."""
    found = json.loads(json.dumps(listing.as_json(record(0, outcome=""))))
    assert (found["started_at"], found["outcome"]) == ("2026-12-01T00:00:00Z", None)


def rendered(runs: list[Record]) -> str:
    return page.render(series_of(runs), web=WEB, written=BEGIN)


def test_the_page_loads_nothing() -> None:
    """All that it needs is in it; the only addresses are links to commits, and licences."""
    text = rendered(stepped())
    assert "default-src 'none'" in text
    assert re.findall(r'(?:src|href)="([^"]+)"', text) == [f"{WEB}/commit/{record(20)['git_sha']}"]
    assert "fetch(" not in text and "XMLHttpRequest" not in text and "@import" not in text


def test_the_page_has_its_changes_limits_and_licence() -> None:
    """As data for the charts, and in words."""
    text = rendered(stepped())
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert found
    (one,) = json.loads(found[1])["series"]
    duration, _, p95, _ = one["metrics"]
    assert [change["at"] for change in duration["changes"]] == [20]
    assert (p95["limit"], p95["values"][0]) == (100.0, 80.0)
    assert "Duration +" in text
    assert "Copyright (c) 2022 Leon Sorokin" in text


def test_what_cannot_be_told_is_not_said_to_be_alike() -> None:
    """Three runs are too few for a change, nine for a small one; ten that are alike show none."""
    pages = {n: rendered([record(at) for at in range(n)]) for n in (1, 3, 4, 9, 10)}
    assert all("no change shown in" in page for page in pages.values())
    assert [n for n, page in pages.items() if "too few to tell one" in page] == [1, 3]
    assert [n for n, page in pages.items() if "tell large ones only" in page] == [4, 9]


@pytest.mark.parametrize("after", [1, 2])
def test_a_run_that_is_six_times_as_slow_is_told_at_once(after: int) -> None:
    """After three runs; of one run alone it is said."""
    durations_ms = [23.8, 29.3, 23.7, *[174.0, 168.0][:after]]
    runs = [record(at, duration_ms=duration_ms) for at, duration_ms in enumerate(durations_ms)]
    text = "\n".join(listing.lines(series_of(runs), runs[::-1], 100))
    assert f"since commit {runs[3]['git_sha'][:9]}" in text
    assert ("by one run alone" in text) is (after == 1)
    assert ("by one run alone" in rendered(runs)) is (after == 1)
    assert "no change shown in 10 runs" in rendered([record(at) for at in range(10)])


def test_a_limit_says_which_size_it_is_held_against() -> None:
    """If it is not the one that the figures are of."""
    runs = [record(0, judged="recommended")]
    assert '"limit_is_of":" at the recommended size"' in rendered(runs)
    text = "\n".join(listing.lines(series_of(runs), runs, 200))
    assert "limit 100 at the recommended size" in text


def test_the_asset_is_the_published_one() -> None:
    """`npm pack uplot@1.6.32`, dist/uPlot.iife.min.js."""
    content = (page.TEMPLATES / "uplot" / "uPlot.iife.min.js").read_bytes()
    # pragma: allowlist nextline secret
    known = "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"
    assert hashlib.sha256(content).hexdigest() == known


CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="no chromium on PATH")
@pytest.mark.parametrize("size", ["1280,900", "390,844"])
@pytest.mark.parametrize("scheme", [0, 1], ids=["dark", "light"])
def test_a_browser_draws_it_without_an_error(tmp_path: Path, size: str, scheme: int) -> None:
    """Four charts with a canvas each, as wide as the window lets them be, and no word of error."""
    path = tmp_path / "trends.html"
    path.write_text(rendered(stepped()))
    done = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--blink-settings=preferredColorScheme={scheme}",
            *(f"--window-size={size}", "--dump-dom", path.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    assert done.stdout.count("<canvas") == 4
    assert len(re.findall(r"<figcaption>", done.stdout)) == 4
    widths = [int(width) for width in re.findall(r'class="u-wrap"[^>]*width: (\d+)px', done.stdout)]
    assert len(widths) == 4
    assert max(widths) <= max(500, int(size.partition(",")[0]))  # 500 is its smallest window
    assert done.stdout.count("<tr>") >= 30
