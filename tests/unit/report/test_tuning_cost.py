"""What the tuning itself cost, in a sentence."""

from __future__ import annotations

from typing import Any

from lambda_dyno.report.tuning_cost import sentence

OUTPUT: dict[str, Any] = {
    "stateMachine": {"executionCost": 0.0001, "lambdaCost": 0.002, "visualization": "https://x"},
    "details": [{"invocations": 500}, {"invocations": 500}, {"invocations": None}],
    "prices": {"currency": "USD", "requestsPerMillion": 0.2},
    "tuner": {"transitions": 4, "invocations": 4, "gbSeconds": 1.5, "cost": 0.000124},
}


def test_all_three_parts_add_up() -> None:
    """1000 invocations: 0.002 and their requests 0.0002; the tuner 0.000124, 0.0001 of it steps."""
    assert sentence(OUTPUT) == (
        "The tuning cost 0.00232 USD: 0.00220 for 1,000 invocations of the function, "
        "0.000100 for 4 state transitions, 0.0000240 for 1.50 GB-seconds of the tuner."
    )


def test_the_currency_is_the_regions() -> None:
    """Prices in China are in CNY."""
    chinese = {**OUTPUT, "prices": {"currency": "CNY", "requestsPerMillion": 1.36}}
    assert sentence(chinese).startswith("The tuning cost 0.00348 CNY: ")


def test_an_output_that_does_not_say_is_not_guessed_at() -> None:
    """Such as that of aws-lambda-power-tuning."""
    assert sentence({"power": "128", "stateMachine": {"executionCost": 0.0003}}) == ""
    assert sentence({}) == ""
