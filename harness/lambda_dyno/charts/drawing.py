"""How the pictures of a run look, and how vl-convert draws them.

What is in a picture is a Vega-Lite specification in a file beside this one; `power` and `latency`
fill its data in. The HTML report shows the very same SVG and adds the reading of values to it
with a small script, so that one specification serves file, page, print and comment.

Colours are from the palette of Okabe and Ito, which people with colour blindness can tell
apart; line style and labels say the same once more. A style sheet inside the SVG swaps every
colour for its dark counterpart, so the light picture is the default and the PNG's only one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

Spec = dict[str, Any]

INK, MUTED, GRID, PAPER = "#1f2328", "#59636e", "#e3e6ea", "#ffffff"
BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#c05000", "#007a5a", "#a85084"

# What each colour of the light picture becomes on a dark page.
DARK = {
    INK: "#e6edf3",
    MUTED: "#9198a1",
    GRID: "#2f353d",
    PAPER: "#0d1117",
    BLUE: "#56b4e9",
    ORANGE: "#f0a35e",
    GREEN: "#2fc79a",
    PURPLE: "#d99ac0",
}


@dataclass(frozen=True, slots=True)
class Size:
    """Room for a picture: its plot's width and height, in CSS pixels, and labels on its axis."""

    width: int
    max_ticks: int
    panel_height: int


WIDE = Size(width=720, max_ticks=12, panel_height=190)
NARROW = Size(width=250, max_ticks=5, panel_height=170)


def filled(name: str, values: dict[str, Any]) -> Spec:
    """Return the specification of `NAME.vl.json`, each text "$key" in it replaced by its value.

    Raises:
        KeyError: The file names a value that is not given.
    """
    return document(**_put(_read(f"{name}.vl.json"), values))


def document(**content: Any) -> Spec:
    """Return a specification with what all pictures share around its content."""
    return {**_read("theme.json"), **content}


def _read(name: str) -> Spec:
    content: Spec = json.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return content


def _put(node: Any, values: dict[str, Any]) -> Any:
    if isinstance(node, dict):
        return {key: _put(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_put(value, values) for value in node]
    return values[node[1:]] if isinstance(node, str) and node.startswith("$") else node


def to_svg(spec: Spec) -> str:
    """Return a specification drawn as SVG, with its dark colours for pages that prefer them."""
    style = f"<style>@media (prefers-color-scheme:dark){{{dark_css()}}}</style>"
    return re.sub(r"(<svg\b[^>]*>)", rf"\1{style}", _draw(spec), count=1)


def to_plain_svg(spec: Spec) -> str:
    """Return a specification drawn as SVG, in its light colours alone."""
    return _draw(spec)


def to_inline_svg(spec: Spec, title: str) -> str:
    """Return a specification drawn as SVG for an HTML page, which brings the colours.

    Without XML namespaces (HTML needs none) and fixed size; with an accessible name.
    """
    drawn = re.sub(r'\s(?:xmlns(?::xlink)?|version)="[^"]*"', "", _draw(spec))
    drawn = re.sub(r'(<svg\b[^>]*?)\swidth="\d+"\sheight="\d+"', r"\1", drawn, count=1)
    name = title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return drawn.replace("<svg", f'<svg role="graphics-document" aria-label="{name}"', 1)


def to_png(spec: Spec) -> bytes:
    """Return a specification drawn as PNG, at twice the size for sharp screens."""
    return _rasterised(_draw(spec))


def dark_css(scope: str = "") -> str:
    """Return style rules that swap the colours of pictures below a selector for dark ones."""
    below = f"{scope} " if scope else ""
    return "".join(
        f'{below}[fill="{light}"]{{fill:{dark}}}{below}[stroke="{light}"]{{stroke:{dark}}}'
        for light, dark in DARK.items()
    )


def _draw(spec: Spec) -> str:
    return _drawn(json.dumps(spec))


@lru_cache(maxsize=8)  # a report is written again once the environment is gone
def _rasterised(svg: str) -> bytes:
    import vl_convert

    return vl_convert.svg_to_png(svg, scale=2)


@lru_cache(maxsize=8)  # file, page and PNG of a picture are the same drawing
def _drawn(spec: str) -> str:
    import vl_convert

    return vl_convert.vegalite_to_svg(spec)
