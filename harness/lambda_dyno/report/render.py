"""Write the report of a run: result.json, report.html, report.md, charts and junit.xml.

The HTML page is self-contained: its curve is the SVG that is also in charts/, its script is
a few hundred bytes of reading values, and its content security policy allows nothing else.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from lambda_dyno import __version__
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.files import named
from lambda_dyno.core.results import RunResult
from lambda_dyno.load.samples import read_samples
from lambda_dyno.report import (
    charts,
    formatting,
    junit,
    objections,
    phrases,
    recommendation,
    tables,
    templating,
)
from lambda_dyno.report.charts import NARROW, WIDE, Size, Spec
from lambda_dyno.report.glossary import meanings
from lambda_dyno.report.latency_chart import latency_spec
from lambda_dyno.report.power_chart import interval, power_spec

# Above, reading takes longer than all the rest, for a line that hardly looks different.
_MOST_BYTES = 24_000_000

Samples = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class RenderedReport:
    """The files of a report."""

    result_json: Path
    html: Path
    markdown: Path
    junit: Path
    charts: tuple[Path, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files."""
        return (self.result_json, self.html, self.markdown, self.junit, *self.charts)


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture, in two sizes for the page."""

    name: str
    title: str
    spec: Spec
    wide: Markup
    narrow: Markup


def render(
    result: RunResult, folder: Path, *, load_samples: Samples | None = None
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

    Returns:
        The files.

    Raises:
        StepError: A file cannot be written or drawn.
    """
    try:
        return _render(result, folder, load_samples)
    except (OSError, ValueError, jinja2.TemplateError) as error:
        # One kind of error, so that no report can stand in the way of a teardown.
        raise StepError("report", f"the report cannot be written: {error}") from error


def _render(result: RunResult, folder: Path, load_samples: Samples | None) -> RenderedReport:
    folder.mkdir(parents=True, exist_ok=True)
    report = RenderedReport(
        result_json=folder / "result.json",
        html=folder / "report.html",
        markdown=folder / "report.md",
        junit=folder / "junit.xml",
        charts=(),
    )
    _write(report.result_json, json.dumps(result.to_json(), indent=2, allow_nan=False) + "\n")
    _write(report.junit, junit.to_xml(result))
    samples = _samples_of(result, folder) if load_samples is None else load_samples
    drawn = _charts(result, samples)
    files = _write_charts(drawn, folder / "charts", png=_setting(result, "png", default=True))
    context = _context(result, drawn, [file.relative_to(folder) for file in files])
    templates = templating.environment()
    _write(report.html, templates.get_template("report.html.j2").render(context))
    page = templates.get_template("report.md.j2").render(context)
    _write(report.markdown, re.sub(r"\n{3,}", "\n\n", page).strip() + "\n")
    return RenderedReport(
        report.result_json, report.html, report.markdown, report.junit, tuple(files)
    )


def _samples_of(result: RunResult, folder: Path) -> Samples:
    """Return the latencies that the load tests left on disk, as far as they can be read."""
    found = {}
    for load in result.load:
        path = folder / load.samples_path
        if not load.samples_path or not path.is_file() or path.stat().st_size > _MOST_BYTES:
            continue
        with contextlib.suppress(OSError, ValueError):
            found[load.label] = [s.response_ms for s in read_samples([path]) if s.answered]
    return found


def _charts(result: RunResult, samples: Samples) -> dict[str, Chart]:
    """Return the pictures that the run has figures for, by name."""

    def latency(size: Size) -> Spec | None:
        return latency_spec(result.load, samples, phrases.latency_limits(result.verdict), size)

    def power(size: Size) -> Spec | None:
        return power_spec(result.tuning, size)

    wanted = (
        ("power", "Cost and duration by memory size", power),
        ("latency", "Latency by percentile", latency),
    )
    drawn = {}
    for name, title, spec_of in wanted:
        wide, narrow = spec_of(WIDE), spec_of(NARROW)
        if wide is not None and narrow is not None:
            inline = [Markup(charts.to_inline_svg(spec, title)) for spec in (wide, narrow)]  # noqa: S704 - drawn from our spec
            drawn[name] = Chart(name, title, wide, *inline)
    return drawn


def _write_charts(drawn: Mapping[str, Chart], folder: Path, *, png: bool) -> list[Path]:
    """Write the pictures as files, and remove those of an earlier rendering."""
    files = []
    for chart in drawn.values():
        folder.mkdir(exist_ok=True)
        files.append(folder / f"{chart.name}.svg")
        _write(files[-1], charts.to_svg(chart.spec))
        if png:
            files.append(folder / f"{chart.name}.png")
            _write(files[-1], charts.to_png(chart.spec))
    for name in ("power", "latency"):
        for suffix in ("svg", "png"):
            stale = folder / f"{name}.{suffix}"
            if stale not in files:
                stale.unlink(missing_ok=True)
    return files


def _context(
    result: RunResult, drawn: Mapping[str, Chart], chart_files: Sequence[Path]
) -> dict[str, Any]:
    """Return what the templates of the page and of the Markdown file show."""
    script = (templating.TEMPLATES / "report.js").read_text(encoding="utf-8")
    style = (templating.TEMPLATES / "report.css").read_text(encoding="utf-8")
    dark = f"@media screen and (prefers-color-scheme:dark){{{charts.dark_css('.plot')}}}"
    digest = hashlib.sha256(script.encode()).digest()
    return {
        "run": result,
        "title": _setting(result, "title", default="Lambda Dyno"),
        "version": __version__,
        "started": _when(result.started_at),
        "commit": phrases.commit(result.git_sha),
        "headline": phrases.headline(result),
        "recommendation": recommendation.recommendation(result.tuning),
        "figures": recommendation.key_figures(result),
        "caveats": recommendation.caveats(result),
        "teardown": phrases.teardown(result),
        "verdict": phrases.verdict_lines(result.verdict),
        "verdict_table": tables.verdict_table(result.verdict),
        "smoke": tables.smoke_table(result),
        "memory": tables.memory_table(result.tuning),
        "power_chart": drawn.get("power"),
        "intervals": any(map(interval, result.tuning.details)) if result.tuning else False,
        "tuning_cost": _tuning_cost(result),
        "load": tables.load_table(result.load),
        "load_sentence": phrases.load_sentence(result.load),
        "load_facts": phrases.load_facts(result.load, phrases.latency_limit_ms(result)),
        "latency_chart": drawn.get("latency"),
        "regression": tables.regression_table(result.regression),
        "regression_sentence": phrases.regression_sentence(result.regression),
        "steps": objections.steps(result),
        "timings": _timings(result.timings),
        "timings_table": tables.timings_table(result.timings),
        "total_time": formatting.seconds(sum(result.timings.values())),
        "settings": tables.pairs_table("Settings of the run", result.settings),
        "outputs": tables.pairs_table("Outputs of the environment", result.outputs),
        "meanings": meanings(result),
        "files": _files(result, chart_files),
        "css": Markup(style + dark),  # noqa: S704 - our own files
        "js": Markup(script),  # noqa: S704 - our own file
        "script_hash": f"sha256-{base64.b64encode(digest).decode()}",
    }


def _tuning_cost(result: RunResult) -> str:
    if result.tuning is None:
        return ""
    machine = result.tuning.state_machine
    return formatting.usd(machine.execution_cost_usd + machine.lambda_cost_usd)


def _timings(timings: Mapping[str, float]) -> list[dict[str, str]]:
    """Return the steps with their share of the longest, in per cent."""
    longest = max(timings.values(), default=0.0) or 1.0
    return [
        {"name": name, "time": formatting.seconds(s), "share": f"{100 * s / longest:.1f}"}
        for name, s in timings.items()
    ]


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


def _setting(result: RunResult, key: str, default: Any) -> Any:
    """Return a key of [report] as the run was made with."""
    section = result.settings.get("report")
    return section.get(key, default) if isinstance(section, dict) else default


def _write(path: Path, content: str | bytes) -> None:
    """Replace a file in one step."""
    # Output of programs can hold bytes that are no text (surrogates): never a reason to fail.
    data = content.encode(errors="replace") if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with named(path):
        partial.write_bytes(data)
        partial.replace(path)
