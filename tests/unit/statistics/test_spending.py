"""lambda_dyno.statistics.spending: shares of a rate of error, by hand."""

from __future__ import annotations

import pytest

from lambda_dyno.statistics.spending import holm_levels, spent


def test_looks_never_spend_more_than_there_is() -> None:
    """The first spends three quarters, each further one as much of what is left."""
    assert [spent(0.04, look) for look in (1, 2)] == pytest.approx([0.03, 0.0075])
    assert 0.0399 < sum(spent(0.04, look) for look in range(1, 10)) < 0.04
    with pytest.raises(ValueError, match="count from 1"):
        spent(0.04, 0)


def test_holms_shares_by_hand() -> None:
    """A rejected test leaves its share to the others; the first that is not ends that."""
    assert holm_levels({"a": 0.04, "b": 0.001, "c": 0.02}, 0.06) == pytest.approx(
        {"b": 0.02, "c": 0.03, "a": 0.06}
    )
    assert holm_levels({"a": 0.05, "b": 0.05}, 0.06) == pytest.approx({"a": 0.03, "b": 0.03})
    assert holm_levels({}, 0.06) == {}
