"""What writing files has in common: an error that says which file it is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Give an error inside the name of the file that is written: on a full disk it has none.

    Args:
        path: The file, and not the draft of it that takes its place.

    Raises:
        OSError: As inside, with that name.
    """
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
