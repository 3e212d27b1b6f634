"""A run and the memory size that its function really has, on the embedded AWS."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_dyno.aws import accounts, function_sizes
from lambda_dyno.aws.target import of_account
from lambda_dyno.core.config import Env, Settings
from lambda_dyno.core.errors import StepError
from lambda_dyno.emulator import server
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.run import memory
from lambda_dyno.run.run import Run
from lambda_dyno.run.steps import tune
from lambda_dyno.runs import result_store, run_folder
from lambda_dyno.runs.mode import RunMode

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


class TestAnotherSizeForAWhile:
    """`function_sizes.deploy`, where Terraform has published version 1 of 128 MB."""

    @pytest.fixture
    def function(self, aws_session: LocalSession, deploy_function: DeployFunction) -> Any:
        deploy_function(aws_session, "hello", SOURCE, MemorySize=128)
        client = aws_session.client("lambda")
        client.publish_version(FunctionName="hello")
        client.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
        return client

    def sizes(self, client: Any) -> tuple[int, int]:
        """Return the function's own size, and that of its callers."""
        found = [
            client.get_function_configuration(FunctionName="hello", Qualifier=qualifier)
            for qualifier in ("$LATEST", "live")
        ]
        return found[0]["MemorySize"], found[1]["MemorySize"]

    def versions(self, client: Any) -> list[str]:
        pages = client.list_versions_by_function(FunctionName="hello")
        return [entry["Version"] for entry in pages["Versions"] if entry["Version"].isdigit()]

    def test_what_was_before_comes_back_and_nothing_else_is_left(self, function: Any) -> None:
        """Terraform's state agrees then: it knows the newest version and the alias."""
        for memory_mb in (512, 1024):
            assert function_sizes.deploy(function, "hello", "live", memory_mb)
            assert self.sizes(function) == (memory_mb, memory_mb)
            assert len(self.versions(function)) == 2
        assert function_sizes.deploy(function, "hello", "live", 128)
        assert self.sizes(function) == (128, 128)
        assert self.versions(function) == ["1"]
        assert function.get_alias(FunctionName="hello", Name="live")["FunctionVersion"] == "1"

    def test_it_goes_on_where_it_was_interrupted(self, function: Any) -> None:
        """A version may be there, and nobody's; the function has its size already."""
        function_sizes.deploy(function, "hello", "live", 512)
        function.update_alias(FunctionName="hello", Name="live", FunctionVersion="1")
        assert function_sizes.deploy(function, "hello", "live", 512)
        assert self.sizes(function) == (512, 512)
        assert function_sizes.deploy(function, "hello", "live", 128)
        assert self.versions(function) == ["1"]

    def test_an_alias_of_two_versions_is_left_alone(self, function: Any) -> None:
        """Somebody shifts his calls."""
        function.update_function_configuration(FunctionName="hello", MemorySize=256)
        function.publish_version(FunctionName="hello")
        weights = {"AdditionalVersionWeights": {"2": 0.1}}
        function.update_alias(FunctionName="hello", Name="live", RoutingConfig=weights)
        assert not function_sizes.deploy(function, "hello", "live", 512)
        assert self.sizes(function) == (256, 128)
        assert self.versions(function) == ["1", "2"]
