"""Latency and errors under the load of dyno.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lambda_dyno.core.results import LoadResult
    from lambda_dyno.plugin.slo import Slo


@pytest.mark.gate
def test_users_that_wait_for_their_answers(load_result: LoadResult, slo: Slo) -> None:
    """p95, p99 and the share of errors are within their limits at the deployed memory size."""
    slo.check(load_result)
