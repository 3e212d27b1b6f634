"""Standard streams as people have them: a terminal of any kind, a pipe, a reader that is gone."""

from __future__ import annotations

import errno
import io
import sys
import textwrap
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from rich.console import Console

from lambda_dyno.core.errors import StepError

# What writing says when the other end is gone: a pipe's reader, a terminal's window.
_GONE = (errno.EPIPE, errno.EIO)


class StandardError(io.TextIOBase):
    """Standard error, but nothing fails for want of a reader.

    A terminal may be closed, a pipe's other end may be gone, a disk be full: that must not come
    between a run and its teardown.
    """

    @property
    def _stream(self) -> TextIO:
        """Standard error as it is now: pytest replaces it, and so does rich.

        What rich puts there prints to the very console that writes here, so it is looked behind:
        otherwise each line would beget the next, for ever.
        """
        stream = sys.stderr
        while (behind := getattr(stream, "rich_proxied_file", None)) is not None:
            stream = behind
        return stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """What it is written in; decides which characters rich draws with."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str, /) -> int:
        """Write what can be written; the rest is lost, as is whoever would read it."""
        with suppress(OSError, ValueError, AttributeError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass on what is buffered, if anybody takes it."""
        with suppress(OSError, ValueError, AttributeError):
            self._stream.flush()

    def isatty(self) -> bool:
        """Whether a person reads it. A closed stream is no terminal."""
        try:
            return self._stream.isatty()
        except (ValueError, AttributeError):
            return False

    def fileno(self) -> int:
        """Descriptor of the stream; rich asks it for the window's size."""
        return self._stream.fileno()


def paragraph(text: str, console: Console, *, indent: int = 0) -> str:
    """Return a text wrapped at words for a terminal, as it is for anything else.

    A word that is longer than a line stays in one piece (the terminal breaks it), so that an
    address or a path can be copied.

    Args:
        text: The text.
        console: Where it will be printed, with `soft_wrap`.
        indent: Columns that its first line begins at, and all others are moved to.
    """
    if not is_screen(console):
        return text
    width = max(console.width - indent, 1)
    lines = [part for line in text.splitlines() for part in _wrapped(line, width)]
    return ("\n" + " " * indent).join(lines)


def _wrapped(line: str, width: int) -> list[str]:
    margin = line[: len(line) - len(line.lstrip())]
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )
    return wrapper.wrap(line) or [""]


def is_screen(console: Console) -> bool:
    """Tell whether a console's output goes to a terminal, whatever colours are forced on it."""
    try:
        return console.file.isatty()
    except (ValueError, AttributeError):  # closed, or none at all
        return False


def outlive_readers() -> None:
    """Let nothing fail because nobody reads standard output any more, as with `| head -1`.

    What else may go wrong with it, such as a full disk under `> result.json`, is a StepError.
    """
    stream = sys.stdout
    try:
        raw = _Output(stream.fileno(), "w", closefd=False)
    except (AttributeError, OSError, ValueError):
        return  # closed, or replaced by something without a file
    stream.flush()
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="replace",  # a terminal that has no check marks
        line_buffering=bool(stream.line_buffering),
    )


class _Output(io.FileIO):
    """Standard output, whose reader may be gone."""

    _lost = False

    def write(self, data: ReadableBuffer, /) -> int:
        size = memoryview(data).nbytes
        if self._lost:
            return size
        try:
            return super().write(data)
        except OSError as error:
            self._lost = True  # the interpreter writes once more as it ends
            if error.errno not in _GONE:
                raise StepError("output", f"standard output: {error.strerror}") from error
            return size
