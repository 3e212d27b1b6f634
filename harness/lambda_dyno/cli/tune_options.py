"""The options of `dyno tune`: those that name the function, and one for each key of the input."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from lambda_dyno.tuner_contract.keys import KEYS, Key

_FUNCTION = "Any function"

# The type of a key's flag by its kind; of all others it is text.
_TYPES: dict[str, type] = {
    "amount": float,
    "count": int,
    "error types": list[str],
    "flag": bool,
    "integer": int,
    "milliseconds": int,
    "share": float,
}


def _option(name: str, metavar: str | None, help_text: str, panel: str = _FUNCTION) -> Any:
    return typer.Option(name, help=help_text, metavar=metavar, rich_help_panel=panel)


Function = Annotated[
    str | None, _option("--function", "NAME", "Name or ARN of the function to tune.")
]
Deployed = Annotated[
    bool,
    _option(
        "--deployed",
        None,
        "The function that `dyno deploy` left in --env, with the power tuner beside it.",
    ),
]
Tuner = Annotated[
    str | None,
    _option(
        "--tuner",
        "ARN",
        "ARN of a power tuner's state machine that is there; nothing is deployed.",
    ),
]
InputFile = Annotated[
    str | None,
    _option(
        "--input",
        "FILE",
        "File with the state machine's whole input as JSON, such as aws-lambda-power-tuning "
        "takes; - reads standard input. lambdaARN in it names the function; flags override its "
        "keys.",
    ),
]
Env = Annotated[
    str | None,
    _option(
        "--env",
        "ENV",
        "Environment whose dyno.toml gives the settings; its account is not looked at.",
    ),
]
Region = Annotated[
    str | None,
    _option("--region", "REGION", "AWS region; else what the ARN or AWS_REGION names."),
]
PackageArm64 = Annotated[
    str | None,
    _option(
        "--package-arm64",
        "FILE",
        "With --architectures: the function's zip for arm64, where its own has machine code.",
    ),
]
PackageX86 = Annotated[
    str | None,
    _option("--package-x86-64", "FILE", "The same for x86_64."),
]
Keep = Annotated[
    bool,
    _option("--keep", None, "Leave the power tuner standing, and say how to use it again."),
]
TimeoutMinutes = Annotated[
    float | None,
    _option(
        "--timeout-minutes",
        "MIN",
        "Longest time to measure, 60 if not given; what is unfinished then is left out.",
    ),
]
OutputJson = Annotated[
    bool,
    _option(
        "--json",
        None,
        "Print the state machine's output as JSON on stdout, and nothing else there.",
        "Output",
    ),
]


def with_keys(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each key of the input that has a flag, before its last one.

    Args:
        command: Takes their values by the keys' fields in `**keys`; None: not given.
    """
    own = inspect.signature(command, eval_str=True).parameters.values()
    *first, last = [one for one in own if one.kind is not inspect.Parameter.VAR_KEYWORD]
    parameters = [*first, *(_parameter(key) for key in KEYS if key.flag), last]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def _parameter(key: Key) -> inspect.Parameter:
    option = _option(key.flag, key.metavar, key.help, key.panel)
    return inspect.Parameter(
        key.field,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[_TYPES.get(key.kind, str) | None, option],
    )
