"""result.json, its JSON Schema and the records that make it say the same."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import lambda_dyno
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.results import Check, Leftover, RunResult, SmokeFailure, SmokeResult, Verdict
from lambda_dyno.gates.summary import completed
from lambda_dyno.runs import result_store
from tests.support import report_samples as samples

pytestmark = pytest.mark.contract

SCHEMA = Path(lambda_dyno.__file__).parent / "schemas" / "result.schema.json"
UNKNOWN = Verdict("inconclusive", (Check("latency_p99_ms", 500, None, "inconclusive", "Few."),))

RUNS = {
    "complete": samples.run(),
    "nothing-but-settings": RunResult("r", "local", "", "2026-11-20T22:43:07Z", {}, "", {}, {}),
    "failed-while-up": samples.run(
        smoke=None, tuning=None, load=(), verdict=None, leftovers=None, error="apply failed"
    ),
    "excluded-power-values": samples.run(tuning=samples.many_sizes()),
    "smoke-failed": samples.run(smoke=SmokeResult(1, 1, (SmokeFailure("GET /", "is 200", "500"),))),
    "no-request-answered": samples.run(
        load=(replace(samples.run().load[0], requests=4, errors=4, latency_ms=None),)
    ),
    "inconclusive": samples.run(verdict=UNKNOWN),
    "with-advice": completed(samples.run(tuning=samples.known())),
    "mended-by-the-recommended-size": samples.mended(),
    "against-a-baseline": samples.run(regression=samples.regression()),
    "something-left": samples.run(leftovers=(Leftover("log group", "/aws/x", "aws logs"),)),
}


def as_written(run: RunResult) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(run.to_json(), allow_nan=False))
    return content


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_runs_in_every_state_fit_the_schema(
    run: RunResult, validator: jsonschema.Draft202012Validator
) -> None:
    """What a run writes is valid, however far it came."""
    validator.validate(as_written(run))


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_run_is_read_back_as_it_was(run: RunResult) -> None:
    """Reading result.json gives the run that wrote it, to the last field."""
    assert result_store.parse(as_written(run)) == run


def _set(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = to

    return change


WRONG = {
    "unknown key": _set("cost", to=1),
    "other version": _set("schema_version", to=2),
    "memory below 128 MB": _set("tuning", "power", to=64),
    "memory as text": _set("load", 0, "memory_mb", to="128"),
    "negative duration": _set("tuning", "details", 0, "duration_ms", "p95", to=-1),
    "interval of three ends": _set("tuning", "details", 0, "duration_ms", "ci95", to=[1, 2, 3]),
    "not measured without a reason": _set("tuning", "details", 0, "duration_ms", to=None),
    "measured zero times": _set("tuning", "details", 0, "count", to=0),
    "unknown strategy": _set("tuning", "strategy", to="cheap"),
    "negative CPU share": _set("load", 0, "machine_cpu_ratio", to=-0.1),
    "start in local words": _set("started_at", to="yesterday"),
    "unknown outcome": _set("verdict", "outcome", to="ok"),
    "pass without a measurement": _set("verdict", "checks", 0, "measured", to=None),
    "time that is none": _set("timings", "up", to="12 s"),
    "leftover without a kind": _set("leftovers", to=[{"name": "x", "remove": ""}]),
    "outputs missing": _set("environment", to={"name_prefix": "x"}),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_the_schema_refuses_what_a_run_never_writes(
    change: Callable[[dict[str, Any]], None], validator: jsonschema.Draft202012Validator
) -> None:
    """A result that is wrong in one place does not validate."""
    content = copy.deepcopy(as_written(samples.run()))
    change(content)
    assert not validator.is_valid(content)


def test_every_key_that_the_issue_names_is_there() -> None:
    """The keys that readers outside rely on are where the product's description has them."""
    content = as_written(samples.run())
    assert set(content) >= {
        "schema_version",
        "summary",
        "run_id",
        "env",
        "git_sha",
        "started_at",
        "timings",
        "environment",
        "tuning",
        "load",
        "verdict",
        "leftovers",
    }
    assert set(content["environment"]) >= {"name_prefix", "outputs", "endpoint"}
    detail = content["tuning"]["details"][0]
    assert set(detail) >= {
        "power",
        "count",
        "duration_ms",
        "billed_ms_mean",
        "cost_usd",
        "cold_starts",
        "errors",
        "max_memory_used_mb",
    }
    assert set(detail["duration_ms"]) >= {"mean", "trimmed_mean", "p50", "p95", "p99"}
    load = content["load"][0]
    assert set(load) >= {"memory_mb", "virtual_users", "requests", "errors", "requests_per_s"}
    assert set(load["latency_ms"]) == {"mean", "p50", "p90", "p95", "p99", "max"}
    assert set(content["verdict"]["checks"][0]) >= {
        "name",
        "limit",
        "measured",
        "outcome",
        "reason",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "x/result.json: schema_version is None, this release reads 1"),
        ({"schema_version": 2}, "x/result.json: schema_version is 2, this release reads 1"),
        ({"schema_version": 1}, "x/result.json: run_id: Field required"),
        (
            {**as_written(samples.run()), "timings": {"up": "long"}},
            "x/result.json: timings.up: Input should be a valid number",
        ),
    ],
    ids=["empty", "newer", "cut off", "wrong type"],
)
def test_reading_something_else_says_what_is_wrong(content: dict[str, Any], message: str) -> None:
    """A file that is no result of this version is one error that names file and key."""
    with pytest.raises(UserError) as error:
        result_store.parse(content, source="x/result.json")
    assert str(error.value).startswith(message)
