"""The page that draws a tuning's curve from its address, for `visualization_url` and by itself."""

from __future__ import annotations

from pathlib import Path

import jinja2
from markupsafe import Markup

from lambda_dyno.report import templating

NAME = "visualization.html"
TEMPLATES = Path(__file__).parent / "templates"


def render() -> str:
    """Return the page, which is the same for every curve: it reads the hash of its address."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    script = (TEMPLATES / "visualization.js").read_text(encoding="utf-8")
    css = (templating.TEMPLATES / "report.css").read_text(encoding="utf-8")
    return made.get_template(f"{NAME}.j2").render(
        css=Markup(css),  # noqa: S704 - our own files
        js=Markup(script),  # noqa: S704
        script_hash=Markup(templating.script_hash(script)),  # noqa: S704
    )
