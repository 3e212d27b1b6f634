"""The accounts that this process can reach, and their state buckets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lambda_dyno.aws import accounts, target
from lambda_dyno.aws.target import Target
from lambda_dyno.core.config import EnvironmentSettings, known_envs, load_env
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.progress import Ui
from lambda_dyno.environments import account_bucket
from lambda_dyno.environments.state_bucket import StateBucket
from lambda_dyno.runs.run_folder import Lease, RunFolder


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
        self._connected: dict[str, accounts.Account | UserError] = {}

    def target_of(self, lease: Lease, folder: RunFolder) -> Target:
        """Return where a run's environment is."""
        return target.of_lease(lease, folder, self._connect)

    def with_buckets(self) -> Iterator[tuple[accounts.Account, list[StateBucket]]]:
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
            names = {account_bucket.name_of(account, settings.state_bucket) for settings in those}
            names.add(account_bucket.name_of(account, ""))
            yield (
                account,
                [
                    StateBucket(account.session, name, account.endpoint)
                    for name in sorted(names)
                    if account_bucket.exists(account, name)
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

    def _connect(self, region: str) -> accounts.Account:
        if region not in self._connected:
            try:
                self._connected[region] = accounts.connect(region)
            except UserError as error:
                self._connected[region] = error
        found = self._connected[region]
        if isinstance(found, UserError):
            raise found
        return found
