"""Price and place of the deployed memory size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.pytest_gates.slo import Slo
    from harness.results import TuningResult


@pytest.mark.gate
def test_the_deployed_size_is_priced_and_chosen_well(tuning_result: TuningResult, slo: Slo) -> None:
    """A million invocations cost no more than allowed, and no size is better by more than that."""
    slo.check(tuning_result)
