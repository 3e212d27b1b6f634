"""What an attached run sends and costs at most."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_dyno.attach import spending
from lambda_dyno.attach.asked import Asked
from lambda_dyno.attach.spending import Spending
from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.core.config import AttachSettings, Settings
from lambda_dyno.money import rates

ONE = (Asked("list", "GET", "u"),)
PER_S = 1024 / 1024 * 0.0000166667  # USD, of 1024 MB on x86_64


def function(**given: Any) -> Function:
    known = {"timeout_s": 3, "memory_mb": 1024, "architecture": "x86_64", "runtime": "python3.13"}
    return Function("arn:aws:lambda:us-east-1:1:function:f", "f", "us-east-1", **(known | given))


def spent(
    load: dict[str, Any] | None = None,
    tuning_input: dict[str, Any] | None = None,
    *,
    asked: tuple[Asked, ...] = ONE,
    slo: dict[str, Any] | None = None,
    **of_function: Any,
) -> Spending:
    profile = {"virtual_users": 2, "ramp_up_s": 0.0, "duration_s": 10.0, "pacing_ms": 1000}
    settings = Settings.model_validate({"load": profile | (load or {}), "slo": slo or {}})
    prices = rates.of("us-east-1", "x86_64", api="HTTP")
    return spending.of(
        settings,
        function(**of_function),
        prices,
        smoke=asked,
        smoke_rows=2,
        load=asked,
        tuning_input=tuning_input or {"measuring": "adaptive"},
    )


def test_a_closed_loop_by_its_pace() -> None:
    """Iterations of each user, with all that is asked before it, and no round more than one."""
    found = spent()
    assert found.requests == {"smoke": 62, "workload": 2, "load": 60 + 16 + 20}
    assert (found.users, found.requests_per_s, found.rounds) == (2, 2.0, 1)


def test_rounds_where_there_is_something_to_decide() -> None:
    """Each is the same again."""
    found = spent(slo={"latency_p95_ms": 100.0, "max_rounds": 4})
    assert found.requests["load"] == 4 * (60 + 16 + 20)
    assert spent(slo={"cost_per_million_usd": 1.0}).rounds == 1


def test_an_open_loop_by_its_arrivals() -> None:
    """And what scripts send counts."""
    by_script = (Asked("list", "GET", "u", by_scripts=1), Asked("get", "GET", "u"))
    found = spent({"loop": "open", "arrivals_per_s": 5.0, "pacing_ms": 0}, asked=by_script)
    assert found.requests["load"] == 60 + 16 + 3 * 50
    assert found.requests_per_s == 15.0


def test_money_is_bounded_by_users_or_by_requests() -> None:
    """A user has one request under way; what API Gateway gives up goes on beside the next ones."""
    many = spent({"pacing_ms": 10, "virtual_users": 10})
    requests = many.total_requests
    users = 62 * 3 + 2 * 3 + 76 * 3 + 10 * (10 + 3)
    assert requests * 3 > users
    fees = requests * (0.2 + 1.0) / 1e6
    assert many.load_usd == pytest.approx(users * PER_S + fees, rel=0.01)
    long = spent({"pacing_ms": 10, "virtual_users": 10}, timeout_s=60)
    beside = 62 * 60 + 2 * 60 + 76 * 60 + 3 * 10 * (10 + 60)
    assert long.load_usd == pytest.approx(beside * PER_S + fees, rel=0.01)
    few = spent({"virtual_users": 1, "pacing_ms": 10_000}, timeout_s=60)
    assert few.load_usd == pytest.approx(few.total_requests * 60 * PER_S, rel=0.01)


def test_tuning_of_fixed_sizes_is_bounded_by_the_timeout() -> None:
    """The deployed size among them; adaptive measuring has what is left."""
    fixed = spent(tuning_input={"powerValues": [512], "num": 10})
    assert fixed.invocations == 40
    assert fixed.tuning_usd == pytest.approx(20 * 3 * PER_S * 1.5 + 40 * 0.2e-6, rel=0.01)
    adaptive = spent()
    assert (adaptive.invocations, adaptive.tuning_usd) == (None, None)
    limits = AttachSettings(max_cost_usd=1.0)
    assert adaptive.left_for_tuning_usd(limits) == pytest.approx(1.0 - adaptive.load_usd)


@pytest.mark.parametrize(
    ("limits", "above"),
    [
        ({}, ()),
        ({"max_requests": 159}, ("160 requests are more than [attach] max_requests = 159",)),
        ({"max_requests": 160}, ()),
        ({"max_cost_usd": 0.01}, ("0.0242 USD are more than [attach] max_cost_usd = 0.01",)),
    ],
)
def test_what_is_above_a_limit(limits: dict[str, Any], above: tuple[str, ...]) -> None:
    """Each in a sentence with the key; what is at the limit may go on."""
    found = spent(timeout_s=10)
    said = found.above(AttachSettings(**limits))
    assert len(said) == len(above)
    assert [one.partition(" ")[2] for one in said] == [one.partition(" ")[2] for one in above]


def test_it_is_said_with_its_limits() -> None:
    """Requests with what they are for, users, rate, and money."""
    lines = spent(slo={"latency_p95_ms": 100.0}).lines(AttachSettings())
    assert lines[0] == (
        "at most 352 requests (limit 20,000): smoke 62, workload 2, load 288; 2 users, "
        "2 requests/s, 3 rounds at most"
    )
    assert "at most 1.00 USD by the price list (limit 1.00)" in lines[1]


def test_without_an_api_only_the_tuning_is_said() -> None:
    """Nothing is asked, so nothing is counted."""
    found = spent(asked=())
    assert found.total_requests == 0
    assert len(found.lines(AttachSettings())) == 1
