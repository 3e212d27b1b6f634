"""What is wrong with a function, in the words of AWS's runtime for Python.

A module that cannot be loaded does not fail Init there: its invocations fail, each with the reason.
"""

from __future__ import annotations

import importlib
import json
import traceback

from .clocks import Clocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

IMPORT, SYNTAX, NO_HANDLER = (
    "Runtime.ImportModuleError",
    "Runtime.UserCodeSyntaxError",
    "Runtime.HandlerNotFound",
)
MARSHAL = "Runtime.MarshalError"
_OURS = ("/dyno_meter/", "/boot.py", "/_worker.py", "<frozen importlib", "/importlib/__init__.py")


class Fault(Exception):  # noqa: N818 - AWS's runtime calls it so
    """A function that cannot be called."""

    def __init__(self, kind: str, message: str, frames: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.frames = frames


def load(module_name: str, handler_name: str, *, strict: bool = False) -> Callable[[Any, Any], Any]:
    """Return a function's handler, or one that fails with the reason why there is none.

    Args:
        module_name: Its module, as "package.app".
        handler_name: Its name there.
        strict: Whether a function that cannot be loaded fails at once.
    """
    try:
        return _handler(module_name, handler_name)
    except (Exception, SystemExit) as error:
        if strict:
            raise
        return _failing(error)


def describe(error: BaseException) -> tuple[str, str, list[str]]:
    """Return an error's type, its message and the function's own frames, as AWS tells them."""
    if isinstance(error, Fault):
        return error.kind, str(error), list(error.frames)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not any(part in frame.filename for part in _OURS)]
    return type(error).__name__, str(error), traceback.format_list(own)


def error_lines(request_id: str, kind: str, message: str, frames: list[str], as_json: bool) -> str:
    """Return what the runtime logs of an error that the handler did not catch.

    Args:
        request_id: The invocation.
        kind: The error's type, as "ValueError".
        message: Its message.
        frames: The lines of its traceback.
        as_json: Whether the function's log format is JSON.
    """
    if as_json:
        record = {
            "timestamp": _timestamp(),
            "log_level": "ERROR",
            "errorMessage": message,
            "errorType": kind,
            "requestId": request_id,
            "stackTrace": frames,
        }
        return json.dumps(record) + "\n"
    text = f"[ERROR] {kind}: {message}\nTraceback (most recent call last):\n{''.join(frames)}"
    return text if text.endswith("\n") else text + "\n"


def _handler(module_name: str, handler_name: str) -> Callable[[Any, Any], Any]:
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise Fault(IMPORT, f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        frame = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        message = f"Syntax error in module '{module_name}': {error}"
        raise Fault(SYNTAX, message, (frame,)) from error
    try:
        return getattr(module, handler_name)  # type: ignore[no-any-return]
    except AttributeError as error:
        message = f"Handler '{handler_name}' missing on module '{module_name}'"
        raise Fault(NO_HANDLER, message) from error


def _failing(error: BaseException) -> Callable[[Any, Any], Any]:
    def handler(_event: Any, _context: Any) -> Any:
        raise error

    return handler


def _timestamp() -> str:
    now = Clocks.unix_s()
    seconds = Clocks.strftime("%Y-%m-%dT%H:%M:%S", Clocks.gmtime(now))
    return f"{seconds}.{int(now % 1 * 1000):03d}Z"
