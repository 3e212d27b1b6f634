"""Publish a review: the comment on the pull request, and the job's summary.

A forge that does not answer says nothing of the change that is reviewed, so it ends as a
warning; the same text is in the job's summary then.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_dyno.forge.comments import CommentStore, ForgeError, Posted, upsert
from lambda_dyno.review.comment import compose, marker, size
from lambda_dyno.review.comment_parts import SUMMARY, Flavour, Review


@dataclass(frozen=True, slots=True)
class Published:
    """What was done.

    Attributes:
        text: The comment.
        left_out: Sections that did not fit into it.
        posted: The comment that was written; None if there is none.
        summary: Whether the job's summary was written.
        warning: Why there is no comment; empty if there is one, or none was wanted.
    """

    text: str
    left_out: tuple[str, ...]
    posted: Posted | None = None
    summary: bool = False
    warning: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what `dyno comment --json` prints."""
        return {
            "action": self.posted.action if self.posted else "none",
            "comment_id": self.posted.comment.id if self.posted else "",
            "url": self.posted.comment.url if self.posted else "",
            "bytes": size(self.text),
            "left_out": list(self.left_out),
            "summary": self.summary,
            "warning": self.warning,
        }


def publish(
    review: Review,
    flavour: Flavour,
    store: Callable[[], CommentStore | None],
    *,
    key: str,
    summary_path: str = "",
) -> Published:
    """Write the summary and the comment.

    Args:
        review: What to tell.
        flavour: Of the forge.
        store: Returns the pull request's comments; None if there is no pull request.
        key: Tells the comments of several gates on one pull request apart.
        summary_path: File of the job's summary, which is added to; empty for none.

    Returns:
        What was done. A forge that refuses is in its `warning`.
    """
    made = compose(review, flavour, key=key)
    warnings = []
    summary = False
    if summary_path:
        try:
            summary = _summarise(review, key, Path(summary_path))
        except (OSError, ValueError) as error:
            warnings.append(f"no job summary: {error}")
    posted, warning = _put(made.text, flavour, store, key)
    warnings += [warning] if warning else []
    return Published(made.text, made.left_out, posted, summary, "; ".join(warnings))


def publish_text(
    text: str, flavour: Flavour, store: Callable[[], CommentStore | None], *, key: str
) -> Published:
    """Write a text that begins with the marker in the comment's place, and no summary."""
    posted, warning = _put(text, flavour, store, key)
    return Published(text, (), posted, False, warning)


def _put(
    text: str, flavour: Flavour, store: Callable[[], CommentStore | None], key: str
) -> tuple[Posted | None, str]:
    """Return the comment that was written, if any, and why there is none."""
    try:
        existing = store()
        posted = None if existing is None else upsert(existing, text, marker(flavour, key))
    except ForgeError as error:
        return None, str(error)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # an answer of another shape than is documented; the change can do nothing about that
        return None, f"{flavour.name} answers what nobody expects: {error!r}"
    return posted, ""


def _summarise(review: Review, key: str, path: Path) -> bool:
    """Add the text to the job's summary, within what is left of its limit."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, f"{path} is not a file")  # such as a pipe that nobody reads
    used = path.stat().st_size if path.exists() else 0
    room = SUMMARY.most_bytes - used - 1
    if room < 1_000:
        return False
    made = compose(review, SUMMARY, key=key, most_bytes=room)
    with path.open("a", encoding="utf-8", errors="replace", newline="\n") as file:
        file.write(made.text + "\n")
    return True
