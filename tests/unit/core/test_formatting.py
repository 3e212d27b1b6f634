"""How figures are written."""

from __future__ import annotations

import pytest

from lambda_dyno.core import formatting


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.00012345, "0.000123"),
        (0.194, "0.194"),
        (9.417, "9.42"),
        (9.996, "10.0"),
        (95, "95.0"),
        (99.96, "100"),
        (123.4, "123"),
        (1234.5, "1,234"),
        (12345678, "12,345,678"),
        (-1.5, "-1.50"),
    ],
)
def test_three_significant_digits(value: float, text: str) -> None:
    """A figure has three digits, more only before the point."""
    assert formatting.rounded(value) == text


@pytest.mark.parametrize(
    ("cost_usd", "text"),
    [(None, "–"), (0, "0"), (1.94e-7, "0.194"), (2.1e-9, "0.00210"), (0.0012, "1,200.00")],
)
def test_cost_per_million(cost_usd: float | None, text: str) -> None:
    """The price of one invocation is written as that of a million."""
    assert formatting.per_million(cost_usd) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, "–"),
        (0, "0 %"),
        (0.00042, "0.042 %"),
        (0.01, "1 %"),
        (0.1234, "12.3 %"),
        (1, "100 %"),
    ],
)
def test_percent(ratio: float | None, text: str) -> None:
    """Small ratios keep their digits, whole ones have no decimals."""
    assert formatting.percent(ratio) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.02, "0.02 s"), (12.34, "12.3 s"), (59.97, "1 min 00 s"), (125, "2 min 05 s")],
)
def test_seconds(value: float, text: str) -> None:
    """Times are written for people."""
    assert formatting.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(95.0, "95"), (9.996, "10"), (0.1, "0.1"), (1234.5, "1,234"), (100.0, "100"), (0, "0")],
)
def test_a_number_in_a_sentence_has_no_needless_zeros(value: float, text: str) -> None:
    """It is the same figure as in a table."""
    assert formatting.number(value) == text
    assert formatting.number(float("inf")) == "unknown"
