"""Fixtures that all tests share, first of all an embedded AWS of one's own.

- `embedded_aws`: the server; one per test process, so parallel tests never share one;
- `aws_account`: an account id that only this test module uses;
- `aws_session`: a boto3 session for that account;
- `new_aws_account`: a function that gives yet another account, for tests that need their own;
- `deploy_function`: a function that makes a Lambda function from source text;
- `alone_with_orphans`: keeps tests that make orphans and tests that end them apart.

A server that no test asks for is never started.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import gc
import itertools
import json
import os
import re
import signal
from typing import TYPE_CHECKING, Any, Protocol

import botocore.session
import pytest

from lambda_dyno.emulator import meter, server
from tests.support import functions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lambda_dyno.emulator.boto_session import LocalSession


class DeployFunction(Protocol):
    """How `deploy_function` is called; returns the function's name."""

    def __call__(
        self,
        session: LocalSession,
        name: str,
        source: str | bytes,
        *,
        region: str | None = None,
        **config: Any,
    ) -> str:
        """Make or replace a function; `config` as boto3's create_function takes it."""


# Sessions of this process share what they read of the services: that is most of making a client.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)


def pytest_configure() -> None:
    """Let what the tests start hear Ctrl-C: a shell's `&` has it ignored, and that is inherited."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection() -> None:
    """Look for no garbage while modules and tests are made: there is next to none."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Nor, from now on, among the ten thousand tests that were made: they stay to the end."""
    gc.freeze()
    gc.enable()


# Files whose tests share what takes Terraform long, once in each process.
_SHARING = re.compile(r"(tests/plan/)|(tests/e2e/test_tuner)(?:_contract|_faults)?\.py")

# Files whose tests share nothing and take long: whoever has time takes the next test.
_APART = re.compile(r"tests/e2e/test_(?:baseline_run|foreign_roots|run|terminal_run)\.py")


@pytest.hookimpl(optionalhook=True)  # without xdist in tests/emulator, where they are run
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give the former to one worker, as the tests of one file are, and the latter to any."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if shared := _SHARING.match(nodeid):
                return shared[1] or shared[2]
            return nodeid if _APART.match(nodeid) else super()._split_scope(nodeid)

    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture
def alone_with_orphans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No other test that uses this makes an orphan, or ends any, at the same time.

    Programs without an owner are looked for on the whole machine, pytest-xdist's other workers
    included.
    """
    with (tmp_path_factory.getbasetemp().parent / "orphans.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.LocalServer]:
    """An embedded AWS with IAM enforced, stopped at the end of the session.

    `embedded_aws.endpoint` is its address and `embedded_aws.environment(account)` the variables
    that point Terraform, the AWS CLI or a child process at it. It ends with this process even
    if that one is killed.
    """
    home = tmp_path_factory.mktemp("embedded-aws")
    running = server.start(home, owner_pid=os.getpid())
    # the tests' handlers work until their CPU clock says so, however fast the core is
    meter.set_steady(home, steady=False)
    try:
        yield running
    finally:
        server.stop(home)


@pytest.fixture(scope="session")
def new_aws_account() -> Callable[[], str]:
    """A function that returns a 12-digit account id nobody has used on this server."""
    numbers = itertools.count(1)
    return lambda: f"{next(numbers):012d}"


@pytest.fixture(scope="module")
def aws_account(new_aws_account: Callable[[], str]) -> str:
    """This module's own account: its resources are invisible to all other tests."""
    return new_aws_account()


@pytest.fixture(scope="module")
def aws_session(embedded_aws: server.LocalServer, aws_account: str) -> LocalSession:
    """A boto3 session for this module's account.

    `aws_session.client("lambda")` and `aws_session.resource("dynamodb")` talk to the embedded
    AWS; `aws_session.account_id` and `aws_session.endpoint` tell which.
    """
    from lambda_dyno.emulator.boto_session import LocalSession

    return LocalSession(embedded_aws, aws_account)


@pytest.fixture(scope="session")
def deploy_function() -> DeployFunction:
    """A function that makes or replaces a Lambda function of one file, `app.py` or `app.js`.

    Or of an archive, given as bytes.

    The role may do everything. Python 3.13, 128 MB and 30 s unless `config` says otherwise.
    """

    def deploy(
        session: LocalSession,
        name: str,
        source: str | bytes,
        *,
        region: str | None = None,
        **config: Any,
    ) -> str:
        runtime = config.setdefault("Runtime", "python3.13")
        if isinstance(source, str):
            file = "app.js" if runtime.startswith("nodejs") else "app.py"
            source = functions.archive({file: source})
        lambdas = session.client("lambda", region_name=region)
        options = {"MemorySize": 128, "Timeout": 30, "Handler": "app.handler"} | config
        # xdist may come back to a module on the same server, whose fixtures then run again
        with contextlib.suppress(lambdas.exceptions.ResourceNotFoundException):
            lambdas.delete_function(FunctionName=name)
        lambdas.create_function(
            FunctionName=name,
            Role=_role_that_may_all(session),
            Code={"ZipFile": source},
            **options,
        )
        return name

    return deploy


def _role_that_may_all(session: LocalSession) -> str:
    iam = session.client("iam")
    name = "test-may-all"
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    allow = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    try:
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    except iam.exceptions.EntityAlreadyExistsException:
        role = iam.get_role(RoleName=name)
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(allow))
    return str(role["Role"]["Arn"])
