"""How far a load test is, told in a step while it works."""

from __future__ import annotations

from lambda_dyno.core.progress import Step
from lambda_dyno.load.driver import LoadProgress, NotReady, OnProgress, OnWait


def load(step: Step, text: str) -> OnProgress:
    """Return what shows how far a load test is."""

    def progressed(done: LoadProgress) -> None:
        step.update(
            f"{text}: {done.requests} requests, {done.errors} errors",
            done.elapsed_s,
            done.duration_s,
        )

    return progressed


def readiness(step: Step) -> OnWait:
    """Return what shows that an API is waited for, and what it answers."""

    def waiting(seen: NotReady) -> None:
        step.update(
            f"waiting until the API is ready; last answer: {seen.last}",
            seen.elapsed_s,
            seen.timeout_s,
        )

    return waiting
