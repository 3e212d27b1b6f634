"""Latency and errors under the load of dyno.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.pytest_gates.slo import Slo
    from harness.results import LoadResult


@pytest.mark.gate
def test_users_that_wait_for_their_answers(load_result: LoadResult, slo: Slo) -> None:
    """p95, p99 and the share of errors are within their limits at the deployed memory size."""
    slo.check(load_result)
