"""How a figure is written, everywhere: terminal, HTML, Markdown, charts, JUnit.

Three significant digits, thousands separated by commas, a missing figure is an en dash.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

MISSING = "–"
# Of how a run or a check came out, for readers who scan.
SYMBOLS = {
    "pass": "✓",
    "fail": "✗",
    "inconclusive": "?",
    "error": "✗",
    "none": "·",
}
_BLOCKS = "▁▂▃▄▅▆▇█"


def rounded(value: float, digits: int = 3) -> str:
    """Return a number with at least that many significant digits and no needless decimals.

    Examples: 1234.5 -> "1,234", 95 -> "95.0", 9.417 -> "9.42", 0.194 -> "0.194", 0 -> "0".
    """
    if value == 0:
        return "0"
    # The exponent of the rounded value: 99.96 has three digits before the point, not two.
    exponent = int(f"{abs(value):.{digits - 1}e}".split("e")[1])
    return f"{value:,.{max(0, digits - 1 - exponent)}f}"


def number(value: float, digits: int = 3) -> str:
    """Return a number for a sentence: as `rounded`, without zeros at its end; "unknown" if inf."""
    if math.isinf(value):
        return "unknown"
    text = rounded(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def milliseconds(value: float | None) -> str:
    """Return a duration without its unit."""
    return MISSING if value is None else rounded(value)


def usd(value: float | None) -> str:
    """Return an amount without its unit: cents from one dollar on, else three digits."""
    if value is None:
        return MISSING
    return f"{value:,.2f}" if abs(value) >= 1 else rounded(value)


def per_million(cost_usd: float | None) -> str:
    """Return the price of a million invocations, given that of one."""
    return usd(None if cost_usd is None else cost_usd * 1e6)


def integer(value: int | None) -> str:
    """Return a count or a memory size."""
    return MISSING if value is None else f"{value:,}"


def percent(ratio: float | None) -> str:
    """Return a ratio as per cent: two significant digits below one per cent, else one decimal."""
    if ratio is None:
        return MISSING
    value = ratio * 100
    text = rounded(value, 2) if abs(value) < 1 else f"{value:,.1f}".removesuffix(".0")
    return f"{text} %"


def change(ratio: float) -> str:
    """Return what a ratio changes, in per cent without the unit: 0.79 -> "−21", 1.034 -> "+3.4"."""
    value = (ratio - 1) * 100
    text = f"{abs(value):,.0f}" if abs(value) >= 9.95 else f"{abs(value):.1f}".removesuffix(".0")
    return text if text == "0" else f"{'+' if value > 0 else '−'}{text}"


def seconds(value: float) -> str:
    """Return a time for people: "0.34 s", "12.3 s", "2 min 05 s"."""
    if value < 1:
        return f"{value:.2f} s"
    if round(value, 1) < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes:,} min {rest:02d} s"


def sparkline(values: Sequence[float], width: int = 20) -> str:
    """Return a trend in one line: the smallest value lowest, alike ones all in the middle.

    Args:
        values: In their order.
        width: Most characters; the newest values are shown.
    """
    shown = values[-width:] if width > 0 else ()
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    if high - low <= 1e-9 * abs(high):
        return _BLOCKS[3] * len(shown)
    steps = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round((value - low) / (high - low) * steps)] for value in shown)


def wrapped(text: str, width: int, indent: str = "", *, hang: int = 2) -> list[str]:
    """Return a paragraph's lines; a word that is longer than a line stays whole.

    Args:
        text: Of one paragraph.
        width: Of the terminal, in columns.
        indent: Before each line.
        hang: Further columns before all lines but the first.
    """
    return textwrap.wrap(
        text,
        max(width, len(indent) + 10),
        initial_indent=indent,
        subsequent_indent=indent + " " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    )


def commit(git_sha: str) -> str:
    """Return a short commit id; a mark of changes behind it stays."""
    sha, plus, changes = git_sha.partition("+")
    return sha[:9] + plus + changes


def requests(count: int) -> str:
    """Return a number of requests."""
    return f"{count:,} request{'' if count == 1 else 's'}"
