"""What a run's record says, and that it never fails a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.results import DEPLOYED, RunResult
from lambda_dyno.history import record, rows
from lambda_dyno.history.schema import LOADS, SAMPLES, TUNINGS
from lambda_dyno.history.store import Store
from tests.support import report_samples as samples
from tests.support.git_commands import git

RUN = samples.run()


def origin(folder: Path, mode: str = "run") -> record.Origin:
    return record.Origin(folder / "runs", folder, "123456789012", "eu-west-1", mode)


def kept(folder: Path) -> list[dict[str, Any]]:
    return Store(folder / "runs" / "history", print).runs()


def keep(folder: Path, run: RunResult, mode: str = "run") -> tuple[dict[str, Any], ...]:
    said: list[str] = []
    record.keep(run, origin(folder, mode), said.append)
    assert said == []
    return tuple(kept(folder))


def test_a_record_says_where_when_and_of_what_it_is(tmp_path: Path) -> None:
    """Function, environment, branch, commit, changes, mode, and which AWS."""
    git(tmp_path, "init", "--quiet", "--initial-branch", "feature/x")
    run = replace(RUN, git_sha=f"{RUN.git_sha}+changes", endpoint="http://127.0.0.1:4566")
    (row,) = keep(tmp_path, run, "gate")
    assert row["record_id"].startswith(f"{run.run_id}_gate_")
    expected = {
        "mode": "gate",
        "env": "local",
        "function_name": "crud",
        "account_id": "123456789012",
        "region": "eu-west-1",
        "is_embedded": True,
        "branch": "feature/x",
        "git_sha": RUN.git_sha,
        "is_dirty": True,
        "outcome": "pass",
        "memory_mb": 128,
        "recommended_mb": 512,
        "duration_ms": 71.45,
        "recommended_duration_ms": 15.17,
        "memory_used_mb": 83,
        "p95_limit_ms": 250.0,
        "cost_limit_usd": 5e-7,
        "error": "",
    }
    assert {name: row[name] for name in expected} == expected
    by_label = {load.label: load for load in run.load}
    assert row["p95_ms"] == by_label[DEPLOYED].latency_ms.p95  # type: ignore[union-attr]
    assert row["recommended_p95_ms"] == by_label["recommended"].latency_ms.p95  # type: ignore[union-attr]


def test_a_function_of_its_own_has_no_environment(tmp_path: Path) -> None:
    """And is called by its name, the alias or version with it."""
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:checkout:live"
    run = replace(
        RUN,
        env="function checkout:live",
        settings={**RUN.settings, "tuning": {"function_arn": arn}},
        load=(),
        verdict=None,
    )
    (row,) = keep(tmp_path, run, "tune")
    assert (row["env"], row["function_name"]) == ("", "checkout:live")
    assert (row["p95_ms"], row["outcome"]) == (None, "")


def test_the_runs_own_prefix_is_not_in_a_functions_name() -> None:
    """It would be another function in every run."""
    prefix = "dyno-261201-0215-k3f9"
    run = replace(RUN, name_prefix=prefix, outputs={"function_name": f"{prefix}-crud-api"})
    assert rows.function_name(run) == "crud-api"


def test_the_invocations_of_a_tuning_are_kept(tmp_path: Path) -> None:
    """Those of its output, cold starts marked."""
    raw = {"details": [{"power": 128, "durations": [90, 70.5, 71], "coldAt": [0]}]}
    assert RUN.tuning is not None
    (row,) = keep(tmp_path, replace(RUN, tuning=replace(RUN.tuning, raw=raw)))
    found = Store(tmp_path / "runs" / "history", print).rows(SAMPLES, [row["record_id"]])
    assert [(s["memory_mb"], s["position"], s["is_cold"], s["duration_ms"]) for s in found] == [
        (128, 0, True, 90.0),
        (128, 1, False, 70.5),
        (128, 2, False, 71.0),
    ]


def test_what_a_function_is_given_is_not_kept(tmp_path: Path) -> None:
    """A payload may be anything. That it changed shows by its hash."""
    settings = {"tuning": {"payload": {"who": "Ann Example"}, "num": 5}, "deploy": {"payload": 1}}
    text = rows.settings_json(settings)
    assert "Ann Example" not in text
    kept = json.loads(text)
    assert kept["tuning"]["num"] == 5
    assert kept["tuning"]["payload"].startswith("sha256:")
    other = rows.settings_json({"tuning": {"payload": {"who": "Ann"}, "num": 5}})
    assert json.loads(other)["tuning"]["payload"] != kept["tuning"]["payload"]


def test_of_nothing_measured_there_is_no_record(tmp_path: Path) -> None:
    """And no folder."""
    run = replace(RUN, tuning=None, load=(), verdict=None, error="apply failed")
    assert keep(tmp_path, run) == ()
    assert not (tmp_path / "runs").exists()


def test_a_run_that_failed_has_what_it_measured(tmp_path: Path) -> None:
    """And why it ended, on one line."""
    (row,) = keep(tmp_path, replace(RUN, load=(), verdict=None, error="no\nnetwork"))
    assert (row["error"], row["duration_ms"], row["p95_ms"]) == ("no network", 71.45, None)


@pytest.mark.parametrize("value", ["off", "elsewhere"])
def test_the_environment_names_another_folder_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Such as the user's."""
    named = value if value == "off" else str(tmp_path / value)
    monkeypatch.setenv(record.VARIABLE, named)
    assert keep(tmp_path, RUN) == ()
    assert (tmp_path / "elsewhere" / "v1").exists() == (value == "elsewhere")


def test_a_folder_that_cannot_be_meant_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, as all else that goes wrong."""
    monkeypatch.setenv(record.VARIABLE, "~nobody-here/x")
    said: list[str] = []
    origin = record.Origin(tmp_path / "runs", tmp_path, "", "", "run")
    record.keep(RUN, origin, said.append)
    (line,) = said
    assert "DYNO_HISTORY=~nobody-here/x: there is no such home folder" in line


def _no_folder(runs: Path, _: pytest.MonkeyPatch) -> None:
    runs.parent.mkdir(exist_ok=True)
    runs.write_text("a file")


def _no_duckdb(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)


def _full(runs: Path, _: pytest.MonkeyPatch) -> None:
    (runs / "history" / "v1").mkdir(parents=True)
    (runs / "history" / "v1" / "tunings").symlink_to("/dev/full")


def _a_fault(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "rows_of", lambda *_: 1 / 0)


@pytest.mark.parametrize("spoil", [_no_folder, _no_duckdb, _full, _a_fault])
def test_a_write_that_fails_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path, pytest.MonkeyPatch], None],
) -> None:
    """And fails nothing."""
    spoil(tmp_path / "runs", monkeypatch)
    said: list[str] = []
    record.keep(RUN, origin(tmp_path), said.append)
    (line,) = said
    assert line.startswith("no history of this run: ")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("before", "mode", "parts"),
    [
        (replace(RUN, tuning=None), "tune", {TUNINGS.name}),
        (replace(RUN, load=()), "load", {LOADS.name}),
        (replace(RUN, verdict=None), "gate", {"checks"}),
        (RUN, "", set()),
    ],
)
def test_a_command_on_a_standing_environment_adds_what_it_measured(
    tmp_path: Path, before: RunResult, mode: str, parts: set[str]
) -> None:
    """And not again what was there before."""
    record.keep_new(before, RUN, origin(tmp_path), print)
    assert [row["mode"] for row in kept(tmp_path)] == [mode][: bool(mode)]
    folders = {path.parent.name for path in tmp_path.rglob("*.parquet")}
    assert folders == parts | {"runs"} if mode else not folders


def test_figures_without_end_are_null(tmp_path: Path) -> None:
    """Every reader takes them."""
    assert RUN.tuning is not None
    detail = replace(RUN.tuning.details[0], cost_usd=float("inf"))
    tuning = replace(RUN.tuning, details=(detail,))
    (row,) = keep(tmp_path, replace(RUN, tuning=tuning, error="half a \ud800 letter"))
    assert (row["cost_usd"], row["error"]) == (None, "half a \\ud800 letter")
