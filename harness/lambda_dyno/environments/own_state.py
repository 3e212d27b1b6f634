"""Which state in the bucket a run may give to Terraform: the one that it wrote itself.

Whoever may start a gate may write into the state bucket, and Terraform destroys what a state names
and a root does not. So a run remembers the digest of what it wrote last. A state that is another
one is looked into (`adopted_state`) before it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import botocore.exceptions

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.errors import StepError
from lambda_dyno.environments import adopted_state, leftovers
from lambda_dyno.environments.state_bucket import StateBucket
from lambda_dyno.runs.run_folder import Lease, RunFolder


@dataclass(frozen=True, slots=True)
class OwnState:
    """The state of one run; a state that is a file of the run's folder is its own, always.

    Attributes:
        folder: The run's folder.
        account: Where its environment is.
    """

    folder: RunFolder
    account: Account

    def is_own(self) -> bool:
        """Tell whether Terraform may be given what is in the bucket.

        That is what this run wrote last, or, since it may have been killed while it wrote, a state
        that names nothing but what is surely the run's.

        Raises:
            StepError: It is longer than any state of a run.
        """
        lease = self.folder.read_lease()
        bucket = StateBucket.of(self.account.session, lease)
        state = bucket.state(lease) if bucket else None
        if bucket is None or state is None or _sha256(state) == lease.state_sha256:
            return True
        return not self.taken(bucket, lease, state).foreign

    def require_own(self, step: str) -> None:
        """Refuse to apply over a state that somebody else has written.

        Raises:
            StepError: It is not the run's.
        """
        if self.is_own():
            return
        lease = self.folder.read_lease()
        where = StateBucket(self.account.session, lease.backend["bucket"]).address(lease)
        raise StepError(
            step,
            f"{where} is not as this run wrote it, and names what is not the run's",
            f"`make down RUN={lease.run_id}` removes what is surely the run's.",
        )

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        """Remember in the end which state Terraform wrote, whatever came of it."""
        try:
            yield
        finally:
            lease = self.folder.read_lease()
            # A digest that is not known is no failure: the state is looked into before its use.
            with contextlib.suppress(botocore.exceptions.ClientError, StepError):
                bucket = StateBucket.of(self.account.session, lease)
                state = bucket.state(lease) if bucket else None
                self.folder.update_lease(state_sha256=_sha256(state) if state else "")

    def taken(self, bucket: StateBucket, lease: Lease, state: bytes | None) -> adopted_state.Taken:
        """Return what of a state that was read from the bucket is surely the run's."""
        if state is None:
            return adopted_state.Taken(None, ())
        known = leftovers.ids(self.account.session, lease.name_prefix, lease.run_id)
        return adopted_state.take(state, bucket.address(lease), lease.name_prefix, known)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
