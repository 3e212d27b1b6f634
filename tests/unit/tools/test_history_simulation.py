"""tools.history_simulation: what `make bench-history` says, and the runs that it makes up."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lambda_dyno.history.schema import TABLES, run_of
from tools.history_simulation import __main__ as program
from tools.history_simulation import rates, synthetic

DOCS = Path(__file__).parents[3] / "docs"


def test_the_same_seed_makes_the_same_runs() -> None:
    """Each with its own id; the newest with all that it was measured at."""
    made = list(synthetic.records(150, seed=1))
    assert made == list(synthetic.records(150, seed=1))
    assert made != list(synthetic.records(150, seed=2))
    assert len({record_id for record_id, _ in made}) == 150
    assert all(run_of(record_id) for record_id, _ in made)
    assert [set(tables) for _, tables in (made[0], made[-1])] == [
        {"runs"},
        {"runs", "tunings", "loads"},
    ]
    known = {table.name: {column.name for column in table.columns} for table in TABLES}
    for name, rows in made[-1][1].items():
        assert all(set(row) <= known[name] for row in rows)


def test_a_step_is_found_more_often_than_none() -> None:
    """By the test, and by one that knows its place."""
    none, step = (rates.rates("cpu", step, 40, seed=1, between_runs=0.02) for step in (0.0, 0.2))
    assert none.found <= 0.1
    assert step.found >= 0.9
    assert step.near >= 0.8
    assert step.known_place >= 0.9


def test_the_table_is_printed_as_the_docs_have_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row for each noise, step and scatter."""
    monkeypatch.setattr(sys, "argv", ["bench", "--histories", "2"])
    program.main()
    printed = capsys.readouterr().out.splitlines()
    page = (DOCS / "history.md").read_text().splitlines()
    assert printed[0] in page
    shown = [line for line in page if line.startswith(("| cpu", "| io", "| mixed", "| trivial"))]
    assert len(printed) - 2 == len(shown) == 24
