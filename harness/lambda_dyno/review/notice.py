"""What stands in a comment's place while there is no review: measuring, failed, cancelled."""

from __future__ import annotations

from lambda_dyno.report import markdown
from lambda_dyno.review.comment import marker
from lambda_dyno.review.comment_parts import Flavour, safe_url

MEASURING = "measuring"
_WORDS = {
    MEASURING: "⏳ Measuring: an environment is deployed, tuned, loaded and taken down",
    "failure": "✗ FAILED before there was a result",
    "cancelled": "✗ CANCELLED before there was a result",
    "skipped": "✗ NOT MEASURED: the job was skipped",
    "success": "? NOT MEASURED: the job has passed, and left no result",
}
RESULTS = tuple(word for word in _WORDS if word != MEASURING)


def notice(flavour: Flavour, key: str, state: str, page: str, problem: str = "") -> str:
    """Return the text: the marker that the review is found by, too, and two lines.

    Args:
        flavour: The place.
        key: Tells the comments of several gates on one pull request apart.
        state: `MEASURING`, or how the job ended, one of `RESULTS`.
        page: Of the job, with its log; empty if nobody says.
        problem: Why there is no result; it may be a stranger's text.
    """
    url = safe_url(page)
    log = f"See [the log]({url})." if url else "See the job's log."
    if state == MEASURING:
        log += " This comment becomes the review, or says what kept it from that."
    why = f"{markdown.text(problem[:500])}. " if problem else ""
    return f"{marker(flavour, key)}\n## {_WORDS[state]}\n\n{why}{log}\n"
