"""When traffic has changed."""

from __future__ import annotations

import pytest

from retune.traffic import compare


@pytest.mark.parametrize(
    ("now", "before", "changed"),
    [
        pytest.param(2000, 1000, True, id="twice"),
        pytest.param(1999, 1000, False, id="not quite"),
        pytest.param(1000, 2000, True, id="half"),
        pytest.param(1001, 2000, False, id="not quite half"),
        pytest.param(0, 5000, True, id="none any more"),
        pytest.param(5000, 0, True, id="none before"),
        pytest.param(900, 10, False, id="too little to tell"),
        pytest.param(5000, None, False, id="nothing known"),
        pytest.param(0, 0, False, id="none at all"),
    ],
)
def test_a_factor_up_or_down_is_a_change(now: float, before: float | None, changed: bool) -> None:
    """Where there is enough of it."""
    assert compare(now, before, factor=2, least_invocations=1000).changed is changed


def test_the_ratio_is_told() -> None:
    """None where there was nothing."""
    assert compare(3000, 1000, 2, 1).ratio == 3
    assert compare(3000, 0, 2, 1).ratio is None
