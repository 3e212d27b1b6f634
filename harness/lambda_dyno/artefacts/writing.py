"""Write all that a run leaves for people: the report, and the files beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import jinja2

from lambda_dyno.artefacts import memory_summary, pdf, render, smoke_page, visualization
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.results import RunResult

_CURVE = re.compile(r"https?://[^#\s]*(#[A-Za-z0-9+/=;]+)")
_OF_PDFS = re.compile(r"load-\d+MB\.pdf")


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file beside the report: what it is, and what makes it."""

    name: str
    text: str
    content: Callable[[], str | bytes]


def write(result: RunResult, folder: Path) -> Path:
    """Write the report and all files beside it, each in one step; return the page to read.

    The report comes first: what was measured is kept even if nothing else can be made.

    Raises:
        StepError: A file cannot be written or drawn.
    """
    files = list(_artefacts(result, folder))
    more = [(_link(file.name, result), file.text) for file in files]
    page = render.render(result, folder, more=more).html
    try:
        for file in files:
            render.write(folder / file.name, file.content())
        _remove_stale(folder, {file.name for file in files})
    except (OSError, ValueError, jinja2.TemplateError) as error:
        raise StepError("report", f"the report cannot be written: {error}") from error
    return page


def get_ready() -> None:
    """Load what draws, before there is anything to draw: that takes a second."""
    render.get_ready()
    if pdf.is_installed():
        pdf.get_ready()


def missing(result: RunResult) -> str:
    """Return what is not written, and what to install for it; empty: nothing is missing."""
    if not result.setting("report", "pdf", True) or pdf.is_installed():
        return ""
    return f"no report.pdf and no load-SIZEMB.pdf without Typst: {pdf.INSTALL}"


def names(result: RunResult, folder: Path) -> list[str]:
    """Return the files beside the report that a run has."""
    return [file.name for file in _artefacts(result, folder)]


def _artefacts(result: RunResult, folder: Path) -> Iterator[Artefact]:
    if result.tuning is not None:
        yield Artefact(
            memory_summary.NAME,
            "what each memory size does, in words",
            lambda: memory_summary.to_markdown(result),
        )
        yield Artefact(
            visualization.NAME, "the curve, to compare with others", visualization.render
        )
    if result.smoke is not None:
        yield Artefact(
            smoke_page.NAME,
            "the smoke test, request by request",
            lambda: smoke_page.render(result),
        )
    if result.setting("report", "pdf", True) and pdf.is_installed():
        yield from _pdfs(result, folder)


def _pdfs(result: RunResult, folder: Path) -> Iterator[Artefact]:
    samples = cache(partial(render.samples_of, result, folder))  # read once, when one is made
    yield Artefact(pdf.REPORT, "this report to print", lambda: pdf.of_report(result, samples()))
    for memory_mb in sorted({load.memory_mb for load in result.load}):
        own = [load for load in result.load if load.memory_mb == memory_mb]
        yield Artefact(
            pdf.load_name(memory_mb),
            f"the load test at {memory_mb} MB to print",
            lambda own=own: pdf.of_load(result, own, samples()),  # type: ignore[misc]
        )


def _link(name: str, result: RunResult) -> str:
    """Return a file's address in the page's list: the curve's has this run's behind it."""
    if name != visualization.NAME or result.tuning is None:
        return name
    found = _CURVE.fullmatch(result.tuning.state_machine.visualization)
    return f"{name}{found[1]}" if found else name


def _remove_stale(folder: Path, written: set[str]) -> None:
    """Remove what an earlier writing left and this one has no more."""
    once = {memory_summary.NAME, visualization.NAME, smoke_page.NAME, pdf.REPORT}
    of_loads = {path.name for path in folder.iterdir() if _OF_PDFS.fullmatch(path.name)}
    for name in (once | of_loads) - written:
        (folder / name).unlink(missing_ok=True)
