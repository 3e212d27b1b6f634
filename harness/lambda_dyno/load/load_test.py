"""A load test from its settings to its result, whichever driver makes it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.results import LoadResult
from lambda_dyno.core.samples import write_samples
from lambda_dyno.load import drivers
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api, LoadProgress, LoadTest, OnProgress, OnWait
from lambda_dyno.load.samples import remove_parts, summarise, take_parts, without_warm_up
from lambda_dyno.load.schedule import schedule_of

# Progress takes a while to get here: so much earlier, no request that counts is missed.
_EARLY_S = 0.25


def run(
    profile: LoadSettings,
    api: Api,
    files: CollectionFiles,
    *,
    label: str,
    memory_mb: int,
    folder: Path,
    on_progress: OnProgress = lambda _: None,
    on_wait: OnWait = lambda _: None,
    ready_s: float | None = None,
    only_here: bool = False,
    meanwhile: Callable[[], None] = lambda: None,
    on_warm: Callable[[], None] = lambda: None,
) -> LoadResult:
    """Load an API with virtual users and keep every latency, as soon as it is ready.

    Each user works through the collection again and again, on a connection of its own.

    Args:
        profile: How many users or arrivals, how long, and what is left out as warm-up.
        api: What is loaded.
        files: What an iteration asks.
        label: "current" or "recommended"; names the files.
        memory_mb: Memory size that the function has now.
        folder: Where LABEL.jsonl (the samples), LABEL-warm-up.jsonl (those that do not count)
            and LABEL.log go; made if missing.
        on_progress: As in `LoadDriver.load`, as are the errors that are raised.
        on_wait: As in `LoadDriver.load`.
        ready_s: How long the API gets to become ready; None is its own, 0 loads at once.
        only_here: As in `LoadTest`.
        meanwhile: As in `LoadTest`.
        on_warm: Called once, from any thread, when the warm-up is over and requests count. Not
            before the driver has told for the first time how far it is.

    Returns:
        The result; its `samples_path` is relative to the parent of `folder`. After an error, too,
        what was measured until then is in `folder`.
    """
    test = LoadTest(
        api=api,
        files=files,
        schedule=schedule_of(profile),
        pacing_ms=profile.pacing_ms,
        request_timeout_ms=profile.request_timeout_ms,
        folder=folder,
        name=label,
        ready_s=api.ready_s if ready_s is None else ready_s,
        only_here=only_here,
        meanwhile=meanwhile,
    )
    folder.mkdir(parents=True, exist_ok=True)
    remove_parts(folder, label)
    samples_file = folder / f"{label}.jsonl"
    try:
        with _telling_when_warm(on_progress, on_warm, profile.warm_up_s) as progressed:
            report = drivers.DRIVER.load(test, progressed, on_wait)
    finally:
        # Also after a failure or Ctrl-C: what was measured is kept.
        samples, left_out = without_warm_up(take_parts(folder, label), profile.warm_up_s)
        write_samples(samples, samples_file)
        if left_out:
            write_samples(left_out, folder / f"{label}-warm-up.jsonl")
    return summarise(
        samples,
        report,
        profile,
        label=label,
        memory_mb=memory_mb,
        samples_path=f"{folder.name}/{samples_file.name}",
        left_out=left_out,
    )


@contextmanager
def _telling_when_warm(
    on_progress: OnProgress, on_warm: Callable[[], None], warm_up_s: float
) -> Iterator[OnProgress]:
    """Yield an `on_progress` by which it is known when the warm-up is over, and tell it then."""
    if not warm_up_s:
        on_warm()
        yield on_progress
        return
    timer: threading.Timer | None = None

    def progressed(progress: LoadProgress) -> None:
        nonlocal timer
        if timer is None:
            left_s = warm_up_s - progress.elapsed_s - _EARLY_S
            timer = threading.Timer(max(0.0, left_s), on_warm)
            timer.daemon = True
            timer.start()
        on_progress(progress)

    try:
        yield progressed
    finally:
        if timer is not None:
            timer.cancel()
