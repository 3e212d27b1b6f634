"""Text that comes from outside, made safe for GitHub's Markdown."""

from __future__ import annotations

import re

# Every character that can begin markup inside a line or a table cell. An underscore within a
# word (memory_mb) is none on GitHub, so it stays readable.
_MARKUP = re.compile(r"([\\`*\[\]|~#$])|(?<!\w)(_)|(_)(?!\w)")

# What GitHub makes links (and notifications, and back references) of after it has read the
# markup, so that no backslash keeps it from doing so: @name, #12, GH-12; GitLab !12, %4, ~bug,
# $1 and &2 as well.
_REFERENCE = re.compile(r"([@#!%~]|\$(?=\d)|&amp;|\bGH-)(?=\w)", re.IGNORECASE)

# An address without markup becomes a link, too, of whoever wrote the message.
_ADDRESS = re.compile(r"\b((?:https?|ftp|mailto|xmpp):|www(?=\.))(?=\S)", re.IGNORECASE)

# What colours a terminal, hides, or turns the direction of reading: nothing that is to be read.
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)


def text(value: str) -> str:
    """Return text that reads the same in Markdown, on one line.

    Nothing in it becomes markup, HTML, a formula, a link, or a mention that would notify somebody.
    """
    line = " ".join(visible(value).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _MARKUP.sub(lambda found: "\\" + found.group(0), line)
    return _ADDRESS.sub("\\1\u200b", _REFERENCE.sub("\\1\u200b", line))


def code(value: str) -> str:
    """Return text as inline code."""
    line = " ".join(visible(value).split())
    ticks = "`" * (_longest_ticks(line) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{space}{line}{space}{ticks}"


def fence(value: str) -> str:
    """Return text as a code block."""
    lines = visible(value).rstrip()
    ticks = "`" * max(3, _longest_ticks(lines) + 1)
    return f"{ticks}\n{lines}\n{ticks}"


def visible(value: str) -> str:
    """Return text without what a reader cannot see: control characters and colours."""
    return _UNSEEN.sub("", _ANSI.sub("", value))


def _longest_ticks(value: str) -> int:
    return max((len(run) for run in re.findall("`+", value)), default=0)
