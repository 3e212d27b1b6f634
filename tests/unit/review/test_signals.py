"""Issues of changes, on a server in GitHub's place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from lambda_dyno.forge.comments import ForgeError
from lambda_dyno.forge.issues import LABEL, GitHubIssues
from lambda_dyno.forge.rest_api import ForgeApi
from lambda_dyno.forge.retry import RetryBudget
from lambda_dyno.history.commits import Between
from lambda_dyno.history.series import Record, series_of
from lambda_dyno.history.signals import trends
from lambda_dyno.review import signals
from tests.support import github_server
from tests.support.github_server import MOST_CHARACTERS, REPOSITORY, TOKEN, Fault, GitHub
from tests.unit.history.test_signals import runs

WEB = f"https://github.com/{REPOSITORY}"
STEPPED = runs((20, 20.0), (10, 26.0))
BACK = runs((20, 20.0), (10, 26.0), (16, 20.0))
HOSTILE = "@everyone **x** <img src=x> [a](https://evil.example) #1 | `b` --> https://evil.example"
BETWEEN = Between((f"1234567890abcdef {HOSTILE}", "abcdef1234567890 Cache more"), 3, "2 files")


@pytest.fixture
def server() -> Iterator[GitHub]:
    """GitHub's place; at the end it has nothing to complain of."""
    with github_server.running() as running:
        yield running
        assert running.complaints == []


Follow = Callable[[Sequence[Record]], list[str]]


@pytest.fixture
def follow(server: GitHub) -> Follow:
    """Lets the issues follow some runs; returns what was done."""
    budget = RetryBudget(sleep=lambda _: None)
    store = GitHubIssues(ForgeApi(server.url, TOKEN, budget), REPOSITORY)
    place = signals.Place(WEB, lambda before, after: BETWEEN)

    def followed(records: Sequence[Record]) -> list[str]:
        done = signals.follow(trends(series_of(records)), store, place)
        return [f"{each.action} {each.number}" for each in done]

    return followed


def test_an_issue_is_opened_once(server: GitHub, follow: Follow) -> None:
    """With the figure, the size, its interval, and the commits between."""
    assert follow(STEPPED) == ["opened 100"]
    assert follow(STEPPED) == ["none 100"]
    (issue,) = server.issues
    assert issue["title"].startswith("Duration of crud-api in dev: +")
    assert [label["name"] for label in issue["labels"]] == [LABEL]
    text = issue["body"]
    assert "**Duration** of `crud-api` in `dev` (AWS `eu-west-1`, branch `main`) is **+" in text
    assert " to " in text and "95 %" in text
    assert "| before | 20." in text and "last: `r19`" in text and "first: `r20`" in text
    assert "5 commits between the two runs; 2 files:" in text
    assert "Cache more" in text and "and 3 more" in text
    old, new = STEPPED[19]["git_sha"], STEPPED[20]["git_sha"]
    assert f"]({WEB}/compare/{old}...{new})" in text
    assert server.methods() == ["GET", "POST", "GET"]


def test_more_runs_bring_the_same_issue_up_to_date(server: GitHub, follow: Follow) -> None:
    """One issue, whose first line stays; people may have given it another title."""
    follow(STEPPED)
    server.issues[0]["title"] = "Our checkout is slow"
    first = server.issues[0]["body"]
    more = runs((20, 20.0), (16, 26.0))
    assert follow(more) == ["updated 100"]
    assert follow(more) == ["none 100"]
    (issue,) = server.issues
    assert issue["title"] == "Our checkout is slow"
    assert issue["state"] == "open"
    assert issue["body"] != first
    assert issue["body"].partition("\n")[0] == first.partition("\n")[0]


def test_what_is_gone_is_closed_once_and_opened_again_if_it_comes_back(
    server: GitHub, follow: Follow
) -> None:
    """It is the same issue."""
    follow(STEPPED)
    assert follow(BACK) == ["closed 100"]
    (issue,) = server.issues
    assert (issue["state"], issue["state_reason"]) == ("closed", "completed")
    assert "**Gone.**" in issue["body"] and "`crud-api`" in issue["body"]
    assert follow(BACK) == []
    assert follow(STEPPED) == ["reopened 100"]
    assert "Gone" not in issue["body"]
    assert follow(STEPPED) == ["none 100"]


def test_what_somebody_has_closed_stays_closed(server: GitHub, follow: Follow) -> None:
    """And what somebody has opened again stays open."""
    follow(STEPPED)
    server.issues[0]["state"] = "closed"
    assert follow(STEPPED) == []
    assert follow(runs((20, 20.0), (16, 26.0))) == []
    server.issues[0]["state"] = "open"
    follow(BACK)
    server.issues[0]["state"] = "open"
    before = len(server.requests)
    assert follow(BACK) == []
    assert server.methods()[before:] == ["GET"]


def test_a_history_that_is_lost_closes_nothing(server: GitHub, follow: Follow) -> None:
    """As with a cache that is empty."""
    follow(STEPPED)
    assert follow([]) == []
    assert follow(STEPPED[28:]) == []
    assert server.issues[0]["state"] == "open"


def test_a_strangers_issue_is_not_ours(server: GitHub, follow: Follow) -> None:
    """Nor is one without the label, a pull request, or a first line that is none."""
    follow(STEPPED)
    body = server.issues.pop()["body"]
    labels = [LABEL]
    server.add_issue("x", body, {"login": "eve", "type": "User"}, labels=labels)
    server.add_issue("x", body)
    server.add_issue("x", body, labels=labels, pull_request={})
    server.add_issue("x", f"> {body}", labels=labels)
    server.add_issue("x", f"{signals.BEGINNING}../../x r20 found -->\n", labels=labels)
    theirs = [dict(issue) for issue in server.issues]
    assert follow(STEPPED) == ["opened 105"]
    assert follow(BACK) == ["closed 105"]
    assert server.issues[:5] == theirs


def test_an_issue_on_the_third_page_is_found(server: GitHub, follow: Follow) -> None:
    """Whatever has the label."""
    for number in range(250):
        server.add_issue(f"talk {number}", "words", labels=[LABEL])
    assert follow(STEPPED) == ["opened 350"]
    assert follow(STEPPED) == ["none 350"]
    assert server.methods().count("GET") == 6


def test_more_issues_than_are_read_open_no_second_one(
    server: GitHub, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be among those that are not."""
    monkeypatch.setattr("lambda_dyno.forge.rest_api._MOST_PAGES", 1)
    monkeypatch.setattr("lambda_dyno.forge.issues.MOST_ENTRIES", 100)
    for number in range(101):
        server.add_issue(f"talk {number}", "words", labels=[LABEL])
    with pytest.raises(ForgeError, match="100 issues with the label lambda-dyno"):
        follow(STEPPED)
    assert len(server.issues) == 101


@pytest.mark.parametrize("after", [True, False])
def test_a_lost_answer_opens_no_second_issue(server: GitHub, follow: Follow, after: bool) -> None:
    """It is looked for before it is asked again."""
    server.faults = [Fault(method="POST", after=after)]
    assert follow(STEPPED) == ["opened 100"]
    assert len(server.issues) == 1
    assert follow(STEPPED) == ["none 100"]


def test_a_refusal_names_the_permission(server: GitHub, follow: Follow) -> None:
    """In one line."""
    message = "Resource not accessible by integration"
    server.faults = [Fault(403, message=message, method="POST")]
    with pytest.raises(ForgeError, match=r"cannot open an issue in .* lacks `issues: write`") as no:
        follow(STEPPED)
    assert "\n" not in str(no.value)


def test_many_changes_at_once_are_held_back(server: GitHub, follow: Follow) -> None:
    """Five issues, and the next time the others."""
    names = [f"f{number}" for number in range(8)]
    every = [run for name in names for run in runs((20, 20.0), (10, 26.0), function_name=name)]
    done = follow(every)
    assert sum(each.startswith("opened") for each in done) == signals.MOST_OPENED == 5
    assert sum(each.startswith("held back") for each in done) == 3
    follow(every)
    assert len(server.issues) == 8
    assert set(follow(every)) == {f"none {100 + number}" for number in range(8)}


def test_words_of_others_are_words(server: GitHub, follow: Follow) -> None:
    """Names, branches and subjects become no markup, no link and no mention."""
    named = {"function_name": HOSTILE, "env": HOSTILE, "branch": HOSTILE, "region": HOSTILE}
    follow(runs((20, 20.0), (10, 26.0), **named))
    (issue,) = server.issues
    assert issue["title"].startswith("Duration of a function in an environment: +")
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(issue["body"])
    assert "<img" not in shown and "evil.example/" not in shown
    assert shown.count("<a ") == 1 and f'href="{WEB}/compare/' in shown
    assert "@everyone" not in re.sub(r"<code>.*?</code>", "", shown)
    assert len(issue["body"]) < MOST_CHARACTERS


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (Between(problem="commit abc is not in this clone (git fetch)"), "are not known here: "),
        (Between(), "No commit lies between the two runs"),
    ],
)
def test_without_commits_it_says_why(code: Between, said: str) -> None:
    """And an issue it is all the same."""
    (trend,) = trends(series_of(STEPPED))
    place = signals.Place("", lambda before, after: code)
    text = signals.body(trend.id, trend.signals[0], place)
    assert said in text
    assert "](" not in text


def test_a_run_without_a_commit_is_said_so() -> None:
    """And one with changes that are not committed."""
    (trend,) = trends(series_of(STEPPED))
    signal = trend.signals[0]
    change = signal.change
    other = replace(
        signal,
        change=replace(
            change,
            before={**change.before, "git_sha": ""},
            after={**change.after, "is_dirty": True},
        ),
        now=1.1,
    )
    text = signals.body(trend.id, other, signals.Place(WEB, lambda before, after: Between()))
    assert "a commit that is not known" in text
    assert "with changes that are not committed" in text
    assert "By now it is +10" in text
    assert "/compare/" not in text
