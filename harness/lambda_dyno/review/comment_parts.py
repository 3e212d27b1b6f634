"""What a review tells, part by part: the report's sections, and what only a review knows.

Everything from outside (names, messages, settings, addresses) passes `report.markdown`.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit

from lambda_dyno.core.results import RunResult
from lambda_dyno.gates import recommendation, summary
from lambda_dyno.gates.load_phrases import load_sentence
from lambda_dyno.gates.objections import objections as objections_of
from lambda_dyno.report import markdown, tables
from lambda_dyno.report.glossary import glossary
from lambda_dyno.report.section import Content, Section
from lambda_dyno.report.sections import SECTIONS, memory
from lambda_dyno.report.teardown import teardown
from lambda_dyno.report.templating import markdown_table
from lambda_dyno.review import deltas, plan_summary
from lambda_dyno.review.deltas import Samples
from lambda_dyno.review.plan_summary import Plan

# Longer messages are cut: the whole text is in the artefact.
_MOST_OF_AN_ERROR = 3_000
_MOST_OF_A_LINE = 600
_MOST_OF_THE_DANGEROUS = 20
_MOST_OF_THE_CHECKS = 20

HOW_TO_APPLY = "How to apply"


@dataclass(frozen=True, slots=True)
class Flavour:
    """A place for text: how much fits, and what it can show.

    Attributes:
        name: What the place is called.
        most_bytes: The longest text, in bytes of UTF-8. GitHub documents 65,536 characters and
            CodeCommit 10,240; a byte count within those holds whichever way they count.
        marker: Invisible line that a comment is found by again, with a place for the key.
        diagrams: Whether Mermaid is drawn.
        folding: Whether `<details>` folds.
    """

    name: str
    most_bytes: int
    marker: str
    diagrams: bool
    folding: bool


GITHUB = Flavour("github", 65_536, "<!-- lambda-dyno review: {key} -->", True, True)
# CodeCommit shows HTML comments as text; a link that nothing refers to is seen nowhere.
CODECOMMIT = Flavour("codecommit", 10_240, "[//]: # (lambda-dyno review: {key})", False, False)
# GitLab takes a million characters; what is longer than GitHub's nobody reads
GITLAB = Flavour("gitlab", 65_536, "<!-- lambda-dyno review: {key} -->", True, True)
SUMMARY = Flavour("job summary", 1_048_576, "", True, True)


FLAVOURS = {flavour.name: flavour for flavour in (GITHUB, GITLAB, CODECOMMIT)}


@dataclass(frozen=True, slots=True)
class Review:
    """Everything that a review tells."""

    result: RunResult
    samples: Samples = field(default_factory=dict)
    baseline: RunResult | None = None  # the run on main to compare with
    baseline_samples: Samples = field(default_factory=dict)
    plan: Plan | None = None  # Terraform's, of what a merge changes
    artefact_url: str = ""  # where the whole evidence is
    trend: str = ""  # main's last runs in a line


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the text that is shown whole or not at all.

    Attributes:
        title: What a reader calls it; named when it is left out.
        text: Markdown.
        rank: The lowest stays longest.
        short: What to show where the whole does not fit; empty for nothing.
    """

    title: str
    text: str
    rank: int
    short: str = ""


def parts(review: Review, flavour: Flavour) -> Iterator[Part]:
    """Yield the parts that have something to say, in the order in which they are read."""
    return (part for part in _all(review, flavour) if part.text.strip())


def _all(review: Review, flavour: Flavour) -> Iterator[Part]:
    yield _outcome(review)
    for section in SECTIONS:
        content = section.content(review.result)
        if content is not None:
            yield _INSTEAD.get(section.key, _of_section)(review, section, content, flavour)
        if section.key in _AFTER:
            yield _AFTER[section.key](review, flavour)
    yield _changes(review, flavour)
    yield _details(review, flavour)


def _of_section(_: Review, section: Section, content: Content, flavour: Flavour) -> Part:
    """Return a section as the report has it; where there is little room, the checks' reasons."""
    blocks = [_line(content.sentence)] if content.sentence else []
    blocks += [markdown_table(content.table)] if content.table else []
    few = "\n".join(
        f"- {line.symbol} {_line(_clipped(line.reason, 160))}"
        for line in content.checks[:_MOST_OF_THE_CHECKS]
    )
    text = "\n\n".join(blocks)
    if section.folded:
        return Part(section.title, _folded(section.title, text, flavour), section.rank)
    return Part(
        section.title,
        _titled(section.title, text),
        section.rank,
        _titled(section.title, few) if few else "",
    )


def _outcome(review: Review) -> Part:
    """The outcome in a few lines; in fewer where there is little room."""
    whole, short = (_outcome_lines(review, brief=brief) for brief in (False, True))
    return Part("Outcome", whole, 0, short)


def _outcome_lines(review: Review, *, brief: bool) -> str:
    result = review.result
    found = summary.of(result)
    lines = [f"## {_line(found.verdict)}", f"**{_line(found.change)}**"]
    lines += [_line(found.speed), _line(found.finding)]
    if result.error:
        most = _MOST_OF_AN_ERROR // 10 if brief else _MOST_OF_AN_ERROR
        lines.append(f"What stopped the run:\n\n{markdown.fence(_clipped(result.error, most))}")
    lines += [
        f"> {_line(caveat)}" for caveat in recommendation.caveats(result)[: 1 if brief else 5]
    ]
    end = teardown(result)
    if not end.clean:
        lines.append(f"**{_line(end.text)}** {markdown.code(end.command) if end.command else ''}")
        lines.append("" if brief else _leftovers(result))
    return "\n\n".join(line.strip() for line in lines if line)


def _leftovers(result: RunResult) -> str:
    shown = (result.leftovers or ())[:20]
    return "\n".join(
        f"- {_line(f'{item.kind} {item.name}')}: {markdown.code(_clipped(item.remove, 300))}"
        for item in shown
    )


def _dangerous(review: Review, _: Flavour) -> Part:
    """What a merge destroys or replaces: bold, and never far down."""
    plan = review.plan
    if plan is None or not plan.dangerous:
        return Part("Destroyed or replaced", "", 1)
    caption = plan_summary.summary(plan)
    whole = plan_summary.table(plan.dangerous, caption)
    few = plan_summary.table(plan.dangerous[:_MOST_OF_THE_DANGEROUS], caption)
    more = len(plan.dangerous) - _MOST_OF_THE_DANGEROUS
    title = "⚠ Destroyed or replaced by Terraform"
    return Part(
        "Destroyed or replaced",
        _titled(title, markdown_table(whole)),
        1,
        _titled(title, f"{markdown_table(few)}\n\n**And {more:,} more.**") if more > 0 else "",
    )


def _memory(review: Review, section: Section, _: Content, __: Flavour) -> Part:
    """Return the memory sizes with what changed since main's run."""
    tuning = review.result.tuning
    assert tuning is not None
    baseline = review.baseline
    table = deltas.memory_table(tuning, baseline.tuning if baseline else None)
    note = _line(deltas.comparison_note(review.result, baseline)) if baseline else ""
    note = f"{note}\n\n{_line(review.trend)}".strip()
    marked = replace(table, rows=tuple(row for row in table.rows if row.marks), notes=())
    whole, short = (
        _titled(section.title, f"{markdown_table(shown)}\n\n{note}".strip())
        for shown in (table, marked)
    )
    return Part("Memory sizes", whole, section.rank, short)


def _curve(review: Review, flavour: Flavour) -> Part:
    tuning = review.result.tuning
    if tuning is None:
        return Part("Curve", "", 6)
    drawn = memory.drawn(tuning, diagrams=flavour.diagrams)
    url = safe_url(tuning.state_machine.visualization)
    parts = [drawn] if drawn else []
    parts += [f"[The curve, interactive]({url})"] if url else []
    return Part("Curve", "\n\n".join(parts), 6)


def _latency(review: Review, section: Section, _: Content, __: Flavour) -> Part:
    """Return the latencies with their intervals and what changed since main's run."""
    loads = review.result.load
    table = deltas.latency_table(loads, review.samples, review.baseline, review.baseline_samples)
    assert table is not None
    text = f"{_line(load_sentence(loads))}\n\n{markdown_table(table)}"
    title = "Latency under load"
    return Part(title, _titled(title, text), section.rank)


def _apply(review: Review, section: Section, content: Content, _: Flavour) -> Part:
    """Return how to apply it by a pull request, which the section leaves to a flag."""
    result = review.result
    tuning = result.tuning
    assert tuning is not None
    objections = objections_of(result)
    if result.function_arn:  # others deploy it, in a way that we cannot know
        text = "\n\n".join(
            f"{_line(step.text)}\n\n{markdown.fence(step.command)}" for step in content.steps
        )
    elif objections:
        lines = ["Not to be applied as it is:"]
        text = "\n".join([*lines, *(f"- {_line(objection.text)}" for objection in objections)])
    else:
        command = markdown.code(f"dyno apply {result.run_id} --open-pr")
        file = markdown.code(recommendation.tuned_path(result.env, recommendation.root_of(result)))
        back = markdown.code(f"dyno rollback --env {result.env}")
        text = (
            f"1. {command} opens a pull request that sets `memory_mb` to {tuning.power} in {file}. "
            "Where the run's folder is not at hand, give the artefact's `result.json` in place of "
            "the run id.\n"
            "2. Its review is the approval; the deployment after its merge puts it into force.\n"
            f"3. {back} writes the former value back."
        )
    return Part(HOW_TO_APPLY, _titled(section.title, text), section.rank)


def _changes(review: Review, flavour: Flavour) -> Part:
    plan = review.plan
    if plan is None:
        return Part("Terraform's other changes", "", 8)
    summary = plan_summary.summary(plan)
    if not plan.harmless:
        text = "" if plan.dangerous else _titled("Terraform", summary)
        return Part("Terraform's other changes", text, 8)
    table = markdown_table(plan_summary.table(plan.harmless, summary))
    text = _folded("Terraform's other changes" if plan.dangerous else summary, table, flavour)
    return Part("Terraform's other changes", text, 8, _titled("Terraform", summary))


def _details(review: Review, flavour: Flavour) -> Part:
    result = review.result
    if not flavour.folding:
        return Part("Settings", "", 9)
    tables_shown = (
        tables.pairs_table("Settings of the run", _without_payload(result.settings)),
        tables.timings_table(result.timings),
    )
    parts = [markdown_table(table) for table in tables_shown if table]
    parts.append(
        "\n".join(f"- **{markdown.text(t)}**: {markdown.text(m)}" for t, m in glossary(result))
    )
    text = "\n\n".join(part for part in parts if part)
    return Part("Settings", _folded("Settings, and what the numbers mean", text, flavour), 9)


def _without_payload(settings: dict[str, Any]) -> dict[str, Any]:
    """Leave the event out that the function was tuned with: a comment may be public."""
    tuning = settings.get("tuning")
    if not isinstance(tuning, dict):
        return settings
    return {**settings, "tuning": {k: v for k, v in tuning.items() if k != "payload"}}


def _titled(title: str, text: str) -> str:
    return f"### {title}\n\n{text}"


def _folded(title: str, text: str, flavour: Flavour) -> str:
    if not flavour.folding:
        return _titled(title, text)
    return f"<details><summary>{html.escape(title)}</summary>\n\n{text}\n\n</details>"


# Sections that a review has other figures or words for, and what it adds after a section.
_INSTEAD: Mapping[str, Callable[[Review, Section, Content, Flavour], Part]] = {
    "memory": _memory,
    "load": _latency,
    "apply": _apply,
}
_AFTER: Mapping[str, Callable[[Review, Flavour], Part]] = {"options": _dangerous, "memory": _curve}


# --- text ---------------------------------------------------------------------------------


def safe_url(url: str) -> str:
    """Return a web address that cannot end its own Markdown link; empty if it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return ""
    return quote(url, safe=":/?#&+,;=%-._~")


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most].rstrip()} … (cut)"


def _line(text: str) -> str:
    return markdown.text(_clipped(text, _MOST_OF_A_LINE))
