"""A limit of [slo] is declared once: whoever needs it, has it from there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.config import SLO_KEYS, SloSettings
from lambda_dyno.core.results import Check
from lambda_dyno.core.slo_keys import Evidence
from lambda_dyno.gates import phrases
from lambda_dyno.gates.slo import JUDGES, evaluate
from tests.support import report_samples

PROJECT = Path(__file__).parents[3]
EVERY: dict[str, Any] = dict.fromkeys(SLO_KEYS, 0.5)


def test_each_limit_has_a_judge_and_each_judge_a_limit() -> None:
    """In the order of the settings, which is the order of the verdict."""
    assert list(JUDGES) == list(SLO_KEYS)


@pytest.mark.parametrize("key", SLO_KEYS)
def test_a_limit_is_checked_by_what_it_needs_alone(key: str) -> None:
    """With it there is a figure; without it the check is open, and says what was not measured."""
    slo = SloSettings(**{key: EVERY[key]})
    load = report_samples.load("current", 512, [float(ms) for ms in range(1, 1001)])
    tuning = report_samples.tuning(
        report_samples.detail(512, 20.0, 1e-6), report_samples.detail(1024, 20.0, 2e-6),
        power=512, current=1024, strategy="cost",
    )  # fmt: skip
    by: dict[Evidence, Any] = {
        "load": evaluate(slo, load=(load,)),
        "tuning": evaluate(slo, tuning=tuning),
    }
    needs = SLO_KEYS[key].needs
    for evidence, verdict in by.items():
        (check,) = verdict.checks
        assert check.name == key
        assert (check.measured is not None) == (evidence == needs)
        assert evidence == needs or "was not measured" in check.reason


@pytest.mark.parametrize("evidence", ["load", "tuning"])
def test_what_one_measurement_cannot_answer_is_left_out(evidence: Evidence) -> None:
    """A load test after a deployment, or in a round, is not held against what needs a tuning."""
    left = SloSettings(**EVERY, max_rounds=7).answered_by(evidence)
    assert {SLO_KEYS[key].needs for key in left.limits} == {evidence}
    assert left.max_rounds == 7
    others = SLO_KEYS.keys() - left.limits.keys()
    assert others == {key for key, one in SLO_KEYS.items() if one.needs != evidence}


@pytest.mark.parametrize("key", SLO_KEYS)
def test_a_limit_has_a_title_and_a_unit_in_every_report(key: str) -> None:
    """Neither is made of its name."""
    assert phrases.check_title(key) == SLO_KEYS[key].title
    shown = phrases.check_value(Check(key, 0.5, 0.5, "pass", ""), 0.5)
    assert shown.endswith({"ms": " ms", "USD": " USD", "ratio": " %"}[SLO_KEYS[key].unit])


def test_latency_limits_are_those_with_a_quantile() -> None:
    """Their keys say which."""
    named = {
        key: int(found[1]) / 100
        for key in SLO_KEYS
        if (found := re.fullmatch(r"latency_p(\d\d)_ms", key))
    }
    assert named == {key: one.quantile for key, one in SLO_KEYS.items() if one.quantile}


def test_the_readme_shows_every_key() -> None:
    """Those of [slo], limits and others."""
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    (shown,) = [block for block in blocks if "[slo]" in block and "[deploy]" in block]
    assert tomllib.loads(shown)["slo"].keys() == SloSettings.model_fields.keys()
