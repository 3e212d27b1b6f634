"""How the pictures of a run look, and how vl-convert draws them.

`power_chart` and `latency_chart` say what is in a picture, as Vega-Lite specs. Specs are plain
dicts: building them with altair gives the same picture and costs 0.8 s of imports. The HTML
report shows the very same SVG and adds the reading of values to it with a small script, so
that one spec serves the file, the page, the print and the comment.

Colours are from the palette of Okabe and Ito, which people with colour blindness can tell
apart; line style and labels say the same once more. A style sheet inside the SVG swaps every
colour for its dark counterpart, so the light picture is the default and the PNG's only one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
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
FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Arial, sans-serif"


@dataclass(frozen=True, slots=True)
class Size:
    """Room for a picture: its plot's width, in CSS pixels, and what follows from it."""

    width: int
    max_ticks: int
    panel_height: int


WIDE = Size(width=720, max_ticks=12, panel_height=190)
NARROW = Size(width=250, max_ticks=5, panel_height=170)


def document(description: str, **content: Any) -> Spec:
    """Return a spec with what all pictures share around its content."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": description,
        "background": PAPER,
        "padding": {"left": 4, "right": 12, "top": 4, "bottom": 4},
        **content,
        "config": _config(),
    }


def _config() -> Spec:
    return {
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": MUTED,
            "labelFontSize": 12,
            "labelPadding": 6,
            "titleColor": MUTED,
            "titleFontSize": 12,
            "titleFontWeight": 400,
            "titlePadding": 10,
            "gridColor": GRID,
            "domainColor": MUTED,
            "tickColor": MUTED,
            "tickSize": 4,
        },
        "title": {"color": INK, "fontSize": 13, "fontWeight": 600},
    }


# --- drawing --------------------------------------------------------------------------------


def to_svg(spec: Spec) -> str:
    """Return a spec drawn as SVG, with its dark colours for pages that prefer them."""
    drawn = _draw(spec)
    rules = "".join(
        f'[fill="{light}"]{{fill:{dark}}}[stroke="{light}"]{{stroke:{dark}}}'
        for light, dark in DARK.items()
    )
    style = f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"
    return re.sub(r"(<svg\b[^>]*>)", rf"\1{style}", drawn, count=1)


def to_inline_svg(spec: Spec, title: str) -> str:
    """Return a spec drawn as SVG for an HTML page, which brings the colours.

    Without XML namespaces (HTML needs none) and fixed size; with an accessible name.
    """
    drawn = re.sub(r'\s(?:xmlns(?::xlink)?|version)="[^"]*"', "", _draw(spec))
    drawn = re.sub(r'(<svg\b[^>]*?)\swidth="\d+"\sheight="\d+"', r"\1", drawn, count=1)
    name = title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return drawn.replace("<svg", f'<svg role="graphics-document" aria-label="{name}"', 1)


def to_png(spec: Spec) -> bytes:
    """Return a spec drawn as PNG, at twice the size for sharp screens."""
    import vl_convert

    return vl_convert.svg_to_png(_draw(spec), scale=2)


def dark_css(scope: str) -> str:
    """Return style rules that swap the colours of pictures below a selector for dark ones."""
    return "".join(
        f'{scope} [fill="{light}"]{{fill:{dark}}}{scope} [stroke="{light}"]{{stroke:{dark}}}'
        for light, dark in DARK.items()
    )


def _draw(spec: Spec) -> str:
    import vl_convert

    return vl_convert.vegalite_to_svg(spec)
