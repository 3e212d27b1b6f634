"""Record a command on a terminal, and write it as an animated SVG: `python -m tools.terminal_svg`.

    python -m tools.terminal_svg --out docs/images/tune.svg -- make tune

The command runs once, as long as it takes; the picture shows it in a quarter of a minute: first
what happens on the first lines, faster than it was, then the whole result, line by line. It is a
strip of frames that moves one frame at a time by CSS, so it needs no script; lines that are the
same in several frames are in the file once.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import struct
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pyte

COLUMNS, ROWS = 90, 28
_TALL = 200  # rows of the terminal that is recorded: nothing of it is lost
_PLAY_S, _SCROLL_S, _HOLD_S = 8.0, 5.0, 2.0
_FRAMES_PER_S = 6
_SCROLL_ROWS = 3  # at once
_FONT_PX, _ROW_PX, _CHARACTER_PX, _EDGE_PX = 14, 19, 8.43, 14
_BACKGROUND, _PLAIN = "#0d1117", "#c9d1d9"
_COLOURS = {
    "black": "#6e7681",
    "red": "#ff7b72",
    "green": "#3fb950",
    "brown": "#d29922",
    "blue": "#58a6ff",
    "magenta": "#bc8cff",
    "cyan": "#39c5cf",
    "white": "#f0f6fc",
}

Line = tuple[tuple[str, str, bool], ...]  # texts of one style: text, colour, whether bold


@dataclass(frozen=True, slots=True)
class Output:
    """What a command wrote, and when."""

    after_s: float
    content: bytes


def record(command: Sequence[str]) -> tuple[list[Output], int]:
    """Run a command on a terminal of its own; return its output and its exit status."""
    child, terminal = pty.fork()
    if not child:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(_TALL))
        os.execvp(command[0], list(command))  # noqa: S606 - an argument list, no shell
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", _TALL, COLUMNS, 0, 0))
    began, found = time.monotonic(), []
    while True:
        try:
            content = os.read(terminal, 65536)
        except OSError:  # as Linux tells that nobody writes any more
            break
        if not content:
            break
        found.append(Output(time.monotonic() - began, content))
    _, status = os.waitpid(child, 0)
    return found, os.waitstatus_to_exitcode(status)


def frames(output: Sequence[Output]) -> list[tuple[float, list[Line]]]:
    """Return what is to be seen, and for how many seconds each."""
    screen = pyte.Screen(COLUMNS, _TALL)
    stream = pyte.ByteStream(screen)
    whole_s = max(output[-1].after_s, 0.001)
    shown: list[tuple[float, list[Line]]] = []
    waiting = list(output)
    count = int(_PLAY_S * _FRAMES_PER_S)
    for number in range(count):
        until_s = whole_s * (number + 1) / count
        while waiting and waiting[0].after_s <= until_s:
            stream.feed(waiting.pop(0).content)
        _show(shown, _lines(screen, ROWS), 1 / _FRAMES_PER_S)
    lines = _lines(screen, _TALL)
    last = max((row for row, line in enumerate(lines) if line), default=0)
    offsets = [*range(0, max(0, last + 2 - ROWS), _SCROLL_ROWS), max(0, last + 2 - ROWS)]
    for offset in offsets:
        _show(shown, lines[offset : offset + ROWS], _SCROLL_S / len(offsets))
    _show(shown, lines[offsets[-1] : offsets[-1] + ROWS], _HOLD_S)
    return shown


def _show(shown: list[tuple[float, list[Line]]], lines: list[Line], seconds: float) -> None:
    if shown and shown[-1][1] == lines:
        seconds += shown.pop()[0]
    shown.append((seconds, lines))


def _lines(screen: pyte.Screen, count: int) -> list[Line]:
    return [_line(screen, row) if screen.buffer.get(row) else () for row in range(count)]


def _line(screen: pyte.Screen, row: int) -> Line:
    """Return a row without what is blank at its end."""
    cells = [screen.buffer[row][column] for column in range(COLUMNS)]
    parts: list[tuple[str, str, bool]] = []
    for cell in cells:
        colour = _COLOURS.get(cell.fg, _PLAIN if cell.fg == "default" else f"#{cell.fg}")
        style = (colour if colour.startswith("#") else _PLAIN, bool(cell.bold))
        if parts and (parts[-1][1:] == style or not cell.data.strip()):
            text, *rest = parts.pop()
            parts.append((text + cell.data, str(rest[0]), bool(rest[1])))
        else:
            parts.append((cell.data, *style))
    while parts and not parts[-1][0].strip():
        parts.pop()
    return tuple(parts)


def svg(shown: Sequence[tuple[float, list[Line]]], title: str) -> str:
    """Return the frames as an SVG that goes from one to the next, again and again."""
    width = round(COLUMNS * _CHARACTER_PX + 2 * _EDGE_PX)
    height = ROWS * _ROW_PX + 2 * _EDGE_PX
    total_s = sum(seconds for seconds, _ in shown)
    numbers: dict[Line, int] = {}
    strip, steps, passed_s = [], [], 0.0
    for index, (seconds, lines) in enumerate(shown):
        rows = "".join(
            f'<use href="#l{numbers.setdefault(line, len(numbers))}" y="{row * _ROW_PX}"/>'
            for row, line in enumerate(lines)
            if line
        )
        strip.append(f'<svg x="{index * width}" width="{width}">{rows}</svg>')
        steps.append(f"{100 * passed_s / total_s:.3f}%{{transform:translateX(-{index * width}px)}}")
        passed_s += seconds
    defined = "".join(f'<g id="l{number}">{_texts(line)}</g>' for line, number in numbers.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>"
        "<style>"
        f"text{{font:{_FONT_PX}px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;"
        "white-space:pre}.b{font-weight:700}"
        f"@keyframes s{{{''.join(steps)}}}"
        f".s{{animation:s {total_s:.1f}s steps(1,end) infinite}}"
        # whoever wants no movement sees the end
        f"@media(prefers-reduced-motion:reduce){{.s{{animation:none;"
        f"transform:translateX(-{(len(shown) - 1) * width}px)}}}}"
        f"</style><defs>{defined}</defs>"
        f'<rect width="{width}" height="{height}" rx="8" fill="{_BACKGROUND}"/>'
        f'<g class="s" fill="{_PLAIN}">{"".join(strip)}</g></svg>\n'
    )


def _texts(line: Line) -> str:
    """Return the texts of a line, each where its column is: fonts differ in width."""
    found, column = [], 0
    for text, colour, bold in line:
        shown = text.rstrip()
        if shown.strip():
            blank = len(shown) - len(shown.lstrip())
            x = _EDGE_PX + (column + blank) * _CHARACTER_PX
            length = len(shown.strip()) * _CHARACTER_PX
            style = f' fill="{colour}"' if colour != _PLAIN else ""
            weight = ' class="b"' if bold else ""
            found.append(
                f'<text x="{x:.1f}" y="{_EDGE_PX + _FONT_PX}" textLength="{length:.1f}" '
                f'lengthAdjust="spacingAndGlyphs"{style}{weight}>{escape(shown.strip())}</text>'
            )
        column += len(text)
    return "".join(found)


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    output, status = record(arguments.command)
    if not output:
        sys.exit(f"{arguments.command[0]}: wrote nothing")
    title = f"{' '.join(arguments.command)}, recorded on a terminal"
    arguments.out.write_text(svg(frames(output), title), encoding="utf-8")
    sys.stdout.write(
        f"{arguments.out}: {arguments.out.stat().st_size / 1000:.0f} kB, exit {status}\n"
    )


if __name__ == "__main__":
    main()
