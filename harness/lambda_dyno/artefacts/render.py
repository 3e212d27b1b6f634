"""Write the report of a run: result.json, the pages, charts, junit.xml and power_values.csv.

The HTML page is self-contained: its curve is the SVG that is also in charts/, its script is
a few hundred bytes of reading values, and its content security policy allows nothing else.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from lambda_dyno import __version__
from lambda_dyno.artefacts import junit, power_values
from lambda_dyno.charts import drawing
from lambda_dyno.charts.drawing import NARROW, WIDE, Spec
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.files import write_if_changed
from lambda_dyno.core.reading import UnreadableError
from lambda_dyno.core.results import WEB_PAGE, RunResult
from lambda_dyno.core.samples import read_samples
from lambda_dyno.gates import recommendation, summary
from lambda_dyno.report import tables, templating
from lambda_dyno.report.glossary import glossary
from lambda_dyno.report.section import Chart, Content, Samples, Section
from lambda_dyno.report.sections import SECTIONS
from lambda_dyno.report.teardown import teardown

# Above, reading takes longer than all the rest, for a line that hardly looks different.
_MOST_BYTES = 24_000_000
_TEMPLATES = ("report.html.j2", "report.md.j2")


@dataclass(frozen=True, slots=True)
class RenderedReport:
    """The files of a report."""

    result_json: Path
    html: Path
    markdown: Path
    junit: Path
    charts: tuple[Path, ...]
    power_values: Path | None  # of a tuning

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files."""
        tables = () if self.power_values is None else (self.power_values,)
        return (self.result_json, self.html, self.markdown, self.junit, *tables, *self.charts)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, in two sizes for the page."""

    chart: Chart
    spec: Spec
    wide: Markup
    narrow: Markup


@dataclass(frozen=True, slots=True)
class Shown:
    """A section that a run has something to show in."""

    section: Section
    content: Content
    picture: Picture | None


def get_ready() -> None:
    """Compile the templates, and let the program that draws begin; what fails is told later."""
    with contextlib.suppress(OSError, ValueError, jinja2.TemplateError):
        for name in _TEMPLATES:
            templating.environment().get_template(name)
        drawing.to_png(drawing.document(data={"values": []}, mark="point"))


def render(
    result: RunResult,
    folder: Path,
    *,
    load_samples: Samples | None = None,
    more: Sequence[tuple[str, str]] = (),
) -> RenderedReport:
    """Write all files of a report, each in one step: a reader never sees half of one.

    Works for a run in any state. result.json comes first, so that what was measured is kept
    even if a picture cannot be drawn.

    Args:
        result: The run, whole or in part.
        folder: The run's folder.
        load_samples: Latencies in ms of the load tests by their label, for a finer line in
            the latency chart. None takes them from the files that the result names; without
            those, the percentiles of the result are drawn.
        more: Further files beside the page, with what each is, for its list.

    Returns:
        The files.

    Raises:
        StepError: A file cannot be written or drawn.
    """
    try:
        return _render(result, folder, load_samples, more)
    except (OSError, ValueError, jinja2.TemplateError) as error:
        # One kind of error, so that no report can stand in the way of a teardown.
        raise StepError("report", f"the report cannot be written: {error}") from error


def _render(
    result: RunResult,
    folder: Path,
    load_samples: Samples | None,
    more: Sequence[tuple[str, str]],
) -> RenderedReport:
    folder.mkdir(parents=True, exist_ok=True)
    names = ("result.json", "report.html", "report.md", "junit.xml")
    result_json, html, markdown, junit_xml = (folder / name for name in names)
    write(result_json, json.dumps(result.to_json(), indent=2, allow_nan=False) + "\n")
    write(junit_xml, junit.to_xml(result))
    table = None
    if result.tuning is not None:
        table = folder / power_values.NAME
        write(table, power_values.to_csv(result.tuning))
    samples = samples_of(result, folder) if load_samples is None else load_samples
    shown = _shown(result, samples)
    charts = _write_charts(shown, folder / "charts", png=result.setting("report", "png", True))
    context = _context(result, shown, [file.relative_to(folder) for file in charts])
    context["files"] += more
    templates = templating.environment()
    for_page, for_text = map(templates.get_template, _TEMPLATES)
    write(html, for_page.render(context))
    page = for_text.render(context)
    write(markdown, re.sub(r"\n{3,}", "\n\n", page).strip() + "\n")
    return RenderedReport(result_json, html, markdown, junit_xml, tuple(charts), table)


def samples_of(result: RunResult, folder: Path) -> Samples:
    """Return the latencies that the load tests left on disk, as far as they can be read."""
    samples = {}
    for load in result.load:
        path = folder / load.samples_path
        if not load.samples_path or not path.is_file() or path.stat().st_size > _MOST_BYTES:
            continue
        with contextlib.suppress(OSError, UnreadableError):
            samples[load.label] = [s.response_ms for s in read_samples([path]) if s.answered]
    return samples


def _shown(result: RunResult, samples: Samples) -> list[Shown]:
    """Return the sections that have something to show, their pictures drawn."""
    contents = ((section, section.content(result)) for section in SECTIONS)
    return [
        Shown(section, content, _picture(section.chart, result, samples))
        for section, content in contents
        if content is not None
    ]


def _picture(chart: Chart | None, result: RunResult, samples: Samples) -> Picture | None:
    if chart is None:
        return None
    wide, narrow = (chart.spec(result, samples, size) for size in (WIDE, NARROW))
    if wide is None or narrow is None:
        return None
    inline = [Markup(drawing.to_inline_svg(spec, chart.title)) for spec in (wide, narrow)]  # noqa: S704 - drawn from our spec
    return Picture(chart, wide, *inline)


def _write_charts(shown: Sequence[Shown], folder: Path, *, png: bool) -> list[Path]:
    """Write the pictures as files, and remove those of an earlier rendering."""
    files = []
    for picture in (one.picture for one in shown if one.picture):
        folder.mkdir(exist_ok=True)
        files.append(folder / f"{picture.chart.name}.svg")
        write(files[-1], drawing.to_svg(picture.spec))
        if png:
            files.append(folder / f"{picture.chart.name}.png")
            write(files[-1], drawing.to_png(picture.spec))
    for name in (section.chart.name for section in SECTIONS if section.chart):
        for stale in {folder / f"{name}.svg", folder / f"{name}.png"} - set(files):
            stale.unlink(missing_ok=True)
    return files


def _context(
    result: RunResult, shown: Sequence[Shown], chart_files: Sequence[Path]
) -> dict[str, Any]:
    """Return what the templates of the page and of the Markdown file show."""
    script = (templating.TEMPLATES / "report.js").read_text(encoding="utf-8")
    style = (templating.TEMPLATES / "report.css").read_text(encoding="utf-8")
    dark = f"@media screen and (prefers-color-scheme:dark){{{drawing.dark_css('.plot')}}}"
    appendix = (
        ("Settings", tables.pairs_table("Settings of the run", result.settings)),
        ("Environment outputs", tables.pairs_table("Outputs of the environment", result.outputs)),
    )
    return {
        "run": result,
        "title": result.setting("report", "title", "Lambda Dyno"),
        "version": __version__,
        "started": _when(result.started_at),
        "summary": summary.of(result),
        "links": [(name, url) for name, url in result.links.items() if WEB_PAGE.fullmatch(url)],
        "figures": recommendation.key_figures(result),
        "caveats": recommendation.caveats(result),
        "teardown": teardown(result),
        "sections": shown,
        "timings": tables.timings_table(result.timings),
        "appendix": [(title, table) for title, table in appendix if table],
        "glossary": glossary(result),
        "files": _files(result, chart_files),
        "css": Markup(style + dark),  # noqa: S704 - our own files
        "js": Markup(script),  # noqa: S704 - our own file
        "script_hash": templating.script_hash(script),
    }


def _files(result: RunResult, chart_files: Sequence[Path]) -> list[tuple[str, str]]:
    raw = [
        (load.samples_path, f"every latency of the load test at {load.memory_mb} MB")
        for load in result.load
        if load.samples_path
    ]
    return [
        ("result.json", "everything measured, for programs"),
        ("report.md", "this report for a pull request"),
        ("junit.xml", "smoke test, SLOs and steps for CI"),
        *((file.as_posix(), "picture") for file in chart_files),
        *raw,
    ]


def _when(started_at: str) -> str:
    try:
        return f"{datetime.fromisoformat(started_at):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return started_at


def write(path: Path, content: str | bytes) -> None:
    """Write a file of a run if it changes; text may hold what is no UTF-8 (surrogates).

    Raises:
        OSError: It cannot be written.
    """
    # Output of programs can hold bytes that are no text: never a reason to fail.
    data = content.encode(errors="replace") if isinstance(content, str) else content
    write_if_changed(path, data)
