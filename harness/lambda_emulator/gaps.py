"""What the guard cannot close from outside of MiniStack; tests/emulator/test_guard_seams.py."""

from __future__ import annotations

import contextvars
from dataclasses import replace
from typing import Any

from ministack.core import iam_evaluator, lambda_runtime

from lambda_emulator.tokens import token

UNSIGNED = "The request is not signed. `dyno local env` tells the keys."

# Whether this request names something else than a signature as its authorization.
other_authorization: contextvars.ContextVar[bool] = contextvars.ContextVar("other", default=False)


def close(secret: str) -> None:
    """Replace four functions of MiniStack; call it before `ministack.app`.

    - Presigned addresses of root are checked by S3 itself, with the word "test".
    - A function's session has keys that follow from the names of function and role alone.
    - Whoever has no key is root: behind an authorization that is no signature, and where a request
      is for no action that MiniStack knows.
    """
    resolve = iam_evaluator.resolve_credential
    credentials = lambda_runtime.execution_credentials
    enforce = iam_evaluator.enforce
    check = iam_evaluator.check_credentials

    def unsigned() -> iam_evaluator.AuthError:
        return iam_evaluator.AuthError("MissingAuthenticationToken", UNSIGNED)

    def resolved(*arguments: Any, **named: Any) -> Any:
        found = resolve(*arguments, **named)
        if getattr(found, "principal_type", "") == "Root":
            return replace(found, secret_access_key=secret)
        return found

    def unguessable(config: dict[str, Any]) -> dict[str, str]:
        role = str(config.get("Role", ""))
        # of the role only its name, the last part, is looked at; the keys are made of all of it
        secret_role = f"{token(secret, role)}/{role.rpartition('/')[2]}"
        return dict(credentials({**config, "Role": secret_role}))

    def enforced(access_key_id: str, iam_action: str, *others: Any, **named: Any) -> Any:
        context = named.get("service_context") or {}
        open_to_all = context.get("lambda:FunctionUrlAuthType") == "NONE"
        if not access_key_id and other_authorization.get() and not open_to_all:
            return unsigned()
        return enforce(access_key_id, iam_action, *others, **named)

    def checked(access_key_id: str, *others: Any, **named: Any) -> Any:
        return check(access_key_id, *others, **named) if access_key_id else unsigned()

    iam_evaluator.resolve_credential = resolved
    lambda_runtime.execution_credentials = unguessable
    iam_evaluator.enforce = enforced
    iam_evaluator.check_credentials = checked
