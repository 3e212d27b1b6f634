"""Text from outside in GitHub's Markdown."""

from __future__ import annotations

import pytest

from lambda_dyno.report import markdown
from lambda_dyno.report.tables import Cell, Column, Row, Table
from lambda_dyno.report.templating import markdown_table


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("memory_mb is 128", "memory_mb is 128"),
        ("a | b", "a \\| b"),
        ("<b> & *x*", "&lt;b&gt; &amp; \\*x\\*"),
        ("two\nlines\t here", "two lines here"),
        ("_very_ [a](b) `c`", "\\_very\\_ \\[a\\](b) \\`c\\`"),
        ("@team and a@b.c", "@\u200bteam and a@\u200bb.c"),
        ("back\\slash", "back\\\\slash"),
        ("other/repo#12 and GH-7", "other/repo\\#\u200b12 and GH-\u200b7"),
        ("\x1b[31mred\x1b[0m \u202eabc\x00", "red abc"),
        ("see HTTPS://x.io/a", "see HTTPS:\u200b//x.io/a"),
        ("www.x.io, ftp://x", "www\u200b.x.io, ftp:\u200b//x"),
        ("mailto:a@b.c", "mailto:\u200ba@\u200bb.c"),
        ("http: 404", "http: 404"),
        ("a\u200e\u200f\u061cb", "ab"),
        ("$LATEST is $5", "\\$LATEST is \\$\u200b5"),
        ("!12 %4 ~bug &2", "!\u200b12 %\u200b4 \\~\u200bbug &amp;\u200b2"),
    ],
)
def test_text_stays_text(text: str, escaped: str) -> None:
    """Nothing in a message becomes markup, HTML, a new cell or a mention."""
    assert markdown.text(text) == escaped


def test_code_and_fences_outlast_their_content() -> None:
    """Backticks inside code do not end it."""
    assert markdown.code("a `b` c") == "``a `b` c``"
    assert markdown.code("`b`") == "`` `b` ``"
    assert markdown.fence("x\n```\ny\n") == "````\nx\n```\ny\n````"
    assert markdown.fence("\x1b[1mbold\x1b[0m\n\tline\x07\n") == "```\nbold\n\tline\n```"


def test_notes_stay_outside_of_the_table() -> None:
    """A line right below the last row would become a row."""
    table = Table("Load", (Column("p95", "ms"),), (Row((Cell("41"),)),), ("One.", "Two."))
    assert markdown_table(table).endswith("| 41 |\n\nOne.\n\nTwo.")
