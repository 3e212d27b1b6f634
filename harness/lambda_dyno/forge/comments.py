"""Where comments are kept: what a forge must offer, and how one comment is kept up to date."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from lambda_dyno.core.errors import DynoError


class ForgeError(DynoError):
    """A forge (GitHub, GitLab, CodeCommit) refused, or did not answer within the limits.

    The message is one line: what could not be done, why, and which permission is missing.
    """


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment as the forge knows it."""

    id: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Posted:
    """What was done with a comment."""

    action: Literal["created", "updated"]
    comment: Comment


class CommentStore(Protocol):
    """The comments of one pull request."""

    def find(self, marker: str) -> Iterator[Comment]:
        """Yield the comments that begin with the marker and may be ours, oldest first.

        Raises:
            ForgeError: The comments cannot be read.
        """

    def create(self, body: str, marker: str) -> Comment:
        """Write a new comment. Asked again after an answer was lost, it makes no second one.

        Raises:
            ForgeError: It cannot be written.
        """

    def update(self, comment: Comment, body: str) -> Comment | None:
        """Replace a comment's text; None if it is not there any more, or is not ours.

        Raises:
            ForgeError: It cannot be written.
        """


def upsert(store: CommentStore, body: str, marker: str) -> Posted:
    """Write the comment that begins with the marker: the one that is there, else a new one.

    Args:
        store: The pull request's comments.
        body: The text; begins with the marker.
        marker: What the comment is found by.

    Raises:
        ForgeError: It could not be written.
    """
    for found in store.find(marker):
        if (updated := store.update(found, body)) is not None:
            return Posted("updated", updated)
    return Posted("created", store.create(body, marker))
