"""The text of a review: whole parts, as many as the place allows, the important ones first.

Everything from outside (names, messages, settings, addresses) passes `report.markdown`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lambda_dyno.core.errors import brief
from lambda_dyno.report import markdown
from lambda_dyno.review.comment_parts import (
    GITHUB,
    HOW_TO_APPLY,
    SUMMARY,
    Flavour,
    Part,
    Review,
    parts,
    safe_url,
)
from lambda_dyno.review.quiet import two_lines

_KEY = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True, slots=True)
class Composed:
    """A finished text."""

    text: str
    left_out: tuple[str, ...]  # titles of the parts that did not fit, or not as a whole

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
    if flavour is not SUMMARY and (text := two_lines(review)):
        url = safe_url(review.artefact_url)
        return Composed(f"{head}{text}{f' [The whole report]({url}).' if url else ''}\n", ())
    room = min(most_bytes or flavour.most_bytes, flavour.most_bytes)
    return fit(head, list(parts(review, flavour)), review.artefact_url, room)


def describe_proposal(file: str, rollback: str, review: Review) -> str:
    """Return the text of the pull request that proposes a run's memory size.

    Args:
        file: The file that it changes.
        rollback: The command that undoes it.
        review: The run that is the evidence.
    """
    back = markdown.code(rollback)
    head = (
        f"This changes {markdown.code(file)} only. Its review is the approval; the deployment "
        f"after its merge puts the size into force, and {back} writes the former size back.\n\n"
    )
    shown = [part for part in parts(review, GITHUB) if part.title != HOW_TO_APPLY]
    return fit(head, shown, review.artefact_url, GITHUB.most_bytes).text


def fit(head: str, shown: Sequence[Part], artefact_url: str, most_bytes: int) -> Composed:
    """Join whole parts, and name at the end what did not fit.

    Args:
        head: What comes first, whatever happens.
        shown: In the order in which they are shown; the first one is cut if need be.
        artefact_url: Where the rest is.
        most_bytes: How long the text may become.
    """
    everything = _joined(head, [part.text for part in shown], artefact_url, ())
    if size(everything) <= most_bytes:
        return Composed(everything, ())
    titles = tuple(part.title for part in shown)
    used = size(_joined(head, [], artefact_url, titles))  # the longest last line there can be
    chosen: dict[int, str] = {}
    for index in sorted(range(len(shown)), key=lambda i: shown[i].rank):
        for text in (shown[index].text, shown[index].short):
            cost = size(text) + 2
            if text and used + cost <= most_bytes:
                chosen[index] = text
                used += cost
                break
    if 0 not in chosen and shown:
        chosen[0] = _cut(shown[0].text, most_bytes - used - 2)
    left_out = tuple(part.title for i, part in enumerate(shown) if chosen.get(i) != part.text)
    texts = [chosen[index] for index in sorted(chosen)]
    return Composed(_joined(head, texts, artefact_url, left_out), left_out)


def size(text: str) -> int:
    """Return the length of a text in bytes of UTF-8."""
    return len(text.encode(errors="replace"))


# --- joining --------------------------------------------------------------------------------


def _joined(head: str, texts: Iterable[str], artefact_url: str, left_out: Sequence[str]) -> str:
    pieces = [*(text.strip() for text in texts), _last_line(artefact_url, left_out)]
    body = "\n\n".join(piece for piece in pieces if piece)
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
