"""The bucket of an environment's evidence store, as `dyno bootstrap --evidence` makes it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.config import Env
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.deploy.bucket_owner import bucket_owner
from lambda_dyno.environments import account_bucket
from lambda_dyno.evidence.location import Place, Store

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role(?:/[A-Za-z0-9_.@=,+-]+)+")
_CURE = "name another one: store under [evidence] in dyno.toml"


@dataclass(frozen=True, slots=True)
class EvidenceBucket:
    """Where a store is.

    Attributes:
        store: The store.
        is_there: Whether this environment's bootstrap has made its bucket already.
        end_days: Days after which evidence ends, by its class, over the module's.
        retune_role_arns: Roles that add to main's retunings; None: as said before, or none.
    """

    store: Store
    is_there: bool
    end_days: Mapping[str, int]
    retune_role_arns: Sequence[str] | None = None

    def variable(self, env: Env) -> dict[str, Any]:
        """Return the variable of the bootstrap's root."""
        return {
            "adopt": self.is_there,
            "bucket": self.store.bucket,
            "end_days": dict(self.end_days),
            "environment": env.name,
            "prefix": self.store.prefix,
            "retune_role_arns": sorted(set(self.retune_role_arns or ())),
        }


def find(account: Account, env: Env, end_days: Mapping[str, int]) -> EvidenceBucket:
    """Return where an environment's store is, or will be.

    Args:
        account: The account that is bootstrapped.
        env: The environment, whose dyno.toml may name a store.
        end_days: Over the module's.

    Raises:
        UserError: The bucket is somebody else's, or the environment has no name for keys.
    """
    Place.parse(f"{env.name}/main")
    uri = env.settings.evidence.store
    store = (
        Store.parse(uri)
        if uri
        else Store(f"dyno-evidence-{account.account_id}-{account.region}", "")
    )
    status = account_bucket.look(account, store.bucket, must_be_own=True)
    if status == 404:
        return EvidenceBucket(store, is_there=False, end_days=end_days)
    if status != 200:
        reason = {301: "is in another region", 403: "belongs to another account (403)"}
        why = reason.get(status, f"cannot be looked at ({status})")
        raise UserError(f"the evidence bucket {store.bucket} {why}: {_CURE}")
    owner = bucket_owner(account.session.client("s3"), store.bucket)
    if owner != env.name:
        whose = f"the bootstrap of {owner} made it" if owner else "no bootstrap has made it"
        raise UserError(f"the evidence bucket {store.bucket} is there, and {whose}: {_CURE}")
    return EvidenceBucket(store, is_there=True, end_days=end_days)


def remembered(output: Any) -> EvidenceBucket | None:
    """Return the store that an earlier bootstrap has made; None: it made none."""
    if not isinstance(output, dict):
        return None
    return EvidenceBucket(
        Store(str(output["bucket"]), str(output["prefix"])),
        is_there=True,
        end_days=dict(output.get("end_days") or {}),
        retune_role_arns=list(output.get("retune_role_arns") or ()),
    )


def check_roles(arns: Sequence[str]) -> None:
    """Make sure that each is the ARN of a role.

    Raises:
        UserError: One is not.
    """
    for arn in arns:
        if not _ROLE_ARN.fullmatch(arn):
            raise UserError(
                f"--retune-role {brief(arn)}: not the ARN of a role, such as "
                "arn:aws:iam::123456789012:role/shop-retune"
            )
