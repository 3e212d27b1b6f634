"""How long work is told while it goes on: from its events to a step's progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lambda_dyno.core.progress import Step
from lambda_dyno.load.samples import LoadProgress

if TYPE_CHECKING:
    from lambda_dyno.load.drivers.newman import NotReady


def load(step: Step, text: str) -> Callable[[LoadProgress], None]:
    """Return what shows how far a load test is."""

    def progressed(done: LoadProgress) -> None:
        step.update(
            f"{text}: {done.requests} requests, {done.errors} errors",
            done.elapsed_s,
            done.duration_s,
        )

    return progressed


def readiness(step: Step) -> Callable[[NotReady], None]:
    """Return what shows that an API is waited for, and what it answers."""

    def waiting(seen: NotReady) -> None:
        step.update(
            f"waiting until the API is ready; last answer: {seen.last}",
            seen.elapsed_s,
            seen.timeout_s,
        )

    return waiting
