"""Two sides of the history: what is compared, how surely, and what is said of it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.history import commits, comparison, named, side_by_side
from lambda_dyno.history.comparison import Comparison
from lambda_dyno.history.rows import Recording, rows_of
from lambda_dyno.history.series import Record, Wanted, series_of
from lambda_dyno.history.store import Store
from lambda_dyno.statistics.change_points import scatter
from tests.support import report_samples as samples
from tests.support.git_commands import commit_all, git
from tests.unit.history.test_series import BEGIN
from tests.unit.history.test_series import record as row_of

SETTINGS = ('{"tuning": {"num": 10, "strategy": "cost"}}', '{"tuning": {"num": 20}, "slo": {}}')


def many(count: int, sd: float, seed: int = 1, **more: Any) -> list[Record]:
    """Runs of the same code."""
    chance = Random(seed)
    return [
        row_of(at, duration_ms=20 * math.exp(chance.gauss(0, sd)), **more) for at in range(count)
    ]


def compared(
    before: list[Record],
    after: list[Record],
    trend: list[Record],
    settings: tuple[str, str] = SETTINGS,
) -> Comparison:
    sizes = (
        [
            {
                "memory_mb": 128,
                "duration_ms": 20.0,
                "duration_low_ms": 19.0,
                "duration_high_ms": 21.0,
            }
        ],
        [
            {
                "memory_mb": 128,
                "duration_ms": 40.0,
                "duration_low_ms": 38.0,
                "duration_high_ms": 42.0,
            }
        ],
    )
    (one,) = series_of(trend)
    return comparison.compare(before, after, sizes, settings, one)


def test_the_interval_is_of_what_runs_differ_by() -> None:
    """Wider than that within two runs, and narrower for several."""
    trend = many(40, 0.05)
    one = compared(trend[:1], trend[1:2], trend).figures[0][1]
    ten = compared(trend[:10], trend[10:20], trend).figures[0][1]
    assert one.basis == ten.basis == "runs"
    known = scatter([run["duration_ms"] for run in trend])
    assert known is not None
    assert known.sd == pytest.approx(0.05, rel=0.3)
    halves = [math.log(delta.high / delta.ratio) for delta in (one, ten)]  # type: ignore[operator,arg-type]
    assert halves[0] == pytest.approx(2.02 * known.sd * math.sqrt(2), rel=0.02)
    assert halves[1] == pytest.approx(halves[0] / math.sqrt(10))


def test_a_change_in_the_trend_is_not_what_runs_scatter_by() -> None:
    """Else a regression would hide itself."""
    trend = [*many(20, 0.03), *many(20, 0.03, seed=2)]
    stepped = [
        {**run, "duration_ms": run["duration_ms"] * (2 if at >= 20 else 1)}
        for at, run in enumerate(trend)
    ]
    known = scatter([run["duration_ms"] for run in stepped])
    assert known is not None and known.sd < 0.05


def test_with_few_runs_the_interval_is_that_within_the_two() -> None:
    """And the comparison says so; without one there is none."""
    few = many(3, 0.05)
    with_interval = [
        {**run, "duration_low_ms": 19.0, "duration_high_ms": 21.0, "duration_ms": 20.0}
        for run in few
    ]
    found = compared(with_interval[:1], with_interval[1:2], few)
    assert found.figures[0][1].basis == "run"
    assert found.figures[2][1].low is None
    text = "\n".join(side_by_side.lines(found, commits.Between(), 200))
    assert "within the two runs alone" in text
    assert "(no interval)" in text


def test_settings_that_nobody_can_read_are_none() -> None:
    """The store may be somebody else's."""
    runs = many(2, 0.05)
    found = compared(runs[:1], runs[1:], runs, (90_000 * "[" + 90_000 * "]", SETTINGS[1]))
    assert found.settings == ("slo: none → {}", "tuning.num: none → 20")


@pytest.mark.parametrize("sd", [0.03, 0.1])
def test_the_intervals_have_the_truth_in_95_of_100_comparisons(sd: float) -> None:
    """Of pairs of runs that are alike, in trends of 20."""
    held = 0
    for seed in range(200):
        trend = many(22, sd, seed=seed)
        delta = compared(trend[20:21], trend[21:], trend[:20]).figures[0][1]
        assert delta.low is not None and delta.high is not None
        held += delta.low <= 1 <= delta.high
    assert held / 200 >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 200)


def test_runs_of_the_embedded_aws_and_of_aws_do_not_compare() -> None:
    """One line says which is which."""
    with pytest.raises(UserError, match=r"^a was measured on the embedded AWS, b on AWS: their"):
        comparison.sides([row_of(0, is_embedded=True)], [row_of(1)], ("a", "b"))


def test_of_a_commit_that_means_several_functions_the_newest_is_compared() -> None:
    """And the others are named."""
    before = [row_of(0), row_of(1, function_name="other")]
    after = [row_of(2, function_name="other"), row_of(3)]
    a, b, rest = comparison.sides(before, after, ("a", "b"))
    assert (a, b) == ([before[0]], [after[1]])
    assert rest == ["other on dev (AWS eu-west-1)"]


def test_runs_with_changes_behind_the_commit_are_not_its_own() -> None:
    """Unless there are no others."""
    dirty = row_of(0, is_dirty=True)
    assert comparison.sides([dirty, row_of(1)], [row_of(2)], ("a", "b"))[0] == [row_of(1)]
    assert comparison.sides([dirty], [row_of(2)], ("a", "b"))[0] == [dirty]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_what_is_shown_fits_any_width(width: int) -> None:
    """Figures, sizes, settings and code."""
    trend = many(20, 0.02)
    found = compared(trend[:1], [{**trend[1], "memory_mb": 256}], trend)
    between = commits.Between(("1b98e3c Make it slower",), 0, "1 file changed")
    lines = list(side_by_side.lines(found, between, width))
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert "memory_mb: 128 → 256" in text
    assert "tuning.num: 10 → 20" in text and "tuning.strategy: cost → none" in text
    assert "1b98e3c Make it slower" in text
    assert "+100 %" in text
    assert json.loads(json.dumps(side_by_side.as_json(found, between)))["sizes"]["128"]


def test_runs_commits_and_branches_are_found_in_a_store(tmp_path: Path) -> None:
    """Whichever names them; what names none is said, and is nothing for git."""
    (tmp_path / "code.py").write_text("1")
    commit_all(tmp_path)
    first = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "code.py").write_text("2")
    git(tmp_path, "commit", "--quiet", "--all", "--message", "Make it slower")
    second = git(tmp_path, "rev-parse", "HEAD")
    store = Store(tmp_path / "history", print)
    for number, sha in enumerate((first, second)):
        run = samples.run(run_id=f"261201-000{number}-k3f9", git_sha=sha)
        record_id = f"{run.run_id}_run_{number:08x}"
        store.add(record_id, rows_of(run, Recording(record_id, "run", BEGIN, "0.1.0", "main")))

    def compare(a: str, b: str) -> tuple[Comparison, commits.Between]:
        return named.compare(store.path, (a, b), Wanted(), tmp_path, print)

    for a, b in [
        ("261201-0000-k3f9", "261201-0001-k3f9"),
        (first, second[:7]),
        ("HEAD~1", "main"),
    ]:
        found, between = compare(a, b)
        assert found.before[0]["git_sha"] == first
        assert found.after[0]["git_sha"] == second
        assert [size for size, *_ in found.sizes] == list(samples.MEASURED)
        assert [line.split(" ", 1)[1] for line in between.commits] == ["Make it slower"]
        assert between.files.startswith("1 file changed")
    for wrong in ("nobody", "--output=x", "../x", "ffff"):
        with pytest.raises(UserError, match=r"no run of this id or commit in .* newest: 2612"):
            compare(first, wrong)
    assert not (tmp_path / "x").exists()
