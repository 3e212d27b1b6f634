"""What the smoke test found wrong."""

from __future__ import annotations

from lambda_dyno.core.results import RunResult
from lambda_dyno.report.section import Content, Section
from lambda_dyno.report.tables import Column, Table, row_of


def _content(result: RunResult) -> Content | None:
    table = smoke_table(result)
    return Content(table=table) if table else None


def _terminal(result: RunResult) -> Content | None:
    smoke = result.smoke
    if smoke is None or smoke.passed:
        return None
    return Content(
        sentence=f"✗ the smoke test failed: {smoke.counts}",
        sentence_style="red",
        facts=tuple(f"  {x.request}: {x.assertion}: {x.message}" for x in smoke.failures),
        facts_style="",
    )


def smoke_table(result: RunResult) -> Table | None:
    """Return the failed assertions of the smoke test, or None if all held."""
    if result.smoke is None or not result.smoke.failures:
        return None
    columns = tuple(Column(title, numeric=False) for title in ("Request", "Assertion", "Message"))
    rows = tuple(row_of(x.request, x.assertion, x.message) for x in result.smoke.failures)
    return Table("Failed smoke assertions", columns, rows, wraps=True)


SECTION = Section(
    key="smoke",
    title="Smoke test",
    place=18,
    rank=3,
    content=_content,
    terminal_place=18,
    terminal=_terminal,
)
