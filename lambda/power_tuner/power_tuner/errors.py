"""What the tuner fails with. A class's name is the error that the state machine reports."""

# ruff: noqa: N818 - users see these names: "Error" would say nothing there

from __future__ import annotations

from collections.abc import Iterable

_WITHHELD = "[...]"
_SECRET_CHARS = 4  # what is shorter is no secret, and would tear holes into words


def without(message: str, secrets: Iterable[str]) -> str:
    """Return what somebody said, without texts that nobody may read; one may be part of another."""
    for secret in sorted(secrets, key=len, reverse=True):
        message = message.replace(secret, _WITHHELD) if len(secret) >= _SECRET_CHARS else message
    return message


class TunerError(Exception):
    """Base of all errors that the tuner raises on purpose."""


class InvalidInput(TunerError):
    """The execution's input is wrong; nothing was changed."""


class NotTunable(TunerError):
    """The function does not exist, or the tuner is not allowed to touch it; nothing was changed."""


class FunctionBusy(TunerError):
    """Another execution is tuning the same function; nothing was changed."""


class StillWaiting(TunerError):
    """The state's Lambda function ran out of time while waiting; the state machine retries it."""


class FunctionChanged(TunerError):
    """Somebody else changed the function while it was being tuned."""


class FunctionGone(TunerError):
    """The function, or one of the versions made for the tuning, does not exist (any more)."""


class FunctionNotReady(TunerError):
    """The function did not become usable within the deadline, or its update failed.

    Attributes:
        reason_code: Lambda's StateReasonCode or LastUpdateStatusReasonCode; may be empty.
    """

    def __init__(self, message: str, reason_code: str = "") -> None:
        super().__init__(message)
        self.reason_code = reason_code


class ExecutionEnded(TunerError):
    """The execution was stopped while one of its functions was still at work."""


class InvocationFailed(TunerError):
    """The function failed, and the input does not allow it to."""


class NothingMeasured(TunerError):
    """No power value is left: each one failed."""


class ProcessorFailed(TunerError):
    """A pre- or post-processor failed."""


class PayloadNotRead(TunerError):
    """The payload in S3 could not be read; nothing was changed."""


class ChangedMeanwhile(TunerError):
    """What was fine at the beginning is not any more, such as a payload in S3."""


class AwsCallFailed(TunerError):
    """A call of AWS was refused, for want of a permission for example."""


class PowerRefused(AwsCallFailed):
    """AWS does not give the function one memory size; others may do."""


class Detour(TunerError):
    """No error: Analyze's way to say that the message's state comes next, instead of CleanUp.

    A Choice would say the same, but costs a transition in every execution, and a transition
    costs more than most invocations. An error costs one only when it is raised.
    """


class CleanUpFailed(TunerError):
    """Something of the tuning is left behind; the message names it."""


# Errors that are only raised before the tuner has touched the function.
NOTHING_CHANGED = (InvalidInput, NotTunable, FunctionBusy, PayloadNotRead)

# What a state meets that goes on after its execution was stopped and cleaned up after. What it
# did since then must be cleaned up again.
MAYBE_ENDED = (ExecutionEnded, FunctionChanged, FunctionGone)


def named(error: TunerError) -> TunerError:
    """Return the error with its name in front of its message.

    A state machine sees the name of a Python error only where the runtime reports it; with the
    name in the message it is known everywhere, see `split_name`.
    """
    return type(error)(f"{type(error).__name__}: {error}")


def split_name(message: str) -> tuple[str, str]:
    """Return name and message of a `named` error; no name if the message has none of ours."""
    name, separator, rest = message.partition(": ")
    known = isinstance(globals().get(name), type) and issubclass(globals()[name], TunerError)
    return (name, rest) if separator and known else ("", message)
