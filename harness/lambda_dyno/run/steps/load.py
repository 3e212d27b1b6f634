"""Load the API, at the current and at the recommended memory size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lambda_dyno.compare import prediction
from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.progress import Step
from lambda_dyno.core.results import DEPLOYED, LoadResult
from lambda_dyno.core.samples import read_samples
from lambda_dyno.gates import slo
from lambda_dyno.load import ceiling, load_test, rounds
from lambda_dyno.load import progress as load_progress
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api
from lambda_dyno.load.schedule import describe
from lambda_dyno.run import api, memory
from lambda_dyno.run.run import Run
from lambda_dyno.terraform import root_module


def step(run: Run) -> tuple[LoadResult, ...]:
    """Load the API at the current and at the recommended memory size, or at those of [load] at.

    At the one that the SLO judges, and at the recommended one, the load is repeated until it can
    be judged, or `[slo] max_rounds` tests were made.

    Raises:
        UserError: There is no API, or no collection for it.
    """
    api.require(run, "load")
    profile = run.env.settings.load
    results: list[LoadResult] = []
    with run.step("load", describe(profile)) as shown:
        sizes = _sizes(run)
        judge = run.env.settings.slo.judge
        judged = sizes.get(judge if judge in sizes else DEPLOYED)
        for label, memory_mb in sizes.items():
            before = _loaded(run, label, memory_mb)
            if before is not None:
                results.append(before)
                continue
            series = _series(run, profile, label, memory_mb, shown)
            # what is recommended is applied by its own test
            if memory_mb == judged or label == "recommended":
                _decide(run, series, results)
            results.append(series.result)
            run.add(load=_predicted(run, results))
            run.folder.mark(f"load {label}")
        requests = sum(result.requests for result in results)
        errors = sum(result.errors for result in results)
        loaded = ", ".join(f"{result.memory_mb}" for result in results) + " MB"
        shown.update(f"{requests:,} requests at {loaded}, {errors} errors")
    return run.result.load


def deployed(run: Run, profile: LoadSettings, label: str) -> rounds.LoadSeries:
    """Load the API once at the memory size that it is declared with.

    Args:
        run: The run.
        profile: The load.
        label: Names the result and its files.
    """
    api.require(run, "load")
    memory_mb = run.declared_memory_mb
    with run.step("load", describe(profile)) as shown:
        series = _series(run, profile, label, memory_mb, shown)
        keep(run, series.result)
        shown.update(f"{series.result.requests:,} requests, {series.result.errors} errors")
    return series


def keep(run: Run, load: LoadResult) -> None:
    """Put a load test's result in the place of the one with its label, or add it."""
    found = {result.label: result for result in run.result.load} | {load.label: load}
    run.add(load=_predicted(run, tuple(found.values())))


def _sizes(run: Run) -> dict[str, int]:
    """Return the memory sizes to load the API at, by label."""
    current, tuning = run.declared_memory_mb, run.result.tuning
    if run.mode.attached:
        if tuning is not None and tuning.power != current:
            run.ui.note(f"not loaded at {tuning.power} MB: the API calls the deployed function")
        return {DEPLOYED: current}
    recommended = tuning.power if tuning else current
    names = {recommended: "recommended", current: DEPLOYED}
    wanted = run.env.settings.load.at or [current, recommended]
    sizes = {names.get(size, f"at-{size}-mb"): size for size in wanted}
    if set(sizes.values()) == {current}:
        return sizes
    declared = root_module.variables(run.environment.root)
    if not root_module.takes(declared, "memory_mb"):
        others = ", ".join(str(size) for size in sizes.values() if size != current)
        run.ui.note(
            f"not loaded at {others} MB: envs/{run.env.name} has no variable memory_mb that is a "
            "number"
        )
        return {DEPLOYED: current}
    return sizes


def _predicted(run: Run, results: Sequence[LoadResult]) -> tuple[LoadResult, ...]:
    """Return load tests with what the tuning says of them."""
    samples = {}
    for result in results:
        path = run.folder.path / result.samples_path
        if result.samples_path and path.exists():
            samples[result.label] = read_samples([path])
    return prediction.with_predictions(results, run.result.tuning, samples)


def _loaded(run: Run, label: str, memory_mb: int) -> LoadResult | None:
    """Return the load test that a resumed run had finished, if it had."""
    if f"load {label}" not in run.finished:
        return None
    found = (x for x in run.result.load if (x.label, x.memory_mb) == (label, memory_mb))
    return next(found, None)


def _decide(run: Run, series: rounds.LoadSeries, before: Sequence[LoadResult]) -> None:
    """Repeat a load test until it can be judged, and keep what is found on the way."""
    series.decide(run.env.settings.slo, lambda found, _: run.add(load=(*before, found)))


def _series(
    run: Run, profile: LoadSettings, label: str, memory_mb: int, shown: Step
) -> rounds.LoadSeries:
    """Run a load test once, at a memory size; what is returned can run it again.

    The driver gets ready while the size is deployed: each takes seconds, and mostly waits.
    """
    target, files = api.of(run), api.collection(run, "load")
    shown.update("measuring what the load driver itself can do (once)")
    most = ceiling.requests_per_s(
        run.project / ".cache", files, signed=target.credentials is not None
    )

    def run_round(name: str) -> LoadResult:
        function_name = str(run.result.outputs["function_name"])
        count = run.target.answers_of(function_name, run.project)
        found = once(
            profile,
            target,
            files,
            label=name,
            memory_mb=memory_mb,
            folder=run.folder.load,
            shown=shown,
            meanwhile=lambda: memory.deploy(run, memory_mb, shown),
            # a machine is late while it starts environments; those answers are not judged either
            on_warm=count.begin if count is not None else lambda: None,
        )
        return replace(
            found,
            ceiling_requests_per_s=ceiling.at_least(most, found),
            answers=None if count is None else count.since(),
        )

    return rounds.LoadSeries(run_round, run.folder.load, label, slo.of_load)


def once(
    profile: LoadSettings,
    target: Api,
    files: CollectionFiles,
    *,
    label: str,
    memory_mb: int,
    folder: Path,
    shown: Step,
    meanwhile: Callable[[], None] = lambda: None,
    on_warm: Callable[[], None] = lambda: None,
) -> LoadResult:
    """Load an API once.

    Args:
        profile: The load.
        target: The API.
        files: What it is asked.
        label: Names the result and its files.
        memory_mb: At which memory size the function is.
        folder: For the samples.
        shown: Shows how far it is.
        meanwhile: As in `LoadTest`.
        on_warm: As in `load_test.run`.
    """
    text = f"{profile.loop} loop at {memory_mb} MB ({label})"
    return load_test.run(
        profile,
        target,
        files,
        label=label,
        memory_mb=memory_mb,
        folder=folder,
        on_progress=load_progress.load(shown, text),
        on_wait=load_progress.readiness(shown),
        meanwhile=meanwhile,
        on_warm=on_warm,
    )
