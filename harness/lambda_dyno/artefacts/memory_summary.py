"""What was measured at each memory size in one table with words: memory-summary.md."""

from __future__ import annotations

from lambda_dyno.artefacts.profile import elbow, profiles
from lambda_dyno.core import formatting
from lambda_dyno.core.results import PowerDetail, Ratio, RunResult, TuningResult
from lambda_dyno.report import markdown, templating
from lambda_dyno.report.tables import Column, Row, Table, row_of

NAME = "memory-summary.md"
_METHOD = (
    "Behaviour is what the next larger size does to the duration: CPU constrained, if twice the "
    "memory makes it at least 1.41 times as fast; still gains, at least 7 % faster; flat, less, or "
    "no difference that can be told from noise. Avoid: a larger size is faster and costs no more. "
    "No benefit: a smaller size is as fast and costs no more. Best profile: what is recommended, "
    "by the strategy. The elbow is found by Kneedle over the logarithm of memory."
)


def table(tuning: TuningResult) -> Table:
    """Return the sizes with their figures and words, ascending."""
    details = {detail.power: detail for detail in tuning.details}
    columns = (
        Column("Memory", "MB"),
        Column("Duration", "ms"),
        Column("vs now"),
        Column("Cost", f"{tuning.currency}/million"),
        Column("vs now"),
        Column("Used", "MB"),
        Column("Behaviour", numeric=False),
        Column("Outcome", numeric=False),
    )
    rows = (
        _row(details[one.memory_mb], one.behaviour, one.outcome, tuning) for one in profiles(tuning)
    )
    return Table("Memory sizes in words", columns, tuple(rows))


def words(tuning: TuningResult) -> tuple[str, ...]:
    """Return what stands below the table: the elbow, and how the words are meant."""
    found = elbow(tuning)
    return (*([found.sentence] if found else []), _METHOD)


def to_markdown(result: RunResult) -> str:
    """Return the file of a run that was tuned."""
    assert result.tuning is not None
    lines = [f"# Memory sizes: run {markdown.text(result.run_id)}", ""]
    lines += [f"{markdown.text(line)}  " for line in result.summary]
    lines += ["", templating.markdown_table(table(result.tuning)), ""]
    lines += [f"{markdown.text(text)}\n" for text in words(result.tuning)]
    return "\n".join(lines).rstrip() + "\n"


def _row(detail: PowerDetail, behaviour: str, outcome: str, tuning: TuningResult) -> Row:
    now = detail.power == tuning.current_power
    mark = " (deployed)" if now else ""
    return row_of(
        f"{detail.power}{mark}",
        formatting.milliseconds(detail.duration_ms.trimmed_mean if detail.duration_ms else None),
        _change(detail.duration_ratio),
        formatting.per_million(detail.cost_usd),
        _change(detail.cost_ratio),
        formatting.integer(detail.max_memory_used_mb),
        behaviour,
        outcome,
        key=str(detail.power),
    )


def _change(ratio: Ratio | None) -> str:
    if ratio is None:
        return formatting.MISSING
    middle, low, high = map(formatting.change, (ratio.ratio, ratio.low, ratio.high))
    return f"{middle} % ({low} to {high} %)"
