"""The table of a tuning's input, made of the rows of `tuner_contract.keys`."""

from __future__ import annotations

from dataclasses import MISSING

from lambda_dyno.tuner_contract.keys import KEYS, Key
from lambda_dyno.tuner_contract.readers import Kind

# How the values of a kind are shown; {} is the key's default.
_VALUES: dict[Kind, str] = {
    "alias": "name",
    "error types": "list of error types",
    "flag": "bool; {}",
    "json": "any JSON",
    "milliseconds": "ms; {}",
    "power values": 'list of MB, or `"ALL"`',
    "processor": "ARN",
    "s3": "`s3://bucket/key`",
    "workload": '`{{"requests": [...]}}`, see docs/workload.md',
}


def table() -> str:
    """Return the Markdown table of the input's keys."""
    rows = [f"| `{key.name}` | {_values(key)} | {key.about or _clause(key.help)} |" for key in KEYS]
    return "\n".join(("| key | value, default | meaning |", "|---|---|---|", *rows))


def _values(key: Key) -> str:
    if key.values:
        return key.values
    default = str(key.default).lower() if isinstance(key.default, bool) else key.default
    if key.kind == "choice":
        return f"{', '.join(f'`{word}`' for word in key.allowed)}; `{default}`"
    if key.default is MISSING:
        return f"at least {key.allowed[0]}, required"
    if key.kind in ("amount", "integer", "share"):
        return f"{key.allowed[0]} to {key.allowed[1]}; {default}"
    return _VALUES[key.kind].format(default)


def _clause(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:].removesuffix(".")
