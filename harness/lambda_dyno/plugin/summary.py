"""What the pytest plugin shows: a header with the settings, and tables at the end."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from lambda_dyno.core.config import SLO_KEYS, RegressionSettings, Settings, SloSettings
from lambda_dyno.core.errors import DynoError
from lambda_dyno.core.reading import UnreadableError, read_json
from lambda_dyno.core.results import RunResult, TuningResult
from lambda_dyno.gates import phrases
from lambda_dyno.load import schedule
from lambda_dyno.runs import result_store
from lambda_dyno.runs.run_folder import RunFolder


def header(env: str, settings: Settings, *, workers: int, keep: bool, runs: Path) -> list[str]:
    """Return the lines that a session begins with.

    Args:
        env: The environment.
        settings: Its settings; markers of single tests may say otherwise.
        workers: How many environments there may be at once.
        keep: Whether they stay.
        runs: Folder of their evidence.
    """
    where = "the embedded AWS" if settings.environment.emulated else "AWS"
    each = f", one per worker ({workers})" if workers > 1 else ""
    stays = ", kept" if keep else ""
    tuning = settings.tuning
    sizes = ", ".join(map(str, tuning.power_values))
    measured = (
        f"adaptively, confidence {tuning.confidence}"
        if tuning.measuring == "adaptive"
        else f"{sizes} MB, {tuning.num} invocations each"
    )
    return [
        f"dyno: env {env} on {where}{each}{stays}; evidence in {runs}",
        f"dyno: tuning {measured}, {tuning.strategy}",
        f"dyno: load {schedule.describe(settings.load)}",
        f"dyno: slo {limits(settings.slo)}",
        *([f"dyno: {comparison(settings.regression)}"] if settings.regression.baseline else []),
    ]


def comparison(regression: RegressionSettings) -> str:
    """Return how a baseline is compared with, in a line."""
    looks = f"up to {regression.looks} times " if regression.looks > 1 else ""
    return (
        f"baseline {regression.baseline}: {', '.join(regression.checks)} at most "
        f"{regression.margin:.4g} worse; {looks}{regression.pairs} pairs of {regression.turn_s:g} s"
    )


def limits(slo: SloSettings) -> str:
    """Return the limits in a line."""
    briefs = (SLO_KEYS[key].brief.format(limit) for key, limit in slo.limits.items())
    shown = [text.replace("%", " %") for text in briefs]
    how = (
        f"at {slo.confidence * 100:g} % confidence, at most {slo.max_rounds} rounds"
        if slo.confidence
        else "compared without intervals"
    )
    return f"{', '.join(shown) or 'no limits'}; {how}; inconclusive is a {slo.inconclusive}"


def tables(folders: Iterable[RunFolder]) -> Iterator[tuple[str, str]]:
    """Yield a title and a text for each run that has something to show."""
    for folder in folders:
        try:
            result = result_store.read(folder)
        except DynoError:
            continue
        lease = folder.read_lease()
        if (lease.tuner_only or lease.beside) and not result.error and not result.leftovers:
            continue  # its figures are those of the environment that it measured for
        title = f"dyno run {folder.run_id}"
        worker = lease.worker
        yield f"{title} ({worker})" if worker else title, _text(result, folder)


def _text(result: RunResult, folder: RunFolder) -> str:
    from rich.console import Console

    from lambda_dyno.report import console
    from lambda_dyno.report.teardown import teardown

    out = io.StringIO()
    plain = Console(file=out, width=100, force_terminal=False, highlight=False, no_color=True)
    page = folder.path / "report.html"
    parts = ("summary", "options", "money", "memory")
    console.print_summary(result, plain, page, parts=parts)
    for tuning in _further(folder, out.write):
        own = replace(result, tuning=tuning, advice=None)
        console.print_summary(own, plain, page, parts=("options", "memory"))
    console.print_summary(result, plain, page, parts=("load", "regression"))
    if result.error:
        out.write(f"{result.error.strip()}\n")
    for line in phrases.verdict_lines(result.verdict, result.load):
        out.write(f"{line.symbol} {line.title}: {line.sentence}\n")
    end = teardown(result)
    command = f"dyno down --run {result.run_id}" if end.command else ""  # there may be no Makefile
    out.write(f"{end.text} {command}".rstrip() + "\n")
    for leftover in result.leftovers or ():
        out.write(f"  {leftover.kind} {leftover.name}: {leftover.remove}\n")
    out.write(f"Report: {page}\n")
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _further(folder: RunFolder, say: Callable[[str], object]) -> Iterator[TuningResult]:
    """Yield the tunings with other settings than the run's own; say which cannot be read."""
    from pydantic import TypeAdapter, ValidationError

    for path in sorted(folder.path.glob("tuning-*.json")):
        try:
            yield TypeAdapter(TuningResult).validate_python(read_json(path))
        except UnreadableError as error:
            say(f"{error}\n")
        except ValidationError:
            say(f"{path}: not a tuning\n")
