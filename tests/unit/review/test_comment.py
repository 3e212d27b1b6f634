"""The text of a review: what it says, what fits, and that nothing in it becomes markup."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from markdown_it import MarkdownIt

from lambda_dyno.core.results import Check, Leftover, Sample, SmokeFailure, SmokeResult, Verdict
from lambda_dyno.review import comment
from lambda_dyno.review.comment import compose, fit, size
from lambda_dyno.review.comment_parts import (
    CODECOMMIT,
    GITHUB,
    SUMMARY,
    Flavour,
    Part,
    Review,
)
from lambda_dyno.review.plan_summary import Change, Plan
from tests.support import report_samples as samples

HOSTILE = (
    "| x | </details><img src=x onerror=1> [click](https://evil.example) ![i](u) `code` **bold**\n"
    "# head @team other/repo#12 <!-- lambda-dyno review: gate --> $a$ \x1b[31mred\u202e\u0000"
)
SHOWN = (
    "| x | </details><img src=x onerror=1> [click](https://evil.example) ![i](u) `code` "
    "**bold** # head @team other/repo#12 <!-- lambda-dyno review: gate --> $a$ red"
)

# GitHub's own Mermaid and folds are among them; nothing that loads or runs is.
PLAIN_TAGS = (
    {"a", "blockquote", "code", "details", "h2", "h3", "li", "ol", "p", "pre", "strong"}
    | {"summary", "ul"}
    | {"table", "tbody", "td", "th", "thead", "tr"}
)


# What GitHub makes a link of without any markup.
BARE_ADDRESS = re.compile(r"(?:https?|ftp)://\w|\bwww\.\w|(?:mailto|xmpp):\w", re.IGNORECASE)


class Page(HTMLParser):
    """What a browser would make of a comment."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.opened: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()
        self.links: set[str | None] = set()
        self.comments: list[str] = []
        self.cells: list[str] = []
        self.widths_of_tables_differ: list[int] = []
        self.text_outside_of_code = ""
        self._widths: list[int] = []

    @property
    def tags(self) -> set[str]:
        """All elements."""
        return set(self.opened)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened[tag] += 1
        self.links |= {value for name, value in attrs if name == "href"}
        if tag == "table":
            self._widths = []
        elif tag == "tr":
            self._widths.append(0)
        elif tag in ("td", "th"):
            self._widths[-1] += 1
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self.closed[tag] += 1
        if tag == "table" and len(set(self._widths)) > 1:
            self.widths_of_tables_differ += self._widths

    def handle_data(self, data: str) -> None:
        if (
            self.cells
            and self.opened["td"] + self.opened["th"] > self.closed["td"] + self.closed["th"]
        ):
            self.cells[-1] += data.replace("\u200b", "")
        if self.opened["code"] == self.closed["code"]:
            self.text_outside_of_code += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def section_of(text: str, title: str) -> str:
    """Return what stands below a heading."""
    _, _, rest = text.partition(f"### {title}\n")
    return rest.partition("\n### ")[0]


ABOUT = ("dyno-crud", "local", "128 MB", "commit 1b98e3c09", "run 261120-2243-k3f9")


def test_a_review_says_verdict_figures_and_what_to_do() -> None:
    """In the order in which a reviewer needs it, behind the marker."""
    text = compose(Review(samples.run()), GITHUB).text
    assert text.startswith(
        "<!-- lambda-dyno review: gate -->\n## ✓ PASS: all 5 SLOs are met · dyno-crud"
    )
    headings = re.findall(r"^###? (.*)$", text, re.MULTILINE)
    assert headings == [
        " · ".join(["✓ PASS: all 5 SLOs are met", *ABOUT]),
        "What to choose from",
        "Verdict",
        "Cost and duration by memory size",
        "Latency under load",
        "How to apply it",
    ]
    assert "Set memory_mb from 128 to 512: 4.7 times as fast" in text
    assert "| 512 | recommended | 15.2 | 15.0 | 28.2 | 0.133 | 1 | 0 |" in text
    assert "`dyno apply 261120-2243-k3f9 --open-pr`" in text
    assert "`dyno rollback --env local`" in text


def test_a_failed_slo_is_named_with_its_reason_first() -> None:
    """A reader of the first lines knows why the gate is closed."""
    check = Check("latency_p95_ms", 100.0, 178.0, "fail", "p95 at 128 MB is 178 ms", "ms")
    missed = samples.run(verdict=Verdict("fail", (*samples.VERDICT.checks[1:], check)))
    assert "dyno apply 261120-2243-k3f9" in compose(Review(missed), GITHUB).text
    run = replace(missed, load=missed.load[:1])  # nobody knows how the other size fares
    text = compose(Review(run), GITHUB).text
    assert "## ✗ MISSED: Latency p95 178 ms, limit 100 ms · dyno-crud" in text
    rows = [line for line in section_of(text, "Verdict").splitlines() if line.startswith("| ")]
    assert rows[2].startswith(
        "| Latency p95 | ✗ fail | 100 ms | 178 ms | −78 % | p95 at 128 MB is 178 ms"
    )
    assert "Not to be applied as it is:\n- run 261120-2243-k3f9 misses its SLOs: p95 at" in text


def test_a_comparison_with_the_baseline_is_a_section_of_its_own() -> None:
    """Its figures were measured beside each other, unlike the delta to main's last run."""
    text = compose(Review(samples.run(regression=samples.regression())), GITHUB).text
    section = section_of(text, "Against the baseline")
    assert "| p95 (ms) | 41.0 | 45.5 | 1.110 | 1.080 | 1.140 | ✗ fail |" in section
    assert "In turns with main (1a2b3c4d5): 30 pairs of blocks" in section


def test_a_failed_run_says_what_stopped_it() -> None:
    """Without figures there is still a comment."""
    smoke = SmokeResult(3, 9, (SmokeFailure("create", "is 201", "expected 500 | to be 201"),))
    left = (Leftover("lambda function", "dyno-x", "aws lambda delete-function"),)
    run = samples.run(
        error="boom\n```\nstill inside",
        smoke=smoke,
        tuning=None,
        load=(),
        verdict=None,
        leftovers=left,
    )
    text = compose(Review(run), GITHUB).text
    assert "## ✗ FAILED: boom" in text
    assert "````\nboom\n```\nstill inside\n````" in text
    assert "| create | is 201 | expected 500 \\| to be 201 |" in text
    assert "lambda function dyno-x: `aws lambda delete-function`" in text
    assert "How to apply" not in text


def test_a_tuned_function_of_others_is_theirs_to_change() -> None:
    """In the file of whoever deploys it, and not in one of ours."""
    settings = {"tuning": {"function_arn": samples.TUNING.function_arn, "payload": "secret"}}
    run = samples.run(env="function dyno-crud", settings=settings)
    whole = compose(Review(run), GITHUB).text
    assert "secret" not in whole
    text = section_of(whole, "How to apply it")
    assert "dyno apply --write FILE does" in text
    assert "--open-pr" not in text
    assert "--function-name dyno-crud --memory-size 512" in text


def test_the_curve_is_drawn_by_github_and_in_characters_elsewhere() -> None:
    """Two charts, as Mermaid has one scale and no legend; and the interactive one's address."""
    machine = replace(samples.TUNING.state_machine, visualization="https://lambda.example/#a;b)c")
    review = Review(samples.run(tuning=replace(samples.TUNING, state_machine=machine)))
    text = compose(review, GITHUB).text
    assert text.count("```mermaid\n") == 2
    assert 'x-axis ["128 now", "256", "512 best", "1024", "1769"]' in text
    assert "line [71.45, 27.51, 15.17, 10.32, 10.57]" in text
    assert "[The curve, interactive](https://lambda.example/#a;b%29c)" in text
    plain = compose(review, CODECOMMIT).text
    assert "mermaid" not in plain
    assert "<details>" not in plain
    assert re.search(r"512 MB {2}█+.* {2}best$", plain, re.MULTILINE)


def test_a_curve_of_many_sizes_keeps_those_that_matter() -> None:
    """46 labels would run into each other; the table has them all."""
    text = compose(Review(samples.run(tuning=samples.many_sizes())), GITHUB).text
    (axis, _) = re.findall(r"x-axis \[(.*)\]", text)
    labels = axis.split(", ")
    assert len(labels) <= 14
    assert labels[0] == '"192"'
    assert labels[-1] == '"3008"'
    assert '"1792 best"' in labels
    assert (
        len(re.findall(r"^\| \d+ \|", section_of(text, "Cost and duration by memory size"), re.M))
        == 46
    )


def test_one_size_is_no_curve() -> None:
    """A line needs two points."""
    tuning = samples.tuning(samples.detail(512, 15.0), power=512, current=512)
    text = compose(Review(samples.run(tuning=tuning)), GITHUB).text
    assert "mermaid" not in text
    assert "```" not in compose(Review(samples.run(tuning=tuning)), CODECOMMIT).text


def test_figures_are_compared_with_main() -> None:
    """A change that the noise allows is marked as one."""
    main = samples.tuning(
        samples.detail(128, 71.45 / 1.3), samples.detail(256, 27.51), power=256, current=128
    )
    baseline = samples.run(run_id="261119-0900-main", tuning=main)
    text = compose(Review(samples.run(), baseline=baseline), GITHUB).text
    rows = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")]
        for line in section_of(text, "Cost and duration by memory size").splitlines()
        if line.startswith("| ")
    }
    assert rows["128"][9] == "+30 %"
    assert rows["256"][9] == "≈ 0 %"
    assert rows["512"][9:11] == ["–", "–"]
    assert "Compared with run 261119-0900-main of main." in text
    assert "the 95 % intervals overlap" in text


def test_another_kind_of_baseline_is_said() -> None:
    """Figures of another region compare machines, not changes."""
    main = replace(samples.TUNING, region="eu-west-1")
    text = compose(Review(samples.run(), baseline=samples.run(tuning=main)), GITHUB).text
    assert "which had another region: read the changes with care." in text


def test_percentiles_have_their_intervals_where_the_requests_are_at_hand() -> None:
    """Of the very requests that the figures are of, or none."""
    requests = [
        Sample(float(i), value, i % 10, i // 10, "list", 200, "")
        for i, value in enumerate(samples.CURRENT)
    ]
    text = compose(Review(samples.run(), {"current": requests}), GITHUB).text
    (row,) = [line for line in text.splitlines() if line.startswith("| current | 128 |")]
    low, point, high = (
        float(number)
        for number in (
            *re.findall(r"\| 178 \(([\d.]+) to", row),
            "178",
            *re.findall(r"178 \([\d.]+ to ([\d.]+)\)", row),
        )
    )
    assert low < point < high
    other = {"current": requests[: len(requests) // 2]}
    assert (
        " to "
        not in section_of(compose(Review(samples.run(), other), GITHUB).text, "Latency under load")
        .partition("**Load")[2]
        .partition("###")[0]
    )


def test_what_is_destroyed_comes_before_all_figures_and_in_bold() -> None:
    """Nobody scrolls past it."""
    plan = Plan(
        (Change("destroy", "aws_dynamodb_table.items", ""), Change("create", "aws_x.y", ""))
    )
    text = compose(Review(samples.run(), plan=plan), GITHUB).text
    assert "| **destroy** | **aws_dynamodb_table.items** |" in text
    assert text.index("Destroyed or replaced") < text.index("Cost and duration")
    assert text.index("aws_x.y") > text.index("How to apply")


def test_a_plan_without_changes_says_so() -> None:
    """Silence would leave the question open."""
    assert (
        "Terraform changes no resource."
        in compose(Review(samples.run(), plan=Plan(())), GITHUB).text
    )


@pytest.mark.parametrize("flavour", [GITHUB, CODECOMMIT, SUMMARY], ids=lambda f: f.name)
def test_nothing_from_outside_becomes_markup(flavour: Flavour) -> None:
    """Names, messages, reasons and addresses are shown as they are."""
    check = Check("latency_p95_ms", 1.0, 2.0, "fail", HOSTILE, "ms")
    run = samples.run(
        env=HOSTILE,
        run_id=HOSTILE,
        git_sha=HOSTILE,
        error=HOSTILE,
        smoke=SmokeResult(1, 1, (SmokeFailure(HOSTILE, HOSTILE, HOSTILE),)),
        verdict=Verdict("fail", (check,)),
        tuning=replace(
            samples.TUNING,
            details=(*samples.TUNING.details, samples.excluded(2048, HOSTILE)),
            warnings=(HOSTILE,),
            state_machine=replace(samples.TUNING.state_machine, visualization="javascript:x"),
        ),
        leftovers=(Leftover(HOSTILE, HOSTILE, HOSTILE),),
        settings={"tuning": {HOSTILE: HOSTILE}},
    )
    plan = Plan((Change("destroy", HOSTILE, HOSTILE), Change("update", HOSTILE, HOSTILE)))
    review = Review(run, baseline=run, plan=plan, artefact_url=f"https://ci/{HOSTILE}")
    text = compose(review, flavour).text
    page = Page()
    page.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))

    assert page.tags <= PLAIN_TAGS
    assert page.links == {"https://ci/" + quote(HOSTILE, safe=":/?#&+,;=%-._~")}
    assert page.comments == ([" lambda-dyno review: gate "] if flavour is GITHUB else [])
    assert page.opened == page.closed
    assert page.widths_of_tables_differ == []
    assert page.cells.count(SHOWN) >= 6
    # GitHub links names and numbers in the finished page, so that no backslash would help
    words = page.text_outside_of_code.replace(HOSTILE, "")
    assert not re.search(r"[@#](?=\w)", words)
    assert "evil.example" in words
    assert not BARE_ADDRESS.search(words)


@pytest.mark.parametrize("flavour", [GITHUB, CODECOMMIT], ids=lambda f: f.name)
def test_the_largest_review_stays_within_the_limit(flavour: Flavour) -> None:
    """In bytes, which is stricter than characters; what is left out is named and linked."""
    changes = [Change("destroy", f"module.ünï.aws_x.y[{i}]" * 4, "because") for i in range(900)]
    changes += [Change("create", f"module.a.aws_x.z[{i}]", "") for i in range(2000)]
    review = Review(
        samples.run(tuning=samples.many_sizes(), error="ü" * 100_000),
        plan=Plan(tuple(changes)),
        artefact_url="https://github.com/acme/shop/actions/runs/1",
    )
    made = compose(review, flavour)
    assert size(made.text) <= flavour.most_bytes
    assert "Destroyed or replaced" in made.left_out
    assert "Terraform's other changes" in made.left_out
    last = made.text.splitlines()[-1]
    assert re.match("Left out here for its length: .*Destroyed or replaced", last)
    assert last.endswith("[the whole report](https://github.com/acme/shop/actions/runs/1).")
    assert "**And 880 more.**" in made.text
    assert made.text.startswith(comment.marker(flavour, "gate"))
    assert made.text.count("\n```\n") % 2 == 0 or "````" in made.text


def test_where_there_is_little_room_the_verdict_is_told_briefly() -> None:
    """Each check and the sizes that matter, before anything is left out."""
    checks = tuple(
        Check(f"check_{i}_ms", 1.0, 2.0, "fail", f"check {i} is slow " + "very " * 100, "ms")
        for i in range(20)
    )
    run = samples.run(
        tuning=samples.many_sizes(), verdict=Verdict("fail", checks), error="🐌" * 5_000
    )
    made = compose(Review(run), CODECOMMIT)
    assert size(made.text) <= CODECOMMIT.most_bytes
    assert made.left_out[:2] == ("Outcome", "Verdict")
    for i in range(20):
        assert f"- ✗ check {i} is slow" in made.text
    assert made.text.count("```") % 2 == 0
    text = section_of(made.text, "Cost and duration by memory size")
    assert len(re.findall(r"^\| \d+ \|.*(?:recommended|current|excluded)", text, re.M)) in (0, 2)


@pytest.mark.parametrize("most", [200, 400, 1_000, 3_000, 9_000])
def test_any_limit_is_kept_by_whole_sections(most: int) -> None:
    """The important ones stay longest."""
    ranks = [0, 3, 1, 2]
    sections = [Part(f"S{i}", f"§{i} " * 300, rank) for i, rank in enumerate(ranks)]
    made = fit("<!-- m -->\n", sections, "https://ci", most)
    assert made.bytes <= most
    shown = [i for i in range(4) if sections[i].text.strip() in made.text]
    assert shown == [i for i in range(4) if f"S{i}" not in made.left_out]
    kept = sorted(ranks[i] for i in shown)
    assert kept == list(range(len(kept)))


def test_the_summary_has_the_same_text_without_a_marker() -> None:
    """The job's page shows what the comment shows."""
    review = Review(samples.run())
    text = compose(review, GITHUB).text
    assert compose(review, SUMMARY).text == text.partition("\n")[2]


@pytest.mark.parametrize("key", ["", "a b", "x-->", "a" * 41, "]("])
def test_a_key_that_could_end_the_marker_is_refused(key: str) -> None:
    """It is part of a comment in Markdown."""
    with pytest.raises(ValueError, match="letters, digits"):
        comment.marker(GITHUB, key)
