"""The comparison in turns with a baseline."""

from __future__ import annotations

from lambda_dyno.core import formatting
from lambda_dyno.core.formatting import SYMBOLS
from lambda_dyno.core.results import RegressionCheck, RegressionResult, RunResult
from lambda_dyno.report.section import Content, Section
from lambda_dyno.report.tables import Column, Row, Table, row_of


def _content(result: RunResult) -> Content | None:
    regression = result.regression
    if regression is None:
        return None
    return Content(sentence=_sentence(regression), sentence_style="dim", table=_table(regression))


def _sentence(regression: RegressionResult) -> str:
    """Return how a candidate was compared with its baseline, in a sentence or two."""
    pairs = f"{regression.pairs} pairs of blocks of {regression.turn_s:g} s, new sandboxes in each"
    again = f"; {regression.redone} pairs were made again" if regression.redone else ""
    looks = f", after {regression.looks} looks" if regression.looks > 1 else ""
    failed = ", ".join(f"{count:,} of the {name}" for name, count in regression.errors.items())
    errors = (
        f" Requests without a good answer: {failed}." if any(regression.errors.values()) else ""
    )
    return (
        f"In turns with {regression.baseline}: {pairs}{looks}{again}. At most "
        f"{formatting.percent(regression.margin)} worse is allowed; if nothing got worse, at most "
        f"{formatting.percent(regression.alpha)} of the comparisons fail.{errors}"
    )


def _table(regression: RegressionResult) -> Table:
    """Return the figures of a candidate beside its baseline's."""
    columns = (
        Column("Figure", numeric=False),
        *(Column(title) for title in ("Baseline", "Candidate", "Ratio", "From", "To")),
        Column("Outcome", numeric=False),
    )
    rows = tuple(_row(check) for check in regression.checks)
    return Table(f"Against the baseline {regression.baseline}", columns, rows)


def _row(check: RegressionCheck) -> Row:
    return row_of(
        f"{check.name} ({check.unit})",
        *(
            formatting.MISSING if value is None else formatting.rounded(value)
            for value in (check.baseline, check.candidate)
        ),
        *(
            formatting.MISSING if value is None else f"{value:.3f}"
            for value in (check.ratio, check.ratio_low, check.ratio_high)
        ),
        f"{SYMBOLS[check.outcome]} {check.outcome}",
        key=check.name,
    )


SECTION = Section(
    key="regression",
    title="Against the baseline",
    place=45,
    rank=3,
    content=_content,
    terminal_place=45,
)
