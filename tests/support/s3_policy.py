"""A bucket policy and a role's policy, judged as AWS documents it, for one request to S3.

The embedded AWS does not know all keys of S3 that a policy may ask for. This judges the document
itself: what it has an operator or an element for that is not here is an error, not a "no".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Decision = Literal["allow", "deny", "implicit deny"]
ELEMENTS = {"Sid", "Effect", "Action", "Resource", "Principal", "Condition"}


@dataclass(frozen=True)
class Request:
    """What is asked for; `keys` are condition keys beside the principal's and TLS."""

    principal: str  # a role's ARN, as aws:PrincipalArn has it for a session of the role
    action: str
    resource: str
    keys: Mapping[str, str] = field(default_factory=dict)

    def key(self, name: str) -> str | None:
        """Return a condition key's value; None: the request has no such key."""
        own = {"aws:principalarn": self.principal, "aws:securetransport": "true"}
        given = {key.lower(): value for key, value in self.keys.items()}
        return {**own, **given}.get(name.lower())


def judge(request: Request, *policies: Mapping[str, Any]) -> Decision:
    """Return what policies of one account come to: a refusal in any of them goes before all."""
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in _list(policy["Statement"])
        if _applies(statement, request)
    }
    if "Deny" in effects:
        return "deny"
    return "allow" if "Allow" in effects else "implicit deny"


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    assert statement.keys() <= ELEMENTS, statement.keys() - ELEMENTS
    # of a role's own policy there is none
    assert statement.get("Principal", "*") in ("*", {"AWS": "*"}), statement["Principal"]
    return (
        any(_like(request.action, pattern, fold=True) for pattern in _list(statement["Action"]))
        and any(_like(request.resource, pattern) for pattern in _list(statement["Resource"]))
        and all(
            _holds(operator, request.key(name), [str(value) for value in _list(values)])
            for operator, by_key in statement.get("Condition", {}).items()
            for name, values in by_key.items()
        )
    )


def _holds(operator: str, actual: str | None, wanted: Sequence[str]) -> bool:
    """Whether a condition holds; a key that is not there fails all but `Null` and negations."""
    match operator:
        case "Null":
            return (actual is None) == (wanted == ["true"])
        case "Bool":
            return actual is not None and actual.lower() in wanted
        case "StringEquals":
            return actual in wanted
        case "StringLike" | "ArnEquals" | "ArnLike":
            return actual is not None and any(_like(actual, pattern) for pattern in wanted)
        case "ArnNotEquals" | "ArnNotLike":
            return actual is None or not any(_like(actual, pattern) for pattern in wanted)
    raise AssertionError(f"no {operator} here")


def _like(text: str, pattern: str, *, fold: bool = False) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, re.IGNORECASE if fold else 0) is not None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
