"""Latency and errors when requests come whether or not the API keeps up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lambda_dyno.core.results import LoadResult
    from lambda_dyno.plugin.slo import Slo


@pytest.mark.gate
@pytest.mark.load(loop="open", arrivals_per_s=3.0)
def test_arrivals_that_do_not_wait(load_result: LoadResult, slo: Slo) -> None:
    """Thirty requests per second, each measured from when it was due, meet the same limits."""
    assert load_result.errors_by_kind.get("unserved", 0) == 0
    slo.check(load_result)
