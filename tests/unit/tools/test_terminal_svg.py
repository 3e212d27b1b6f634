"""A command on a terminal becomes a picture that moves by itself."""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree

import pytest

from tools import terminal_svg

CODE = (
    "import sys\nassert sys.stdout.isatty()\n"
    "print('\\033[32mgreen\\033[0m & <plain>')\n"
    "for row in range(60): print('row', row)\nsys.exit(3)"
)


def test_what_was_written_is_in_the_picture_and_takes_a_quarter_of_a_minute() -> None:
    """From the first line to the last, each line once in the file, and nothing of it is markup."""
    output, status = terminal_svg.record([sys.executable, "-c", CODE])
    assert status == 3
    frames = terminal_svg.frames(output)
    assert sum(seconds for seconds, _ in frames) == pytest.approx(15, abs=0.1)
    picture = terminal_svg.svg(frames, "a <title>")
    root = ElementTree.fromstring(picture)
    texts = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"green", "& <plain>", "row 0", "row 59"} <= set(texts)
    assert len(texts) == len(set(texts))
    assert terminal_svg._COLOURS["green"] in picture
    assert re.search(r"prefers-reduced-motion", picture)
    assert "<script" not in picture
