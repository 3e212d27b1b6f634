"""Where the environment of a run is: the one answer to "which AWS", and how that is kept and ended.

| target | who answers | its end |
|---|---|---|
| `Target` | what the credentials and AWS_ENDPOINT_URL name | outlives every run |
| `OwnEmulator` | an embedded AWS in the run's folder | ends with its run |
| `SharedEmulator` | an embedded AWS that other runs are in, too | ends with somebody else |

`of_settings` says where a new run will be, `of_lease` where one is. An embedded AWS of a run's own
can only be started when the run has a folder: until then it is a `NewEmulator`.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lambda_dyno.aws import accounts, shared_emulator
from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.config import Env, EnvironmentSettings
from lambda_dyno.core.errors import UserError
from lambda_dyno.emulator import installation, loopback, meter, modes, server
from lambda_dyno.runs.run_folder import Lease, RunFolder

Connect = Callable[[str], Account]  # from a region to its account


class Target:
    """An account of AWS, or of what AWS_ENDPOINT_URL names: it outlives every run.

    Args:
        find: Returns the account; asked once, and only when somebody wants to know.
    """

    is_embedded = False  # started for runs: nobody else is in there
    ends_with_its_run = False  # and with it all that the run made, taken down or not

    def __init__(self, find: Callable[[], Account]) -> None:
        self._find = find

    @cached_property
    def account(self) -> Account:
        """The account and its region; one that cannot be reached any more has no keys.

        Raises:
            UserError: There are no credentials, or they name another account than the lease.
        """
        return self._find()

    def lease_fields(self) -> dict[str, Any]:
        """Return the fields of a lease that say where it is."""
        return _fields_of(self.account)

    def start(self, _folder: RunFolder) -> Target:
        """Return where a new run's environment is made: this, which need not be started.

        Raises:
            UserError: It has ended.
        """
        return self

    def alive(self) -> bool:
        """Whether there is still somebody to ask; whether credentials are, a call will tell."""
        return True

    def keep(self) -> None:
        """Let it outlive this process."""

    def end(self) -> None:
        """End it, if it ends with its run."""

    def leave(self, _runs: Path) -> None:
        """Clear away what those who were in it have left in the folder of all runs."""

    def clear_if_abandoned(self) -> None:
        """End it if whoever should do that was killed, too."""

    def reported(self, project: Path) -> AbstractContextManager[None]:
        """Return a context in which its Lambda only reports durations, and nobody waits for them.

        The project's own server (`dyno local start`) may be behind AWS_ENDPOINT_URL.
        """
        return modes.reported(self.account.endpoint, (server.project_home(project),))

    def answers_of(self, function_name: str, project: Path) -> meter.AnswerCount | None:
        """Return a count of a function's answers from now on; None: nobody counts them."""
        homes = (server.project_home(project),)
        return modes.answers_of(self.account.endpoint, homes, function_name)


@dataclass(frozen=True)
class SharedEmulator(Target):
    """An embedded AWS that other runs are in, too.

    Attributes:
        home: Its folder.
        account_id: The account there; empty is the server's own.
        region: For an account that cannot be reached any more.
        endpoint: The same.
    """

    home: Path
    account_id: str = ""
    region: str = ""
    endpoint: str = ""
    is_embedded = True

    @cached_property
    def account(self) -> Account:
        """The account there."""
        local = server.status(self.home)
        if local is None:
            return Account(self.account_id, self.region, self.endpoint, {})
        chosen = self.account_id or local.account_id
        return accounts.embedded(local.environment(chosen), chosen, local.region)

    def lease_fields(self) -> dict[str, Any]:
        """Return the account, its region, its endpoint, and the folder of its server."""
        return {**_fields_of(self.account), "server_home": str(self.home.resolve())}

    def start(self, _folder: RunFolder) -> SharedEmulator:
        """Return itself.

        Raises:
            UserError: It does not run.
        """
        if not self.alive():
            raise UserError(f"the embedded AWS of {self.home} does not run")
        return self

    def alive(self) -> bool:
        """Whether its server runs."""
        return server.status(self.home) is not None

    def leave(self, runs: Path) -> None:
        """Clear away the folders of pytest's sessions that are over."""
        shared_emulator.clear_away(runs)

    def clear_if_abandoned(self) -> None:
        """End it if its supervisor was killed."""
        if server.is_abandoned(self.home):
            server.stop(self.home)

    def reported(self, _project: Path) -> AbstractContextManager[None]:
        """Return a context that changes nothing: others are measured there meanwhile."""
        return nullcontext()

    def answers_of(self, function_name: str, _project: Path) -> meter.AnswerCount | None:
        """Return a count of a function's answers from now on; none of others has its name."""
        return meter.AnswerCount(self.home, function_name)


@dataclass(frozen=True)
class OwnEmulator(SharedEmulator):
    """The embedded AWS of one run; it ends with this process unless it is kept."""

    ends_with_its_run = True

    def lease_fields(self) -> dict[str, Any]:
        """Return the account, its region, its endpoint, and that it is the run's own."""
        return {**_fields_of(self.account), "own_server": True}

    def keep(self) -> None:
        """Let it go on when this process is gone."""
        server.let_go(self.home)

    def end(self) -> None:
        """Stop it, with all that is in it."""
        server.stop(self.home)

    def leave(self, runs: Path) -> None:
        """Do nothing: it went with its run."""

    def reported(self, _project: Path) -> AbstractContextManager[None]:
        """Return a context in which its meter only reports durations."""
        return modes.reported(self.account.endpoint, (self.home,))


@dataclass(frozen=True)
class NewEmulator:
    """An embedded AWS that a run will start in its folder.

    Attributes:
        region: Region of callers who name no other; empty is us-east-1.
        port: On 127.0.0.1; None takes a free one.
        account_concurrency: Lambda invocations at once; None is the default.
    """

    region: str
    port: int | None = None
    account_concurrency: int | None = None

    def lease_fields(self) -> dict[str, Any]:
        """Return that it is the run's own: a start that is killed half-way is found by that."""
        return {"own_server": True}

    def start(self, folder: RunFolder) -> OwnEmulator:
        """Start it.

        Raises:
            UserError: Its port is in use.
            StepError: It did not come up.
        """
        home = _own_home(folder)
        local = server.start(
            home,
            port=self.port,
            region=self.region or "us-east-1",
            owner_pid=os.getpid(),
            account_concurrency=self.account_concurrency,
        )
        # runs/RUN_ID: what `dyno local calibrate` found holds for every server of the project
        meter.inherit_cpu_factors(home, server.project_home(folder.path.parents[1]))
        return OwnEmulator(home, local.account_id, local.region, local.endpoint)


def wants_embedded(settings: EnvironmentSettings) -> bool:
    """Whether an environment is to be in an embedded AWS that is started for it."""
    return settings.emulated and not os.environ.get("AWS_ENDPOINT_URL")


def of_settings(settings: EnvironmentSettings, port: int | None = None) -> Target | NewEmulator:
    """Return where the environment of a new run will be; nothing is started.

    Raises:
        UserError: There are no credentials that are good, or the embedded AWS is not installed
            and cannot be.
    """
    if wants_embedded(settings):
        installation.python()  # may be missing and not to be had: nothing is made then
        return NewEmulator(settings.region, port, settings.account_concurrency)
    return of_account(accounts.connect(settings.region))


def check_port(port: int) -> None:
    """Make sure that an embedded AWS could listen on a port.

    Raises:
        UserError: It is out of range, in use, or reserved for root.
    """
    loopback.check_port(port)


def signs_requests(account: Account) -> bool:
    """Whether only a signature tells an account's API from those of others at its endpoint."""
    return bool(account.endpoint) and account.account_id != server.DEFAULT_ACCOUNT


def start_shared(
    home: Path,
    settings: EnvironmentSettings,
    *,
    account_id: str,
    runs: int,
    owner_pid: int | None,
) -> SharedEmulator:
    """Start an embedded AWS that several runs are in, unless it runs, and return an account there.

    Args:
        home: Its folder.
        settings: Of the runs' environment.
        account_id: Of one of them: accounts do not see each other.
        runs: How many there are, each with the Lambda concurrency of the settings.
        owner_pid: Process that it ends with; None: with nobody.
    """
    server.start(
        home,
        region=settings.region or "us-east-1",
        owner_pid=owner_pid,
        account_concurrency=min(server.MOST_CONCURRENCY, settings.account_concurrency * runs),
    )
    return SharedEmulator(home, account_id)


def of_account(account: Account) -> Target:
    """Return the target that an account is."""
    return Target(lambda: account)


def of_project(env: Env, project: Path) -> Account:
    """Return the account of an environment that outlives its commands, as `dyno deploy` has it.

    Raises:
        UserError: There are no credentials, or no embedded AWS runs.
    """
    settings = env.settings.environment
    if not wants_embedded(settings):
        return accounts.connect(settings.region)
    running = server.status(server.project_home(project))
    if running is None:
        raise UserError(
            f"envs/{env.name} is deployed on the embedded AWS, and none is running: "
            "dyno local start"
        )
    return accounts.embedded(running.environment(), running.account_id, running.region)


def of_lease(lease: Lease, folder: RunFolder, connect: Connect = accounts.connect) -> Target:
    """Return where the environment of a run is.

    Args:
        lease: The run's.
        folder: The run's, which may hold its embedded AWS.
        connect: Finds the account of a run that is in no embedded AWS of a run's.
    """
    where = (lease.account_id, lease.region, lease.endpoint)
    if lease.own_server:
        return OwnEmulator(_own_home(folder), *where)
    if lease.server_home:
        return SharedEmulator(Path(lease.server_home), *where)
    return Target(lambda: _by_credentials(lease, connect))


def out_of_reach(lease: Lease) -> Target:
    """Return the target of a run whose environment nobody will ask anything."""
    return of_account(Account(lease.account_id, lease.region, lease.endpoint, {}))


def beside(target: Target) -> Target:
    """Return where a run is that is made beside another, and ends before it."""
    if not isinstance(target, SharedEmulator):
        return target
    account = target.account
    return SharedEmulator(target.home, account.account_id, account.region, account.endpoint)


def _by_credentials(lease: Lease, connect: Connect) -> Account:
    """Return the account of the credentials that are set, which must be the lease's.

    Raises:
        UserError: There are none, or they name another account.
    """
    account = connect(lease.region)
    if (account.account_id, account.endpoint) != (lease.account_id, lease.endpoint):
        raise UserError(
            f"run {lease.run_id} is in account {lease.account_id}"
            f"{f' at {lease.endpoint}' if lease.endpoint else ''}, and the credentials name "
            f"{account.account_id}{f' at {account.endpoint}' if account.endpoint else ''}."
        )
    return account


def endpoint_is_gone(endpoint: str) -> bool:
    """Whether an embedded AWS of this machine has ended, and all that was in it.

    It keeps everything in memory, and nobody listens at its port any more.
    """
    address = urlsplit(endpoint)
    try:
        if address.port is None or not ipaddress.ip_address(address.hostname or "").is_loopback:
            return False
        socket.create_connection((address.hostname, address.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    except (OSError, ValueError):
        return False
    return False


def _own_home(folder: RunFolder) -> Path:
    """Return the folder of a run's own embedded AWS."""
    return folder.path / "local"


def _fields_of(account: Account) -> dict[str, Any]:
    return {
        "account_id": account.account_id,
        "region": account.region,
        "endpoint": account.endpoint,
    }
