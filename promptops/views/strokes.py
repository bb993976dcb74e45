"""The strokes that every picture is drawn with: names, scales, axes and marks, as SVG."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from ..markup import esc

__all__ = [
    "GRID",
    "INK",
    "TRACK",
    "WIDTH",
    "axis_line",
    "axis_numbers",
    "folded",
    "grid_marks",
    "head_line",
    "interval_mark",
    "scale_of",
    "side_mark",
    "tick_text",
    "upright",
    "wrap",
]


INK, GRID = "currentColor", "#9aa4af"


WIDTH = 640
_PAD = 30  # beside a scale, for half of its outermost numbers


_LINE, TRACK = 20, 20  # height of a line of text, and of the scale below it


_NAME = 36  # characters of a name on one line
_BREAK = re.compile(r"[^\s_(),.:/=>-]*[\s_(),.:/=>-]*")


def wrap(body: str, width: int, height: float, title: str) -> str:
    """An SVG of this size that says what it shows."""
    return (
        f"<svg role='img' aria-label='{esc(title)}' viewBox='0 0 {width} {height:.0f}'"
        f" width='{width}' height='{height:.0f}' font-size='12' fill='{INK}'"
        f" xmlns='http://www.w3.org/2000/svg'><title>{esc(title)}</title>{body}</svg>"
    )


def folded(name: str, width: int = _NAME) -> list[str]:
    """A name as lines of at most `width` characters, whole, broken after a space or a sign where
    that can be.
    """
    lines = [""]
    for piece in _BREAK.findall(name):
        if lines[-1] and len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.strip() for line in lines if line.strip()] or [""]


def head_line(name: str, wording: str, y: float, *, bold: bool = False) -> tuple[str, float]:
    """The text above a row: its name on as many lines as it needs, what it says at the right; and
    where its scale begins.
    """
    weight = " font-weight='600'" if bold else ""
    lines = folded(name)
    shown = "".join(
        f"<text x='2' y='{y + _LINE * (place + 1) - 5:.0f}'{weight}>{esc(line)}</text>"
        for place, line in enumerate(lines)
    )
    shown += (
        f"<text x='{WIDTH - 2}' y='{y + _LINE - 5:.0f}'"
        f" text-anchor='end'{weight}>{esc(wording)}</text>"
    )
    return shown, y + _LINE * len(lines)


def scale_of(low: float, high: float) -> Callable[[float], float]:
    """Where a value is drawn on the axis."""
    return lambda value: _PAD + (value - low) / ((high - low) or 1.0) * (WIDTH - 2 * _PAD)


def axis_line(low: float, high: float) -> tuple[float, float, float]:
    """(low, high, step) of a tidy axis that holds the range with some air."""
    span = (high - low) or 1.0
    low, high = low - 0.06 * span, high + 0.06 * span
    rough = (high - low) / 6
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    return math.floor(low / step) * step, math.ceil(high / step) * step, step


def grid_marks(low: float, high: float, step: float, x: Callable[[float], float], y: float) -> str:
    """The scale of one row: a line to lie on, and its marks."""
    lines = [
        f"<line x1='{x(low):.1f}' x2='{x(high):.1f}' y1='{y + TRACK / 2}' y2='{y + TRACK / 2}'"
        f" stroke='{GRID}' stroke-opacity='.25'/>"
    ]
    lines += [
        upright(x(low + k * step), y + 3, y + TRACK - 3, GRID, "stroke-opacity='.45'")
        for k in range(round((high - low) / step) + 1)
    ]
    return "".join(lines)


def axis_numbers(
    low: float, high: float, step: float, x: Callable[[float], float], y: float, *, percent: bool
) -> str:
    """The numbers under the axis."""
    out = []
    for k in range(round((high - low) / step) + 1):
        value = low + k * step
        text = (
            f"{100 * value:.0f} %"
            if percent
            else f"{value:+g}".replace("-", "−")
            if abs(value) > step / 1e6
            else "0"
        )
        out.append(tick_text(x(value), y, text, "middle"))
    return "".join(out)


def upright(x: float, top: float, bottom: float, stroke: str, more: str) -> str:
    """A vertical line."""
    return (
        f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{top:.1f}' y2='{bottom:.1f}' stroke='{stroke}'"
        f" {more}/>"
    )


def interval_mark(low: float, high: float, y: float, stroke: str, width: float) -> str:
    """An interval as a thick line."""
    return (
        f"<line x1='{low:.1f}' x2='{high:.1f}' y1='{y:.1f}' y2='{y:.1f}' stroke='{stroke}'"
        f" stroke-width='{width}' stroke-linecap='round'/>"
    )


def side_mark(x: float, anchor: str, text: str) -> str:
    """What an end of the axis means, above the picture."""
    return (
        f"<text x='{x}' y='14' text-anchor='{anchor}' font-size='11.5'"
        f" opacity='.8'>{esc(text)}</text>"
    )


def tick_text(x: float, y: float, text: str, anchor: str) -> str:
    """A small text at a place of the picture."""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-size='11'"
        f" opacity='.8'>{esc(text)}</text>"
    )
