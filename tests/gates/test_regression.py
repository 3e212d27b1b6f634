"""No worse than the baseline that --baseline names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lambda_dyno.core.results import RegressionResult
    from lambda_dyno.plugin.slo import Slo


@pytest.mark.gate
def test_no_worse_than_the_baseline(regression_result: RegressionResult, slo: Slo) -> None:
    """p50, p95 and cost, measured in turns with the baseline's, are within the margin."""
    slo.check(regression_result)
