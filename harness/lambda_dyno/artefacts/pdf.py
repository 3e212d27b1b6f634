"""The report and each loaded size as PDF, by Typst (extra `pdf`).

All that is shown goes to Typst as data, never as markup: nothing in a name or a message is run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from lambda_dyno.artefacts import memory_summary
from lambda_dyno.charts import drawing
from lambda_dyno.charts.drawing import WIDE
from lambda_dyno.charts.latency import latency_spec
from lambda_dyno.core.results import LoadResult, RunResult
from lambda_dyno.gates.load_phrases import load_facts
from lambda_dyno.report import markdown
from lambda_dyno.report.section import Content, Samples
from lambda_dyno.report.sections import SECTIONS
from lambda_dyno.report.sections.load import latency_limits, load_table
from lambda_dyno.report.tables import Table

REPORT = "report.pdf"
INSTALL = "pip install 'lambda-dyno[pdf]'"
_TEMPLATE = Path(__file__).parent / "templates" / "report.typ"


def is_installed() -> bool:
    """Whether Typst is here."""
    return importlib.util.find_spec("typst") is not None


def get_ready() -> None:
    """Have Typst look for this machine's fonts, before there is a report; failures come later."""
    with contextlib.suppress(ValueError, OSError):
        _typeset(json.dumps({"title": "", "run": "", "lines": [], "sections": []}))


def of_report(result: RunResult, samples: Samples) -> bytes:
    """Return the whole report: the four lines and all sections, without settings and outputs."""
    return _compiled(result, "Report", list(_sections(result, samples)))


def of_load(result: RunResult, loads: Sequence[LoadResult], samples: Samples) -> bytes:
    """Return the load tests at one memory size."""
    size = tuple(loads)
    spec = latency_spec(size, samples, latency_limits(result.verdict), WIDE)
    content = Content(table=load_table(size), facts=load_facts(size))
    title = f"Load at {size[0].memory_mb} MB"
    return _compiled(result, title, [_section(title, content, spec)])


def load_name(memory_mb: int) -> str:
    """Return the file of a loaded size."""
    return f"load-{memory_mb}MB.pdf"


def _sections(result: RunResult, samples: Samples) -> Iterator[dict[str, Any]]:
    for section in SECTIONS:
        content = section.content(result)
        if content is None:
            continue
        chart = section.chart.spec(result, samples, WIDE) if section.chart else None
        yield _section(section.title, content, chart)
        if section.key == "memory" and result.tuning is not None:
            in_words = memory_summary.table(result.tuning)
            yield _section(
                in_words.caption,
                Content(table=in_words, facts=memory_summary.words(result.tuning)),
                None,
            )


def _section(title: str, content: Content, chart: drawing.Spec | None) -> dict[str, Any]:
    return {
        "title": title,
        "sentence": content.sentence,
        "chart": "" if chart is None else drawing.to_plain_svg(chart),
        "chart_note": content.chart_note if chart else "",
        "table": None if content.table is None else _table(content.table),
        "facts": [text for text in (content.page_note, *content.facts) if text],
        "steps": [step.text for step in content.steps],
    }


def _table(table: Table) -> dict[str, Any]:
    marked = [""] if table.marked else []
    return {
        "caption": table.caption,
        "heads": [*(f"{c.title} {c.unit}".strip() for c in table.columns), *marked],
        "numeric": [*(column.numeric for column in table.columns), *(False for _ in marked)],
        "rows": [
            [
                *([cell.text, cell.best] for cell in row.cells),
                *([", ".join(row.marks), False] for _ in marked),
            ]
            for row in table.rows
        ],
        "notes": list(table.notes),
        "wraps": table.wraps,
    }


def _compiled(result: RunResult, title: str, sections: Sequence[dict[str, Any]]) -> bytes:
    began = result.started_at[:16].replace("T", " ")
    data = {
        "title": title,
        "run": f"run {result.run_id} · {result.env} · {began} UTC",
        "lines": list(result.summary),
        "sections": list(sections),
    }
    return _typeset(json.dumps(_shown(data)))


@lru_cache(maxsize=8)  # a report is written again once the environment is gone
def _typeset(data: str) -> bytes:
    import typst

    try:
        made = typst.compile(_TEMPLATE.read_bytes(), format="pdf", sys_inputs={"data": data})
    except RuntimeError as error:
        raise ValueError(f"the PDF cannot be made: {error}") from error
    assert isinstance(made, bytes)
    return made


def _shown(value: Any) -> Any:
    """Return data without what a reader cannot see, and half characters that are no text."""
    if isinstance(value, dict):
        return {key: _shown(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shown(one) for one in value]
    if isinstance(value, str):
        return markdown.visible(value).encode(errors="replace").decode()
    return value
