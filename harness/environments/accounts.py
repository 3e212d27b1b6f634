"""The accounts that environments are in: of a lease, and of the credentials that are set."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from harness import aws
from harness.config import EnvironmentSettings, known_envs, load_env
from harness.environments import environment
from harness.environments.state_bucket import StateBucket
from harness.errors import UserError
from harness.local import meter, server
from harness.progress import Ui
from harness.runs import Lease, RunFolder


class Accounts:
    """The accounts that this process can reach; each is asked for once.

    Args:
        project: Folder that holds `envs/`.
        ui: Where warnings go.
        quiet: Whether to say nothing when there are no credentials.
    """

    def __init__(self, project: Path, ui: Ui, *, quiet: bool = False) -> None:
        self._project = project
        self._ui = ui
        self._quiet = quiet
        self._connected: dict[str, aws.Account | UserError] = {}

    def of(self, lease: Lease, folder: RunFolder) -> aws.Account:
        """Return the account that a run's environment is in.

        Raises:
            UserError: It is another one than the credentials name now, or it is gone.
        """
        home = folder.embedded_home
        if home is not None:
            return in_embedded(home, lease.account_id)
        return by_credentials(lease, self._connect)

    def with_buckets(self) -> Iterator[tuple[aws.Account, list[StateBucket]]]:
        """Yield the accounts of the credentials, with their state buckets.

        One per region that an environment names; none without credentials.
        """
        seen: set[tuple[str, str, str]] = set()
        regions: dict[str, list[EnvironmentSettings]] = {}
        for settings in self._environments():
            regions.setdefault(settings.region, []).append(settings)
        for region, those in (regions or {"": []}).items():
            try:
                account = self._connect(region)
            except UserError as error:
                if not self._quiet:
                    self._ui.note(f"no account is looked at: {str(error).partition('. ')[0]}")
                continue
            place = (account.account_id, account.region, account.endpoint)
            if place in seen:
                continue
            seen.add(place)
            names = {environment.state_bucket(account, settings.state_bucket) for settings in those}
            names.add(environment.state_bucket(account, ""))
            yield (
                account,
                [
                    StateBucket(account.session, name, account.endpoint)
                    for name in sorted(names)
                    if environment.has_bucket(account, name)
                ],
            )

    def state_buckets(self) -> Iterator[StateBucket]:
        """Yield the state buckets of the accounts of the credentials."""
        for _, buckets in self.with_buckets():
            yield from buckets

    def _environments(self) -> Iterator[EnvironmentSettings]:
        """Yield the settings of the environments that are in an account."""
        for name in known_envs(self._project):
            try:
                settings = load_env(self._project, name).settings.environment
            except UserError as error:
                self._ui.warn(str(error))
                continue
            if not settings.emulated:
                yield settings

    def _connect(self, region: str) -> aws.Account:
        if region not in self._connected:
            try:
                self._connected[region] = aws.connect(region)
            except UserError as error:
                self._connected[region] = error
        found = self._connected[region]
        if isinstance(found, UserError):
            raise found
        return found


def require_same(lease: Lease, account: aws.Account) -> None:
    """Make sure that an account is the one that a lease's environment is in.

    Raises:
        UserError: It is another one.
    """
    if (account.account_id, account.endpoint) != (lease.account_id, lease.endpoint):
        raise UserError(
            f"run {lease.run_id} is in account {lease.account_id}"
            f"{f' at {lease.endpoint}' if lease.endpoint else ''}, and the credentials name "
            f"{account.account_id}{f' at {account.endpoint}' if account.endpoint else ''}."
        )


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


def of_run(lease: Lease, folder: RunFolder) -> aws.Account:
    """Return the account that a standing environment is in.

    Raises:
        UserError: It is another one than the credentials name now.
    """
    home = folder.embedded_home
    if home is None:
        return by_credentials(lease)
    try:
        return in_embedded(home, lease.account_id)
    except UserError:
        return out_of_reach(lease)


def by_credentials(
    lease: Lease, connect: Callable[[str], aws.Account] = aws.connect
) -> aws.Account:
    """Return the account of the credentials that are set, which must be the lease's.

    Args:
        lease: Of a run that is in no embedded AWS of a run's.
        connect: From a region to its account.

    Raises:
        UserError: There are none, or they name another account.
    """
    account = connect(lease.region)
    require_same(lease, account)
    return account


def in_embedded(home: Path, account_id: str) -> aws.Account:
    """Return an account of an embedded AWS that was started for runs.

    Raises:
        UserError: It does not run.
    """
    local = server.status(home)
    if local is None:
        raise UserError(f"the embedded AWS of {home} does not run")
    chosen = account_id or local.account_id
    return aws.embedded(local.environment(chosen), chosen, local.region)


def out_of_reach(lease: Lease) -> aws.Account:
    """Return the account of a run whose environment is not to be reached any more."""
    return aws.Account(lease.account_id, lease.region, lease.endpoint, {})


def start_embedded(
    folder: RunFolder,
    region: str,
    port: int | None = None,
    *,
    account_concurrency: int | None = None,
) -> aws.Account:
    """Start the embedded AWS of a run; it ends with this process unless it is let go."""
    local = server.start(
        folder.server_home,
        port=port,
        region=region or "us-east-1",
        owner_pid=os.getpid(),
        account_concurrency=account_concurrency,
    )
    # runs/RUN_ID: what `dyno local calibrate` found holds for every server of the project
    meter.inherit_cpu_factors(folder.server_home, server.project_home(folder.path.parents[1]))
    return aws.embedded(local.environment(), local.account_id, local.region)
