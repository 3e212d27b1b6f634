"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.tuner_stack import TunerStack

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_dyno.emulator import server


@pytest.fixture(scope="session")
def tuner_stack(
    embedded_aws: server.LocalServer,
    new_aws_account: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TunerStack]:
    """A deployed tuner in an account of its own; taking it down leaves nothing of it.

    One per test process, since it takes Terraform ten seconds.
    """
    deployed = TunerStack.deploy(embedded_aws, new_aws_account(), tmp_path_factory.mktemp("tuner"))
    try:
        yield deployed
    finally:
        deployed.destroy()
        assert deployed.leftovers() == []
