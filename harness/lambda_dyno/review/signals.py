"""Issues of changes in main's history: what each says, and how they follow the history.

An issue's first line says which change it is of, and whether it was found or is gone. Everything
else in its text comes from rows, commits and names that others may have written, and passes
`report.markdown`; nothing of it is read again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from lambda_dyno.core import formatting
from lambda_dyno.core.results import SAFE_RUN_ID
from lambda_dyno.forge.issues import Issue
from lambda_dyno.history.commits import Between
from lambda_dyno.history.series import Record
from lambda_dyno.history.signals import Known, Level, Signal, Step, Trend, plan
from lambda_dyno.report import markdown
from lambda_dyno.review.comment_parts import safe_url

BEGINNING = "<!-- lambda-dyno signal: "
MOST_OPENED = 5  # at once: more of them have one cause, which is none of each
_FIRST = re.compile(
    rf"{re.escape(BEGINNING)}(?P<trend>[0-9a-f]{{16}}) (?P<run>{SAFE_RUN_ID.pattern})"
    r" (?P<said>found|gone) -->"
)
_NAME = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._:$/-]{0,139}")
_GONE = (
    "**Gone.** The history does not show this change any more: the level has come back, or "
    "further runs have shown that it was none."
)
_KEPT = (
    "`dyno signal` keeps this text up to date, and closes the issue when the change is gone. "
    "If it is meant to stay, close it: it is not opened again."
)


class IssueStore(Protocol):
    """The issues of a repository."""

    def ours(self, beginning: str) -> list[Issue]:
        """Return the issues that begin so and may be ours, oldest first."""

    def open(self, title: str, body: str) -> Issue:
        """Open an issue."""

    def change(self, number: int, body: str, *, is_open: bool) -> Issue:
        """Replace an issue's text, and open or close it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the code is.

    Attributes:
        repository: Its page, to which `/commit/SHA` leads on; empty: not known.
        between: What lies between two commits.
    """

    repository: str
    between: Callable[[str, str], Between]


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, or would be.

    Attributes:
        action: "none": the issue says already what it should.
        title: Of the change.
        number: Of the issue; 0: there is none yet.
        url: Its page.
    """

    action: Literal["opened", "updated", "reopened", "closed", "held back", "none"]
    title: str
    number: int = 0
    url: str = ""


def first_line(trend: str, signal: Signal) -> str:
    """Return the line that an issue begins with and is found by again."""
    return f"{BEGINNING}{trend} {signal.run_id} found -->"


def known(issues: Sequence[Issue]) -> list[Known]:
    """Return what issues say of former signals; one whose first line is none says nothing."""
    found = []
    for issue in issues:
        first = _FIRST.fullmatch(issue.body.partition("\n")[0])
        # somebody has opened again what we had closed: it is theirs now
        if first and not (issue.is_open and first["said"] == "gone"):
            closed: Literal["settled", "dismissed"]
            closed = "settled" if first["said"] == "gone" else "dismissed"
            state = "open" if issue.is_open else closed
            found.append(Known(issue.number, first["trend"], first["run"], state))
    return found


def follow(trends: Sequence[Trend], store: IssueStore, place: Place) -> Iterator[Done]:
    """Open, change and close issues, until they are what the history says.

    Args:
        trends: Of today's history.
        store: The issues.
        place: Where the code is.

    Raises:
        ForgeError: They cannot be read or written.
    """
    issues = {issue.number: issue for issue in store.ours(BEGINNING)}
    opened = 0
    for step in plan(trends, known(list(issues.values()))):
        if step.signal is None:
            yield _closed(store, issues[step.number])
            continue
        name = title(step.signal)
        if step.do == "open":
            opened += 1
            if opened > MOST_OPENED:
                yield Done("held back", name)
                continue
            made = store.open(name, body(step.trend, step.signal, place))
            yield Done("opened", name, made.number, made.url)
        else:
            yield _brought_up_to_date(store, issues[step.number], step, step.signal, place)


def _closed(store: IssueStore, issue: Issue) -> Done:
    first, _, rest = issue.body.partition("\n")
    text = f"{first.replace(' found -->', ' gone -->')}\n{_GONE}\n\n{rest.lstrip()}"
    made = store.change(issue.number, text, is_open=False)
    return Done("closed", f"issue {issue.number}", made.number, made.url)


def _brought_up_to_date(
    store: IssueStore, issue: Issue, step: Step, signal: Signal, place: Place
) -> Done:
    name, text = title(signal), body(step.trend, signal, place)
    if issue.is_open and issue.body.strip() == text.strip():
        return Done("none", name, issue.number, issue.url)
    made = store.change(issue.number, text, is_open=True)
    return Done("updated" if issue.is_open else "reopened", name, made.number, made.url)


def title(signal: Signal) -> str:
    """Return a change in a line, of which no character is somebody else's to choose freely."""
    key, metric = signal.key, signal.change.metric
    where = f" in {_safe(key.env, 'an environment')}" if key.env else ""
    embedded = " (embedded AWS)" if key.is_embedded else ""
    change = formatting.change(signal.change.found.ratio)
    return (
        f"{metric.title} of {_safe(key.function_name, 'a function')}{where}{embedded}: {change} %"
    )


def body(trend: str, signal: Signal, place: Place) -> str:
    """Return the text of an issue.

    Args:
        trend: Id of its trend.
        signal: The change.
        place: Where the code is.
    """
    return "\n\n".join(
        (f"{first_line(trend, signal)}\n{_sentence(signal)}", *_parts(signal, place))
    )


def _parts(signal: Signal, place: Place) -> Iterator[str]:
    yield _table(signal)
    change = signal.change
    if abs(signal.now / change.found.ratio - 1) >= 0.01:
        yield f"By now it is {formatting.change(signal.now)} % over what it was before."
    yield from _commits(change.before, change.after, place)
    runs = f"{change.before['run_id']} {change.after['run_id']}"
    yield (
        "The interval is of 95 %, as if the place had been known. The last three runs agree on "
        "the change; of a hundred trends in which nothing changes, two open an issue within 60 "
        f"runs. {markdown.code(f'dyno compare {runs}')} sets the two runs side by side."
    )
    yield _KEPT


def _sentence(signal: Signal) -> str:
    key = signal.key
    of = markdown.code(key.function_name)
    where = f" in {markdown.code(key.env)}" if key.env else ""
    aws = "the embedded AWS" if key.is_embedded else f"AWS {markdown.code(key.region)}"
    branch = f", branch {markdown.code(key.branch)}" if key.branch else ""
    return (
        f"**{signal.change.metric.title}** of {of}{where} ({aws}{branch}) is "
        f"**{signal.change.words}** since {_commit(signal.change.after)}."
    )


def _table(signal: Signal) -> str:
    change = signal.change
    rows = (
        ("before", signal.before, "last", change.before),
        ("after", signal.after, "first", change.after),
    )
    lines = ["| | level | runs | run next to the change |", "|---|---|---|---|"]
    lines += [_row(signal, *row) for row in rows]
    return "\n".join(lines)


def _row(signal: Signal, name: str, level: Level, which: str, record: Record) -> str:
    metric = signal.change.metric
    run = f"{which}: {markdown.code(record['run_id'])} of {record['started_at']:%Y-%m-%d %H:%M} UTC"
    shown = f"{metric.shown(level.mean)} {metric.unit}"
    return f"| {name} | {shown} | {level.runs} | {run}, {_commit(record)} |"


def _commit(record: Mapping[str, Any]) -> str:
    sha = str(record["git_sha"])
    if not sha:
        return "a commit that is not known"
    dirty = " with changes that are not committed" if record["is_dirty"] else ""
    return f"commit {markdown.code(sha[:9])}{dirty}"


def _commits(before: Record, after: Record, place: Place) -> Iterator[str]:
    old, new = str(before["git_sha"]), str(after["git_sha"])
    code = place.between(old, new)
    if code.problem:
        yield f"The commits between are not known here: {markdown.text(code.problem[:300])}."
    elif not code.commits:
        yield (
            "No commit lies between the two runs: look for what else changed (settings, region, "
            "dependencies, the machine)."
        )
    else:
        count = len(code.commits) + code.more
        files = f"; {markdown.text(code.files)}" if code.files else ""
        head = f"{count} commit{'s' if count > 1 else ''} between the two runs{files}:"
        lines = [f"- {_subject(commit)}" for commit in code.commits]
        lines += [f"- and {code.more} more"] if code.more else []
        yield "\n".join((head, "", *lines))
    url = safe_url(f"{place.repository}/compare/{old}...{new}") if place.repository else ""
    if url and old and new and old != new:
        yield f"[All changes between]({url})"


def _subject(commit: str) -> str:
    sha, _, subject = commit.partition(" ")
    return f"{markdown.code(sha[:9])} {markdown.text(subject[:200])}"


def _safe(name: str, instead: str) -> str:
    return name if _NAME.fullmatch(name) else instead
