"""Files that people hand in: text in the encodings that their editors and shells write.

Windows writes UTF-8 with a byte order mark, and `>` of its PowerShell UTF-16 with one.
"""

from __future__ import annotations

import codecs
import json
from typing import Any

# The mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(content: bytes) -> str:
    """Return a text without its byte order mark; without one it is UTF-8.

    Raises:
        ValueError: It is in another encoding.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8-sig")
    return content.decode(encoding)


def parse_json(content: bytes) -> Any:
    """Return the JSON value of a file.

    Raises:
        ValueError: It is none (NaN and Infinity are not), or cannot be decoded.
    """
    try:
        return json.loads(decode(content), parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")
