"""Taking down: what is tried again, what is not, and by which root. Terraform is a fake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.aws import accounts
from lambda_dyno.aws.target import of_account
from lambda_dyno.core.results import Leftover
from lambda_dyno.environments.environment import DESTROY_ATTEMPTS, Environment
from lambda_dyno.runs import run_folder
from lambda_dyno.terraform.command import TerraformError
from lambda_dyno.terraform.toolchain import Toolchain

LOG = Path("terraform-destroy.log")
STATE = (
    '{"version": 4, "resources": [{"mode": "managed", "type": "aws_iam_role", "instances": [{}]}]}'
)
ROOT_ERROR = "Unsupported argument: An argument named x is not expected here"
DENIED = "deleting Lambda Function: AccessDeniedException: not authorized to perform"
CONFLICT = "deleting IAM Role: DeleteConflict: must delete policies first"


class FakeTerraform:
    """Fails as often as it is told to."""

    def __init__(self, root: Path, errors: Iterator[str], calls: list[str]) -> None:
        self._root, self._errors, self._calls = root, errors, calls

    def init(self, backend: object) -> None:
        self._calls.append(f"init {self._root.name}")
        (self._root / ".terraform").mkdir(exist_ok=True)

    def is_valid(self) -> bool:
        self._calls.append(f"validate {self._root.name}")
        return ROOT_ERROR not in self._calls

    def destroy(self, on_change: object, *, refresh: bool) -> None:
        self._calls += [f"destroy {self._root.name}", f"refresh {refresh}"]
        error = next(self._errors, "")
        if error == ROOT_ERROR:
            self._calls.append(error)
        if error:
            raise TerraformError("destroy", error, LOG)


class FakeEnvironment(Environment):
    """An environment of nothing, whose Terraform is a fake."""

    def fail(self, *errors: str) -> FakeEnvironment:
        object.__setattr__(self, "calls", [])
        object.__setattr__(self, "errors", iter(errors))
        return self

    def _terraform(self, root: Path) -> Any:
        return FakeTerraform(root, self.errors, self.calls)  # type: ignore[attr-defined]

    def verify(self, **_: object) -> list[Leftover]:
        self.folder.update_lease(state="down")
        return []


@pytest.fixture
def environment(tmp_path: Path) -> FakeEnvironment:
    folder = run_folder.create(tmp_path, "local", "dyno", timedelta(hours=1))
    root = folder.terraform / "envs" / "local"
    root.mkdir(parents=True)
    (root / "main.tf").touch()
    (root / "terraform.tfstate").write_text(STATE)
    account = accounts.Account("000000000000", "us-east-1", "", {})
    tools = Toolchain(Path("terraform"), {}, (), (), tmp_path / "lock")
    return FakeEnvironment(folder, of_account(account), tools).fail()


def destroy(
    environment: FakeEnvironment, *errors: str, sleep: Callable[[float], None] = lambda _: None
) -> list[str]:
    """Take it down and return what Terraform was asked."""
    environment.fail(*errors).destroy(sleep=sleep)
    calls: list[str] = environment.calls  # type: ignore[attr-defined]
    return [call for call in calls if call.startswith(("init", "destroy"))]


def test_what_passes_is_tried_again_a_little_later(environment: FakeEnvironment) -> None:
    """Each time with more patience."""
    waits: list[float] = []
    calls = destroy(environment, CONFLICT, "ThrottlingException: Rate exceeded", sleep=waits.append)
    assert calls == ["init local", "destroy local", "destroy local", "destroy local"]
    assert waits == sorted(waits)
    assert len(waits) == 2
    assert environment.folder.read_lease().state == "down"


def test_on_an_embedded_aws_of_its_own_the_state_is_believed_first(
    environment: FakeEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else is there; if that does not do, the next try looks. Elsewhere each one does."""

    def looks() -> list[str]:
        destroy(environment, CONFLICT)
        calls: list[str] = environment.calls  # type: ignore[attr-defined]
        return [call for call in calls if call.startswith("refresh")]

    assert looks() == ["refresh True", "refresh True"]
    monkeypatch.setattr(type(environment.target), "is_embedded", True)
    assert looks() == ["refresh False", "refresh True"]


def test_what_goes_on_failing_is_given_up_and_kept(environment: FakeEnvironment) -> None:
    """The lease says that something is left."""
    with pytest.raises(TerraformError, match="DeleteConflict"):
        destroy(environment, *[CONFLICT] * 9)
    assert environment.calls.count("destroy local") == DESTROY_ATTEMPTS  # type: ignore[attr-defined]
    assert environment.folder.read_lease().state == "left"


@pytest.mark.parametrize(
    "error",
    [
        DENIED,
        "ExpiredToken: The security token included in the request is expired",
        "No valid credential sources found",
        "error: NoSuchBucket: The specified bucket does not exist",
        "Instance cannot be destroyed",
    ],
)
def test_what_does_not_pass_is_not_tried_again(environment: FakeEnvironment, error: str) -> None:
    """Waiting for it would only be waiting."""
    with pytest.raises(TerraformError):
        destroy(environment, error, sleep=lambda _: pytest.fail("waited"))
    assert environment.folder.read_lease().state == "left"


def test_a_root_that_is_no_good_any_more_is_done_without(environment: FakeEnvironment) -> None:
    """The state alone says what is to go."""
    calls = destroy(environment, ROOT_ERROR)
    assert calls == ["init local", "destroy local", "init bare", "destroy bare"]


def test_a_mistake_in_the_root_is_not_waited_for(environment: FakeEnvironment) -> None:
    """By Terraform's judgement of the root, not by what the mistake is called."""
    destroy(environment, ROOT_ERROR, sleep=lambda _: pytest.fail("waited"))
    assert environment.folder.read_lease().state == "down"


@pytest.mark.parametrize(
    "state",
    [
        None,
        '{"version": 4, "resources": []}',
        '{"version": 4, "resources": [{"mode": "data", "instances": [{}]}]}',
        '{"version": 4, "resources": [{"mode": "managed", "instances": []}]}',
    ],
)
def test_where_nothing_was_made_terraform_is_not_asked(
    environment: FakeEnvironment, state: str | None
) -> None:
    """Whatever is wrong with the root; what no state knows of is looked for all the same."""
    (environment.root / "terraform.tfstate").unlink()
    if state is not None:
        (environment.root / "terraform.tfstate").write_text(state)
    assert destroy(environment, *[CONFLICT] * 9, sleep=lambda _: pytest.fail("waited")) == []
    assert environment.folder.read_lease().state == "down"


@pytest.mark.parametrize("state", ["", "{", "[]", '{"version": 4}', STATE])
def test_a_state_that_proves_nothing_is_destroyed(environment: FakeEnvironment, state: str) -> None:
    """So that nothing is forgotten."""
    (environment.root / "terraform.tfstate").write_text(state)
    (environment.root / "terraform.tfstate.backup").write_text(STATE)
    assert destroy(environment) == ["init local", "destroy local"]


def test_a_state_that_could_not_be_saved_is_destroyed(environment: FakeEnvironment) -> None:
    """Terraform put it beside the one that says nothing."""
    (environment.root / "terraform.tfstate").unlink()
    (environment.root / "errored.tfstate").write_text(STATE)
    environment.fail()
    with pytest.raises(AttributeError, match="push_state"):  # of the fake
        environment.destroy()


def test_a_root_that_is_not_there_any_more_is_done_without(environment: FakeEnvironment) -> None:
    """As when the run's folder is on another machine."""
    (environment.root / "main.tf").unlink()
    assert destroy(environment) == ["init bare", "destroy bare"]


def test_an_init_that_was_killed_is_done_again(environment: FakeEnvironment) -> None:
    """A folder .terraform alone says nothing."""
    (environment.root / ".terraform").mkdir()
    assert destroy(environment) == ["init local", "destroy local"]
    assert destroy(environment) == ["destroy local"]


def test_teardown_ends_a_lease_that_was_kept(environment: FakeEnvironment) -> None:
    """Should it be killed half-way, the sweeper may go on with it."""
    environment.folder.update_lease(state="up", kept=True)
    with pytest.raises(TerraformError):
        destroy(environment, DENIED)
    assert not environment.folder.read_lease().kept
    assert not (environment.folder.path / "reserve").exists()
    assert (environment.folder.path / "reserve-last").exists()
