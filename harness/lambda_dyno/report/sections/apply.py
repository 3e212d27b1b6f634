"""How to put the recommendation into force, or why it should not be."""

from __future__ import annotations

from lambda_dyno.core.results import RunResult
from lambda_dyno.gates import objections
from lambda_dyno.report.section import Content, Section


def _content(result: RunResult) -> Content | None:
    steps = objections.steps_to_apply(result)
    return Content(steps=steps) if steps else None


SECTION = Section(
    key="apply",
    title="How to apply it",
    place=60,
    rank=7,
    content=_content,
)
