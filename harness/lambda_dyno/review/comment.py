"""The text of a review: whole sections, as many as the place allows, the important ones first.

Everything from outside (names, messages, settings, addresses) passes `report.markdown`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit

from lambda_dyno.core.errors import brief
from lambda_dyno.core.results import RunResult
from lambda_dyno.propose import proposal
from lambda_dyno.report import formatting, markdown, phrases, recommendation, tables
from lambda_dyno.report.glossary import meanings
from lambda_dyno.report.objections import objections as objections_of
from lambda_dyno.report.templating import markdown_table
from lambda_dyno.review import deltas, inline_chart, plan_summary
from lambda_dyno.review.deltas import Samples
from lambda_dyno.review.plan_summary import Plan

# Longer messages are cut: the whole text is in the artefact.
_MOST_OF_AN_ERROR = 3_000
_MOST_OF_A_LINE = 600
_MOST_OF_THE_DANGEROUS = 20
_MOST_OF_THE_CHECKS = 20

_KEY = re.compile(r"[A-Za-z0-9_-]{1,40}")


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
SUMMARY = Flavour("job summary", 1_048_576, "", True, True)


@dataclass(frozen=True, slots=True)
class Review:
    """Everything that a review tells."""

    result: RunResult
    samples: Samples = field(default_factory=dict)
    baseline: RunResult | None = None  # the run on main to compare with
    baseline_samples: Samples = field(default_factory=dict)
    plan: Plan | None = None  # Terraform's, of what a merge changes
    artefact_url: str = ""  # where the whole evidence is


@dataclass(frozen=True, slots=True)
class Section:
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


@dataclass(frozen=True, slots=True)
class Composed:
    """A finished text."""

    text: str
    left_out: tuple[str, ...]  # titles of the sections that did not fit, or not as a whole

    @property
    def bytes(self) -> int:
        """Its size in UTF-8."""
        return size(self.text)


def marker(flavour: Flavour, key: str) -> str:
    """Return the line that a comment begins with and is found by again.

    Args:
        flavour: The place.
        key: Tells the comments of several gates on one pull request apart.

    Raises:
        ValueError: The key could end the marker early.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(
            f"{brief(repr(key))}: use up to 40 letters, digits, hyphens and underscores"
        )
    return flavour.marker.format(key=key)


def compose(
    review: Review, flavour: Flavour, *, key: str = "gate", most_bytes: int = 0
) -> Composed:
    """Return the text of a review for a place.

    Args:
        review: What to tell.
        flavour: The place.
        key: Tells the comments of several gates on one pull request apart.
        most_bytes: Less room than the place has; 0 for all of it.
    """
    head = marker(flavour, key) + "\n" if flavour.marker else ""
    room = min(most_bytes or flavour.most_bytes, flavour.most_bytes)
    made = [section for section in _sections(review, flavour) if section.text.strip()]
    return fit(head, made, review.artefact_url, room)


def describe_proposal(file: str, env: str, review: Review) -> str:
    """Return the text of the pull request that proposes a run's memory size.

    Args:
        file: The file that it changes.
        env: The environment.
        review: The run that is the evidence.
    """
    back = markdown.code(f"dyno rollback --env {env}")
    head = (
        f"This changes {markdown.code(file)} only. Its review is the approval; the deployment "
        f"after its merge puts the size into force, and {back} writes the former size back.\n\n"
    )
    made = [section for section in _sections(review, GITHUB) if section.title != "How to apply"]
    shown = [section for section in made if section.text.strip()]
    return fit(head, shown, review.artefact_url, GITHUB.most_bytes).text


def fit(head: str, sections: Sequence[Section], artefact_url: str, most_bytes: int) -> Composed:
    """Join whole sections, and name at the end what did not fit.

    Args:
        head: What comes first, whatever happens.
        sections: In the order in which they are shown; the first one is cut if need be.
        artefact_url: Where the rest is.
        most_bytes: How long the text may become.
    """
    everything = _joined(head, [section.text for section in sections], artefact_url, ())
    if size(everything) <= most_bytes:
        return Composed(everything, ())
    titles = tuple(section.title for section in sections)
    used = size(_joined(head, [], artefact_url, titles))  # the longest last line there can be
    chosen: dict[int, str] = {}
    for index in sorted(range(len(sections)), key=lambda i: sections[i].rank):
        for text in (sections[index].text, sections[index].short):
            cost = size(text) + 2
            if text and used + cost <= most_bytes:
                chosen[index] = text
                used += cost
                break
    if 0 not in chosen and sections:
        chosen[0] = _cut(sections[0].text, most_bytes - used - 2)
    left_out = tuple(s.title for i, s in enumerate(sections) if chosen.get(i) != s.text)
    texts = [chosen[index] for index in sorted(chosen)]
    return Composed(_joined(head, texts, artefact_url, left_out), left_out)


def size(text: str) -> int:
    """Return the length of a text in bytes of UTF-8."""
    return len(text.encode(errors="replace"))


def safe_url(url: str) -> str:
    """Return a web address that cannot end its own Markdown link; empty if it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return ""
    return quote(url, safe=":/?#&+,;=%-._~")


# --- joining --------------------------------------------------------------------------------


def _joined(head: str, texts: Iterable[str], artefact_url: str, left_out: Sequence[str]) -> str:
    parts = [*(text.strip() for text in texts), _last_line(artefact_url, left_out)]
    body = "\n\n".join(part for part in parts if part)
    return f"{head}{body}\n"


def _last_line(artefact_url: str, left_out: Sequence[str]) -> str:
    url = safe_url(artefact_url)
    where = f"[the whole report]({url})" if url else "report.html in the run's artefact"
    if left_out:
        return f"Left out here for its length: {', '.join(left_out)}. It is in {where}."
    return f"More in {where}." if url else ""


def _cut(text: str, most_bytes: int) -> str:
    """Cut a text at a character, whatever is lost: better than no comment at all."""
    kept = text.encode(errors="replace")[: max(0, most_bytes - 4)].decode(errors="ignore")
    return f"{kept} …"


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most].rstrip()} … (cut)"


def _line(text: str) -> str:
    return markdown.text(_clipped(text, _MOST_OF_A_LINE))


# --- sections -------------------------------------------------------------------------------


def _sections(review: Review, flavour: Flavour) -> list[Section]:
    """Return all sections in the order in which they are read."""
    return [
        _outcome(review),
        _verdict(review),
        _smoke(review),
        _dangerous(review),
        _memory(review),
        _curve(review, flavour),
        _latency(review),
        _regression(review),
        _apply(review),
        _changes(review, flavour),
        _details(review, flavour),
    ]


def _outcome(review: Review) -> Section:
    """The outcome in a few lines; in fewer where there is little room."""
    whole, short = (_outcome_lines(review, brief=brief) for brief in (False, True))
    return Section("Outcome", whole, 0, short)


def _outcome_lines(review: Review, *, brief: bool) -> str:
    result = review.result
    head = phrases.headline(result)
    about = [result.env, f"run {result.run_id}"]
    if result.git_sha:
        about.append(f"commit {phrases.commit(result.git_sha)}")
    lines = [
        f"## {head.symbol} {markdown.text(head.text)}",
        "Lambda Dyno: " + ", ".join(_line(part) for part in about),
    ]
    if result.error:
        most = _MOST_OF_AN_ERROR // 10 if brief else _MOST_OF_AN_ERROR
        lines.append(f"What stopped the run:\n\n{markdown.fence(_clipped(result.error, most))}")
    said = recommendation.recommendation(result.tuning)
    lines.append(f"**{_line(said)}**" if said else "No recommendation: nothing was tuned.")
    lines += [
        f"> {_line(caveat)}" for caveat in recommendation.caveats(result)[: 1 if brief else 5]
    ]
    end = phrases.teardown(result)
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


def _verdict(review: Review) -> Section:
    table = tables.verdict_table(review.result.verdict)
    if table is None:
        return Section("Verdict", "", 1)
    lines = phrases.verdict_lines(review.result.verdict)[:_MOST_OF_THE_CHECKS]
    few = "\n".join(f"- {line.symbol} {_line(_clipped(line.reason, 160))}" for line in lines)
    return Section("Verdict", _titled("Verdict", markdown_table(table)), 1, _titled("Verdict", few))


def _smoke(review: Review) -> Section:
    table = tables.smoke_table(review.result)
    return Section("Smoke test", _titled("Smoke test", markdown_table(table)) if table else "", 3)


def _dangerous(review: Review) -> Section:
    """What a merge destroys or replaces: bold, and never far down."""
    plan = review.plan
    if plan is None or not plan.dangerous:
        return Section("Destroyed or replaced", "", 2)
    caption = plan_summary.summary(plan)
    whole = plan_summary.table(plan.dangerous, caption)
    few = plan_summary.table(plan.dangerous[:_MOST_OF_THE_DANGEROUS], caption)
    more = len(plan.dangerous) - _MOST_OF_THE_DANGEROUS
    title = "⚠ Destroyed or replaced by Terraform"
    return Section(
        "Destroyed or replaced",
        _titled(title, markdown_table(whole)),
        2,
        _titled(title, f"{markdown_table(few)}\n\n**And {more:,} more.**") if more > 0 else "",
    )


def _memory(review: Review) -> Section:
    tuning = review.result.tuning
    if tuning is None:
        return Section("Memory sizes", "", 4)
    baseline = review.baseline
    table = deltas.memory_table(tuning, baseline.tuning if baseline else None)
    note = _line(deltas.comparison_note(review.result, baseline)) if baseline else ""
    marked = replace(table, rows=tuple(row for row in table.rows if row.marks), notes=())
    title = "Cost and duration by memory size"
    return Section(
        "Memory sizes",
        _titled(title, f"{markdown_table(table)}\n\n{note}".strip()),
        4,
        _titled(title, f"{markdown_table(marked)}\n\n{note}".strip()),
    )


def _curve(review: Review, flavour: Flavour) -> Section:
    tuning = review.result.tuning
    if tuning is None:
        return Section("Curve", "", 6)
    drawn = (
        inline_chart.mermaid(tuning)
        if flavour.diagrams
        else markdown.fence(inline_chart.bars(tuning))
    )
    url = safe_url(tuning.state_machine.visualization)
    parts = [drawn] if inline_chart.bars(tuning) else []
    parts += [f"[The curve, interactive]({url})"] if url else []
    return Section("Curve", "\n\n".join(parts), 6)


def _latency(review: Review) -> Section:
    baseline = review.baseline
    table = deltas.latency_table(
        review.result.load, review.samples, baseline, review.baseline_samples
    )
    if table is None:
        return Section("Latency under load", "", 5)
    said = _line(phrases.load_sentence(review.result.load))
    text = f"{said}\n\n{markdown_table(table)}"
    return Section("Latency under load", _titled("Latency under load", text), 5)


def _regression(review: Review) -> Section:
    """The comparison in turns, which unlike a delta to main's last run can decide something."""
    found = review.result.regression
    table = tables.regression_table(found)
    if table is None:
        return Section("Against the baseline", "", 3)
    text = f"{_line(phrases.regression_sentence(found))}\n\n{markdown_table(table)}"
    return Section("Against the baseline", _titled("Against the baseline", text), 3)


def _apply(review: Review) -> Section:
    result = review.result
    tuning = result.tuning
    if tuning is None or tuning.power == tuning.current_power:
        return Section("How to apply", "", 7)
    if recommendation.tuned_function(
        result
    ):  # a function that others deploy, in a way that we cannot know
        return Section("How to apply", _titled("How to apply it", _steps(result)), 7)
    objections = objections_of(result)
    if objections:
        lines = ["Not to be applied as it is:"]
        lines += [f"- {_line(objection.text)}" for objection in objections]
        return Section("How to apply", _titled("How to apply it", "\n".join(lines)), 7)
    command = markdown.code(f"dyno apply {result.run_id} --open-pr")
    file = markdown.code(proposal.tuned_path(result.env).as_posix())
    back = markdown.code(f"dyno rollback --env {result.env}")
    text = (
        f"1. {command} opens a pull request that sets `memory_mb` to {tuning.power} in {file}. "
        "Where the run's folder is not at hand, give the artefact's `result.json` in place of "
        "the run id.\n"
        "2. Its review is the approval; the deployment after its merge puts it into force.\n"
        f"3. {back} writes the former value back."
    )
    return Section("How to apply", _titled("How to apply it", text), 7)


def _steps(result: RunResult) -> str:
    steps = recommendation.how_to_apply(result)
    parts = (f"{_line(step.text)}\n\n{markdown.fence(step.command)}" for step in steps)
    return "\n\n".join(parts)


def _changes(review: Review, flavour: Flavour) -> Section:
    plan = review.plan
    if plan is None:
        return Section("Terraform's other changes", "", 8)
    said = plan_summary.summary(plan)
    if not plan.harmless:
        text = "" if plan.dangerous else _titled("Terraform", said)
        return Section("Terraform's other changes", text, 8)
    table = markdown_table(plan_summary.table(plan.harmless, said))
    text = _folded("Terraform's other changes" if plan.dangerous else said, table, flavour)
    return Section("Terraform's other changes", text, 8, _titled("Terraform", said))


def _details(review: Review, flavour: Flavour) -> Section:
    result = review.result
    if not flavour.folding:
        return Section("Settings", "", 9)
    made = (
        tables.pairs_table("Settings of the run", _without_payload(result.settings)),
        tables.timings_table(result.timings),
    )
    parts = [markdown_table(table) for table in made if table]
    parts.append(
        "\n".join(f"- **{markdown.text(t)}**: {markdown.text(m)}" for t, m in meanings(result))
    )
    cost = ""
    if result.tuning is not None:
        machine = result.tuning.state_machine
        spent = machine.execution_cost_usd + machine.lambda_cost_usd
        cost = f"Tuning itself cost {formatting.usd(spent)} USD."
    text = "\n\n".join(part for part in [cost, *parts] if part)
    return Section("Settings", _folded("Settings, and what the numbers mean", text, flavour), 9)


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
