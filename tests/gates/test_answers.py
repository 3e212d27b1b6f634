"""The API does what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lambda_dyno.core.results import SmokeResult
    from lambda_dyno.plugin.slo import Slo


@pytest.mark.gate
def test_every_operation_and_every_refusal(smoke_result: SmokeResult, slo: Slo) -> None:
    """Each is asked once, in both forms, and answered as documented."""
    slo.check(smoke_result)
