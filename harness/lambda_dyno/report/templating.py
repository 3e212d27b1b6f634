"""The templates of the reports, and what they share with the review comment."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from lambda_dyno.report import markdown
from lambda_dyno.report.tables import Table

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> jinja2.Environment:
    """Return the environment that all templates are rendered in."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        # Names, messages and settings come from outside: in HTML all of them are escaped.
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=finalize,
    )
    made.filters |= {
        "md": markdown.text,
        "code": markdown.code,
        "fence": markdown.fence,
        "keep": _keep_units,
        "whole": _whole,
    }
    return made


def finalize(value: Any) -> Any:
    """Return a value without what colours, hides or turns a text; HTML of our own as it is."""
    ours = hasattr(value, "__html__")
    return markdown.visible(value) if isinstance(value, str) and not ours else value


def script_hash(script: str) -> str:
    """Return what a content security policy names a script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def markdown_table(table: Table) -> str:
    """Return a table as Markdown, its caption above and its notes below."""
    macros = environment().get_template("macros.md.j2").module
    return str(macros.table_of(table)).strip()  # type: ignore[attr-defined]  # the template's own


def _whole(text: str) -> str:
    """Return text that is never broken: a narrow cell breaks before it and after it."""
    return text.replace(" ", "\u00a0")


def _keep_units(text: str) -> str:
    """Return text whose figures do not part from their units at the end of a line."""
    return re.sub(r"(?<=\d) (?=(?:%|ms|MB|s|USD|CNY)(?!\w))", "\u00a0", text)
