"""The flags of a load, which `dyno run` and `dyno load` share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

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


def load_overrides(
    virtual_users: int | None,
    duration_s: float | None,
    ramp_up_s: float | None,
    pacing_ms: int | None,
) -> dict[str, Any]:
    """Return the settings that the flags stand for, by "section.key"."""
    return {
        "load.virtual_users": virtual_users,
        "load.duration_s": duration_s,
        "load.ramp_up_s": ramp_up_s,
        "load.pacing_ms": pacing_ms,
    }
