"""Several functions of one environment: their rows, their checks, and which are left to tune."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from lambda_dyno.core.config import Settings
from lambda_dyno.core.results import EACH, LOADED, TunedFunction
from lambda_dyno.report.sections import functions
from lambda_dyno.run.steps import gate, tune
from tests.support import report_samples as samples

STOCK = TunedFunction("stock", replace(samples.TUNING, power=256))


def run_with(outputs: dict[str, Any], **slo: float) -> Any:
    """A run as far as these functions ask it."""
    settings = Settings.model_validate({"slo": slo})
    result = SimpleNamespace(outputs=outputs, functions=(STOCK,))
    return SimpleNamespace(result=result, env=SimpleNamespace(settings=settings))


def test_the_others_are_all_but_the_one_that_is_loaded() -> None:
    """And where there is one function, there are none."""
    several = {EACH: {"b": "x", "a": "y", "c": "z"}, LOADED: "b"}
    assert tune._others(run_with(several)) == ["a", "c"]
    assert tune._others(run_with({"function_arn": "x", "functions": {"a": "the root's own"}})) == []


def test_each_has_a_row_and_the_loaded_one_is_marked() -> None:
    """A report of one function has no such section."""
    run = replace(samples.run(), functions=(STOCK,))
    run = replace(run, outputs={**run.outputs, LOADED: "orders"})
    content = functions._content(run)
    assert content is not None
    assert content.table is not None
    rows = {row.key: row for row in content.table.rows}
    assert list(rows) == ["orders", "stock"]
    assert rows["orders"].marks == ("loaded",)
    assert [cell.text for cell in rows["stock"].cells][:3] == ["stock", "128", "256"]
    assert content.sentence.startswith("Of 2 functions 2 should have another size: orders, stock.")
    assert functions._content(samples.run()) is None


@pytest.mark.parametrize(("limit", "outcome"), [(1000.0, "pass"), (1e-5, "fail")])
def test_each_is_held_against_what_its_tuning_answers(limit: float, outcome: str) -> None:
    """By its name: a miss of one fails the run."""
    run = run_with({}, cost_per_million_usd=limit, latency_p95_ms=1.0)
    (check,) = gate._of_other(run, STOCK)
    assert (check.name, check.outcome) == ("cost_per_million_usd of stock", outcome)
    assert check.reason.startswith("stock: ")
