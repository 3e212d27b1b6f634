"""The handler that AWS's Python runtime puts on the root logger, in its two formats.

That is why `logging.basicConfig` does nothing there, and why messages have the request's id.
"""

from __future__ import annotations

import json
import logging
import sys

from .clocks import Clocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_TEXT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
_SECONDS = "%Y-%m-%dT%H:%M:%S"
_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


def install(request_id: Callable[[], str], *, as_json: bool, level: str) -> None:
    """Put the handler on the root logger.

    Args:
        request_id: Tells the invocation that is under way.
        as_json: Whether the function's log format is JSON.
        level: The application's log level; empty leaves it at WARNING.
    """

    def named(record: logging.LogRecord) -> bool:
        record.aws_request_id = request_id()
        return True

    logging.Formatter.converter = Clocks.gmtime
    handler = _Handler()
    handler.setFormatter(_Json() if as_json else logging.Formatter(_TEXT, _SECONDS))
    handler.addFilter(named)
    root = logging.getLogger()
    root.addHandler(handler)
    if level in _LEVELS:
        root.setLevel("DEBUG" if level == "TRACE" else level)


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stdout.write(self.format(record) + "\n")
        except Exception:
            self.handleError(record)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, Any] = {
            "timestamp": f"{self.formatTime(record, _SECONDS)}Z",
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": record.aws_request_id,  # type: ignore[attr-defined]
        }
        if record.exc_info and record.exc_info[0] is not None:
            found["stackTrace"] = self.formatException(record.exc_info).split("\n")
            found["errorType"] = record.exc_info[0].__name__
            found["errorMessage"] = str(record.exc_info[1])
        return json.dumps({key: value for key, value in found.items() if value}, default=str)
