"""The flags of a load, which `dyno run` and `dyno load` share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lambda_dyno.cli.support import memory_sizes

UsersOption = Annotated[int | None, typer.Option("--virtual-users", help="Users at once.")]
DurationOption = Annotated[
    float | None, typer.Option("--duration-s", help="Seconds of load, ramp-up included.")
]
RampOption = Annotated[
    float | None, typer.Option("--ramp-up-s", help="Seconds until all users are there.")
]
PacingOption = Annotated[
    int | None, typer.Option("--pacing-ms", help="Least time of one user's iteration.")
]


AtOption = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="MB",
        help="Memory sizes to load the API at, such as 128,1024; else the deployed and the "
        "recommended one.",
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="A load by name: forerunners is 10 users for 2 minutes who list the whole table, at "
        "128 and at 1024 MB.",
    ),
]


def load_overrides(
    virtual_users: int | None,
    duration_s: float | None,
    ramp_up_s: float | None,
    pacing_ms: int | None,
    at: str | None = None,
    preset: str | None = None,
) -> dict[str, Any]:
    """Return the settings that the flags stand for, by "section.key"."""
    return {
        "load.virtual_users": virtual_users,
        "load.duration_s": duration_s,
        "load.ramp_up_s": ramp_up_s,
        "load.pacing_ms": pacing_ms,
        "load.at": None if at is None else memory_sizes(at, "--at"),
        "load.preset": preset,
    }
