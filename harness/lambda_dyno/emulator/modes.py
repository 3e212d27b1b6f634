"""Which mode the meter is in while something works: one that nobody waits for is not felt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lambda_dyno.emulator import meter, server


@contextmanager
def reported(endpoint: str, homes: Iterable[Path]) -> Iterator[None]:
    """Let the embedded AWS at an endpoint answer without the waits that AWS would have.

    Who reads durations from REPORT lines needs no second of CPU at 128 MB to take 13 s of a
    laptop's time. An endpoint that no server of ours has stays as it is.

    Args:
        endpoint: Where the work is done; empty is AWS itself.
        homes: Folders of servers that may be the one.
    """
    home = _home_of(endpoint, homes)
    if home is None or meter.mode(home) == "reported":
        yield
        return
    meter.set_mode(home, "reported")
    try:
        yield
    finally:
        meter.set_mode(home, "felt")


def answers_of(
    endpoint: str, homes: Iterable[Path], function_name: str
) -> meter.AnswerCount | None:
    """Return a count of a function's answers from now on; None: no server of ours has it.

    Args:
        endpoint: Where the function is; empty is AWS itself.
        homes: Folders of servers that may be the one.
        function_name: The function.
    """
    home = _home_of(endpoint, homes)
    return None if home is None else meter.AnswerCount(home, function_name)


def _home_of(endpoint: str, homes: Iterable[Path]) -> Path | None:
    if not endpoint:
        return None
    for home in homes:
        running = server.status(home)
        if running is not None and running.endpoint == endpoint:
            return home
    return None
