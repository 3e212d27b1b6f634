"""Sentences about money."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lambda_dyno.core.results import Amount, Expense, Money, SizeCost, Traffic
from lambda_dyno.money import run_cost, words
from tests.support import report_samples as samples


def around(middle: float, half: float) -> Amount:
    return Amount(middle, middle - half, middle + half)


# 309 USD of compute for 2,000 million invocations, and 400 USD of fees
MONEY = Money(
    currency="USD",
    discount=0.0,
    request_usd=0.2e-6,
    api="",
    api_usd=None,
    sizes=(
        SizeCost(128, around(309 / 2e9, 12 / 2e9), None),
        SizeCost(512, around(275 / 2e9, 6 / 2e9), around(34 / 2e9, 9 / 2e9)),
        SizeCost(1024, around(400 / 2e9, 6 / 2e9), around(-91 / 2e9, 14 / 2e9)),
        SizeCost(256, around(307 / 2e9, 6 / 2e9), around(2 / 2e9, 9.5 / 2e9)),
    ),
    notes=(),
    run=(),
    traffic=Traffic(2e9, "[traffic]"),
)


@pytest.mark.parametrize(
    ("size_mb", "said"),
    [
        (512, "saves 34.0 USD a month ± 9.0 (−11 % of compute, −4.8 % of this function's bill)"),
        (1024, "costs 91 USD a month ± 14 more (+29 % of compute, +13 % of this function's bill)"),
        (
            256,
            (
                "costs about the same: 2.0 USD a month ± 9.5 less, within the noise "
                "(−0.6 % of compute, −0.3 % of this function's bill)"
            ),
        ),
    ],
)
def test_a_change_in_money_a_month(size_mb: int, said: str) -> None:
    """With its interval, and its shares of compute and of the whole bill."""
    assert words.change(MONEY, 128, size_mb) == said


def test_without_traffic_ten_million_are_an_example() -> None:
    """34 USD of 2,000 million are 0.17 of 10 million."""
    found = words.change(replace(MONEY, traffic=None), 128, 512)
    assert found.startswith("saves 0.170 USD a month ± 0.045 at 10 million invocations (")
    denied = replace(MONEY, traffic=Traffic(None, "it is denied"))
    assert words.change(denied, 128, 512) == found
    assert "Traffic: it is denied." in words.basis(denied)


def test_what_is_not_known_is_not_said() -> None:
    """A size without an interval, or none at all."""
    assert words.change(MONEY, 128, 2048) == ""
    without = replace(MONEY, sizes=tuple(replace(one, saved_usd=None) for one in MONEY.sizes))
    assert words.change(without, 128, 512) == ""
    assert words.sentence(None, samples.TUNING) == ""


def test_a_size_that_is_kept_has_its_bill() -> None:
    """309 + 400 USD, and 3.50 USD for a million requests of its API."""
    kept = replace(samples.TUNING, power=128)
    both = replace(MONEY, api="REST", api_usd=3.5e-6)
    assert words.sentence(both, kept) == (
        "This function costs 709 USD a month ± 12, requests included; the REST API before it "
        "7,000.00 USD, at any size."
    )


def test_china_is_billed_in_yuan() -> None:
    """No word of dollars."""
    assert "34.0 CNY a month" in words.change(replace(MONEY, currency="CNY"), 128, 512)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (around(34.12, 9.41), "34.1 USD ± 9.5"),
        (around(1234.5, 123.4), "1,230 USD ± 130"),
        (around(0.1699, 0.0444), "0.170 USD ± 0.045"),
        (around(1.005, 1.0), "1.0 USD ± 1.0"),
        (around(5.0, 0.001), "5.000 USD ± 0.001"),
        (around(0.00075612, 0.0000003), "0.0007561 USD ± 0.0000003"),
        (Amount(12.0, 12.0, 12.0), "12.00 USD"),
        (Amount(0.0, -0.2, 0.3), "0.00 USD ± 0.30"),
    ],
)
def test_an_amount_has_as_many_digits_as_its_interval(value: Amount, text: str) -> None:
    """Half of the interval is never rounded down."""
    assert words.amount(value, "USD") == text


def test_what_a_run_cost_is_said_the_same_way() -> None:
    """Part by part; nothing was paid on the embedded AWS."""
    run = (
        Expense("invocations by requests", 2055, around(0.002, 0.0001)),
        Expense("requests to the REST API", 2055, Amount(0.0071925, 0.0071925, 0.0071925)),
    )
    found = words.of_run(replace(MONEY, run=run))
    assert found.startswith("This run itself cost 0.00919 USD ± 0.00010: 0.00200 for 2,055 ")
    assert "0.00719 for 2,055 requests to the REST API" in found
    assert "would cost" in words.of_run(replace(MONEY, run=run), embedded=True)
    assert words.of_run(MONEY) == ""


def test_a_tuning_has_its_cost() -> None:
    """The function's invocations with their fee, transitions, and the tuner's own functions."""
    output = {
        "stateMachine": {"executionCost": 0.0001, "lambdaCost": 0.002},
        "tuner": {"cost": 0.00012, "transitions": 4, "gbSeconds": 1.5},
        "details": [{"invocations": 500}, {"invocations": 500}],
        "prices": {"currency": "CNY", "requestsPerMillion": 1.36},
    }
    assert words.spent("The tuning cost", run_cost.of_tuning(output), "CNY") == (
        "The tuning cost 0.00348 CNY: 0.00336 for 1,000 invocations while tuning, 0.000100 for 4 "
        "state transitions, 0.0000200 for 1 run of the tuner's own functions."
    )
    assert words.spent("It cost", run_cost.of_tuning({"stateMachine": None}), "USD") == ""


def test_nothing_is_within_no_noise_where_nothing_is_paid() -> None:
    """No invocations, or a discount that leaves nothing."""
    unused = replace(MONEY, traffic=Traffic(0.0, "[traffic]"))
    assert words.change(unused, 128, 512).startswith(
        "costs 0 USD a month at any size, at no invocations ("
    )
    free = replace(MONEY, discount=1.0)
    assert words.change(free, 128, 512) == (
        "costs 0 USD a month at any size, by a discount of 100 %"
    )
