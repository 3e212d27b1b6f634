"""What the smoke test asked and what held, request by request: a page."""

from __future__ import annotations

from pathlib import Path

import jinja2
from markupsafe import Markup

from lambda_dyno.core import formatting
from lambda_dyno.core.results import RunResult
from lambda_dyno.report import templating

NAME = "newman.html"  # as the forerunners called it, whichever driver asks
TEMPLATES = Path(__file__).parent / "templates"


def render(result: RunResult) -> str:
    """Return the page of a run that had a smoke test. It has no script, and loads nothing."""
    assert result.smoke is not None
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,  # names and messages come from outside
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=templating.finalize,
    )
    made.filters["ms"] = formatting.milliseconds
    css = (templating.TEMPLATES / "report.css").read_text(encoding="utf-8")
    unrecorded = max(0, result.smoke.requests - len(result.smoke.asked))
    return made.get_template("smoke.html.j2").render(
        run=result,
        smoke=result.smoke,
        unrecorded=unrecorded,
        css=Markup(css),  # noqa: S704 - our own file
    )
