"""A run and the memory size that its function really has, on the embedded AWS."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambda_dyno.aws import accounts
from lambda_dyno.aws.target import of_account
from lambda_dyno.core.config import Env, Settings
from lambda_dyno.core.errors import StepError
from lambda_dyno.emulator import server
from lambda_dyno.run import memory
from lambda_dyno.run.run import Run
from lambda_dyno.run.steps import tune
from lambda_dyno.runs import result_store, run_folder
from lambda_dyno.runs.mode import RunMode
from lambda_dyno.terminal.progress import TerminalUi

if TYPE_CHECKING:
    from lambda_dyno.emulator.boto_session import LocalSession
    from tests.conftest import DeployFunction

pytestmark = pytest.mark.e2e

SOURCE = "def handler(event, context):\n    return {}\n"
MakeRun = Callable[[int], Run]


@pytest.fixture
def make_run(
    embedded_aws: server.LocalServer,
    aws_session: LocalSession,
    deploy_function: DeployFunction,
    tmp_path: Path,
) -> MakeRun:
    """A function that returns a run whose function has so many MB."""

    def make(memory_mb: int) -> Run:
        deploy_function(aws_session, "hello", SOURCE, MemorySize=memory_mb)
        account_id = aws_session.account_id
        account = accounts.embedded(embedded_aws.environment(account_id), account_id, "us-east-1")
        folder = run_folder.create(tmp_path, "local", "dyno", timedelta(hours=1))
        settings = Settings.model_validate({"tuning": {"power_values": [128, 512]}})
        env = Env("local", tmp_path / "envs" / "local", settings)
        result = result_store.begun(folder.read_lease(), git_sha="")
        run = Run(
            RunMode(tmp_path), tmp_path, env, folder, of_account(account), TerminalUi(), result
        )
        run.add(outputs={"function_arn": "hello", "memory_mb": memory_mb})
        return run

    return make


@pytest.mark.parametrize(("deployed", "sizes"), [(256, [128, 256, 512]), (512, [128, 512])])
def test_the_deployed_size_is_measured_too(
    make_run: MakeRun, deployed: int, sizes: list[int]
) -> None:
    """How much worse than the best it is cannot be told otherwise."""
    assert tune.tuning_settings(make_run(deployed)).power_values == sizes


def test_a_variable_memory_mb_that_is_something_else_is_found_out(make_run: MakeRun) -> None:
    """Else a load test would be told of a size that nothing has."""
    run = make_run(256)
    memory.require(run, 256)
    with pytest.raises(StepError, match=r"does not set .* memory size: with 1024 it has 256 MB"):
        memory.require(run, 1024)
