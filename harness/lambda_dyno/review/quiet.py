"""Two lines, where a change has changed nothing: everything passed, and main's figures stay."""

from __future__ import annotations

from lambda_dyno.gates import summary
from lambda_dyno.report import markdown
from lambda_dyno.report.teardown import teardown
from lambda_dyno.review import deltas
from lambda_dyno.review.comment_parts import Review


def two_lines(review: Review) -> str:
    """Return the text; empty if there is more to say.

    Nothing changed: all SLOs are met, the deployed size is the recommended one, as on main,
    Terraform changes nothing, and no duration or p95 differs from main's beyond the noise.
    """
    result, main = review.result, review.baseline
    now, before = result.tuning, main.tuning if main else None
    if main is None or now is None or before is None or result.error:
        return ""
    found = summary.of(result)
    plan = review.plan
    if (
        found.status != "pass"
        or not teardown(result).clean
        or not now.power == now.current_power == before.power == before.current_power
        or (plan is not None and (plan.dangerous or plan.harmless))
        or " another " in deltas.comparison_note(result, main)
    ):
        return ""
    changes = [
        cell.text
        for table in (
            deltas.memory_table(now, before),
            deltas.latency_table(result.load, review.samples, main, review.baseline_samples),
        )
        if table is not None
        for row in table.rows
        for cell, column in zip(row.cells, table.columns, strict=True)
        if column.title.endswith(" vs main")
    ]
    if not changes or not all(text == "0 %" or text.startswith("≈") for text in changes):
        return ""
    kept = (
        f"Nothing changed against main (run {main.run_id}): {now.power} MB stays, and no duration, "
        "cost or p95 differs beyond the noise."
    )
    lines = (f"## {markdown.text(found.verdict)}", markdown.text(f"{kept} {review.trend}"))
    return "\n\n".join(lines)
