"""Price and place of the deployed memory size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lambda_dyno.core.results import TuningResult
    from lambda_dyno.plugin.slo import Slo


@pytest.mark.gate
def test_the_deployed_size_is_priced_and_chosen_well(tuning_result: TuningResult, slo: Slo) -> None:
    """A million invocations cost no more than allowed, and no size is better by more than that."""
    slo.check(tuning_result)
