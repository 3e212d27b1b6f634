"""Where the environment of a run is."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from lambda_dyno.aws import accounts
from lambda_dyno.core.errors import UserError
from lambda_dyno.emulator import meter, server
from lambda_dyno.runs.run_folder import Lease, RunFolder


def require_same(lease: Lease, account: accounts.Account) -> None:
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


def of_run(lease: Lease, folder: RunFolder) -> accounts.Account:
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
    lease: Lease, connect: Callable[[str], accounts.Account] = accounts.connect
) -> accounts.Account:
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


def in_embedded(home: Path, account_id: str) -> accounts.Account:
    """Return an account of an embedded AWS that was started for runs.

    Raises:
        UserError: It does not run.
    """
    local = server.status(home)
    if local is None:
        raise UserError(f"the embedded AWS of {home} does not run")
    chosen = account_id or local.account_id
    return accounts.embedded(local.environment(chosen), chosen, local.region)


def out_of_reach(lease: Lease) -> accounts.Account:
    """Return the account of a run whose environment is not to be reached any more."""
    return accounts.Account(lease.account_id, lease.region, lease.endpoint, {})


def start_embedded(
    folder: RunFolder,
    region: str,
    port: int | None = None,
    *,
    account_concurrency: int | None = None,
) -> accounts.Account:
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
    return accounts.embedded(local.environment(), local.account_id, local.region)
