"""What the functions fail with. A class's name is the error that the state machine reports."""

# ruff: noqa: N818 - users see these names: "Error" would say nothing there

from __future__ import annotations


class RetuneError(Exception):
    """Base of all errors that are raised on purpose."""


class PayloadNotRead(RetuneError):
    """The payload's object is not there in this version, or may not be read."""


class PayloadNotUsable(RetuneError):
    """The payload's object is no JSON, or too large."""


class TrafficNotRead(RetuneError):
    """CloudWatch does not tell how often the function was invoked."""


class RowNotWritten(RetuneError):
    """What the tuner put out is not what it puts out, or the store refuses the row."""


class NotDispatched(RetuneError):
    """GitHub was not told."""
