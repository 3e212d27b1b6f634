"""What is left of a run's environment, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from lambda_dyno.core.results import RunResult


@dataclass(frozen=True, slots=True)
class Teardown:
    """What is left of the environment: a sentence, and what to do about it."""

    text: str
    clean: bool
    command: str = ""


def teardown(result: RunResult) -> Teardown:
    """Return whether the environment is gone, kept, or gone but for some resources."""
    if result.leftovers is None:
        if "up" not in result.timings and not result.outputs:
            return Teardown("Nothing was deployed.", clean=True)
        text = f"Kept: {result.name_prefix}. Take it down with:"
        return Teardown(text, clean=False, command=down_command(result))
    count = len(result.leftovers)
    if not count:
        return Teardown("Nothing left behind.", clean=True)
    things = "1 resource is" if count == 1 else f"{count} resources are"
    return Teardown(f"{things} left behind:", clean=False)


def down_command(result: RunResult) -> str:
    """Return the command that takes the run's environment down."""
    return f"make down RUN={result.run_id}"
