"""Pictures as inline SVG: what a saved notebook, a code host and a printed report can all show without a script.

Every picture has a title for those who cannot see it. Text is escaped here; colours come from the theme.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..markup import esc
from .theme import BAD, GOOD, NEUTRAL, UNSURE

__all__ = ["Bar", "Point", "Row", "disagreement", "forest", "scatter", "strip", "wrap"]

INK, GRID = "currentColor", "#9aa4af"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a forest plot, in percentage points (or per cent): middle, interval, and the margin where one is declared."""

    name: str
    value: float
    low: float | None
    high: float | None
    margin: float | None = None
    said: str = ""
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One dot with its interval on a 0-1 scale."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    colour: str
    said: str = ""


def wrap(body: str, width: int, height: int, title: str) -> str:
    """An SVG of this size that says what it shows."""
    return (
        f"<svg role='img' aria-label='{esc(title)}' viewBox='0 0 {width} {height}' width='{width}' height='{height}' "
        f"font-size='12' fill='{INK}' xmlns='http://www.w3.org/2000/svg'><title>{esc(title)}</title>{body}</svg>"
    )


def forest(rows: Sequence[Row], *, title: str, left: str, right: str, unit: str = "percentage points") -> str:
    """Differences with their intervals around zero; a declared margin is a dashed mark. left, right: what the sides mean."""
    known = [
        v
        for row in rows
        for v in (row.value, row.low, row.high, -row.margin if row.margin is not None else None)
        if v is not None and math.isfinite(v)
    ]
    low, high, step = _axis(min([0.0, *known]), max([0.0, *known]))
    width, name_w, said_w, row_h, top = 760, 236, 196, 26, 24
    plot = width - name_w - said_w
    height = top + row_h * len(rows) + 42

    def x(value: float) -> float:
        return name_w + (value - low) / (high - low) * plot

    out = [_grid(low, high, step, x, top, top + row_h * len(rows))]
    out.append(f"<line x1='{x(0):.1f}' x2='{x(0):.1f}' y1='{top - 4}' y2='{top + row_h * len(rows)}' stroke='{INK}' stroke-width='1.2'/>")
    out.append(f"<text x='{x(0) - 6:.1f}' y='12' text-anchor='end' opacity='.75' font-size='11'>{esc(left)}</text>")
    out.append(f"<text x='{x(0) + 6:.1f}' y='12' opacity='.75' font-size='11'>{esc(right)}</text>")
    for index, row in enumerate(rows):
        out.append(_forest_row(row, top + row_h * index + row_h / 2, x, width, name_w))
    out.append(
        f"<text x='{name_w + plot / 2:.0f}' y='{height - 6}' text-anchor='middle' opacity='.75' font-size='11'>{esc(unit)}, with 90 % interval</text>"
    )
    return wrap("".join(out), width, height, title)


def _forest_row(row: Row, y: float, x: object, width: int, name_w: int) -> str:
    at = x  # a function of the value
    assert callable(at)
    sure = row.low is not None and row.high is not None and (row.low > 0 or row.high < 0)
    colour = (GOOD if row.value > 0 else BAD) if sure else UNSURE if row.primary else NEUTRAL
    weight = "600" if row.primary else "400"
    out = [f"<text x='{name_w - 10}' y='{y + 4:.1f}' text-anchor='end' font-weight='{weight}'>{esc(_cut(row.name, 34))}</text>"]
    if row.margin is not None:
        edge = at(-row.margin)
        out.append(
            f"<line x1='{edge:.1f}' x2='{edge:.1f}' y1='{y - 11:.1f}' y2='{y + 11:.1f}' stroke='{BAD}' stroke-dasharray='3 2' stroke-width='1.5'/>"
        )
    if row.low is not None and row.high is not None:
        out.append(
            f"<line x1='{at(row.low):.1f}' x2='{at(row.high):.1f}' y1='{y:.1f}' y2='{y:.1f}' stroke='{colour}' stroke-width='{3 if row.primary else 2}' stroke-linecap='round'/>"
        )
    out.append(f"<circle cx='{at(row.value):.1f}' cy='{y:.1f}' r='{5 if row.primary else 4}' fill='{colour}'/>")
    out.append(f"<text x='{width - 186}' y='{y + 4:.1f}' font-size='11.5' font-weight='{weight}'>{esc(row.said)}</text>")
    return "".join(out)


def strip(bars: Sequence[Bar], *, title: str, axis: str = "score", low: float = 0.0, high: float = 1.0) -> str:
    """One arm a row: its mean with its interval, on a common scale (percent where it is 0 to 1)."""
    width, name_w, said_w, row_h, top = 760, 236, 196, 26, 8
    plot = width - name_w - said_w
    height = top + row_h * len(bars) + 40
    percent = (low, high) == (0.0, 1.0)

    def x(value: float) -> float:
        return name_w + (value - low) / ((high - low) or 1.0) * plot

    step = 0.2 if percent else _axis(low, high)[2]
    out = [_grid(low, high, step, x, top, top + row_h * len(bars), percent)]
    for index, bar in enumerate(bars):
        y = top + row_h * index + row_h / 2
        out.append(f"<text x='{name_w - 10}' y='{y + 4:.1f}' text-anchor='end'>{esc(_cut(bar.name, 34))}</text>")
        if bar.low is not None and bar.high is not None:
            out.append(
                f"<line x1='{x(bar.low):.1f}' x2='{x(bar.high):.1f}' y1='{y:.1f}' y2='{y:.1f}' stroke='{bar.colour}' stroke-width='3' stroke-linecap='round'/>"
            )
        if bar.value is not None:
            out.append(f"<circle cx='{x(bar.value):.1f}' cy='{y:.1f}' r='5' fill='{bar.colour}'/>")
        out.append(f"<text x='{width - 186}' y='{y + 4:.1f}' font-size='11.5'>{esc(bar.said)}</text>")
    out.append(f"<text x='{name_w + plot / 2:.0f}' y='{height - 6}' text-anchor='middle' opacity='.75' font-size='11'>{esc(axis)}</text>")
    return wrap("".join(out), width, height, title)


def disagreement(wins: int, losses: int, ties: int, *, title: str, left: str, right: str) -> str:
    """How many examples the one and the other won, to scale, and how many were alike."""
    width, height, top = 760, 56, 20
    total = max(wins + losses + ties, 1)
    scale = (width - 4) / total
    spans = ((losses, BAD, f"{losses:,} {left}"), (ties, "#9aa4af66", f"{ties:,} alike"), (wins, GOOD, f"{wins:,} {right}"))
    out, at = [], 2.0
    for count, colour, said in spans:
        w = count * scale
        out.append(
            f"<rect x='{at:.1f}' y='{top}' width='{max(w - 1, 0):.1f}' height='14' fill='{colour}' rx='2'><title>{esc(said)}</title></rect>"
        )
        at += w
    out.append(f"<text x='2' y='13' font-size='11.5' fill='{BAD}' font-weight='600'>{esc(spans[0][2])}</text>")
    out.append(f"<text x='{width - 2}' y='13' text-anchor='end' font-size='11.5' fill='{GOOD}' font-weight='600'>{esc(spans[2][2])}</text>")
    out.append(f"<text x='{width / 2:.0f}' y='50' text-anchor='middle' font-size='11' opacity='.75'>{esc(spans[1][2])}</text>")
    return wrap("".join(out), width, height, title)


def _axis(low: float, high: float) -> tuple[float, float, float]:
    """(low, high, step) of a tidy axis that holds the range with some air."""
    span = (high - low) or 1.0
    low, high = low - 0.06 * span, high + 0.06 * span
    rough = (high - low) / 6
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    return math.floor(low / step) * step, math.ceil(high / step) * step, step


def _grid(low: float, high: float, step: float, x: object, top: float, bottom: float, percent: bool = False) -> str:
    at = x
    assert callable(at)
    out = []
    for k in range(round((high - low) / step) + 1):
        value = low + k * step
        text = f"{100 * value:.0f} %" if percent else f"{value:+g}".replace("-", "−") if abs(value) > step / 1e6 else "0"
        out.append(f"<line x1='{at(value):.1f}' x2='{at(value):.1f}' y1='{top}' y2='{bottom}' stroke='{GRID}' stroke-opacity='.3'/>")
        out.append(f"<text x='{at(value):.1f}' y='{bottom + 15}' text-anchor='middle' font-size='11' opacity='.75'>{esc(text)}</text>")
    return "".join(out)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


@dataclass(frozen=True, slots=True)
class Point:
    """One dot: x (0 or more), y on a 0-1 scale with its interval; front: nothing else is as good and as cheap."""

    name: str
    x: float
    y: float
    low: float | None
    high: float | None
    colour: str
    front: bool = False


def scatter(points: Sequence[Point], *, title: str, x_axis: str, y_axis: str) -> str:
    """Quality against a cost: up and to the left is better; the front is joined by a line."""
    width, height, left, right, top, bottom = 760, 300, 70, 150, 14, 48
    x_low, x_high, x_step = _axis(0.0, max(point.x for point in points))
    y_values = [v for point in points for v in (point.y, point.low, point.high) if v is not None]
    y_low, y_high, y_step = _axis(min(y_values), max(y_values))
    x_low, y_low, y_high = max(x_low, 0.0), max(y_low, 0.0), min(y_high, 1.0)

    def x(value: float) -> float:
        return left + (value - x_low) / (x_high - x_low) * (width - left - right)

    def y(value: float) -> float:
        return height - bottom - (value - y_low) / (y_high - y_low) * (height - top - bottom)

    out = []
    for k in range(round((y_high - y_low) / y_step) + 1):
        at = y_low + k * y_step
        out.append(f"<line x1='{left}' x2='{width - right}' y1='{y(at):.1f}' y2='{y(at):.1f}' stroke='{GRID}' stroke-opacity='.3'/>")
        out.append(f"<text x='{left - 8}' y='{y(at) + 4:.1f}' text-anchor='end' font-size='11' opacity='.75'>{100 * at:.3g} %</text>")
    for k in range(round((x_high - x_low) / x_step) + 1):
        at = x_low + k * x_step
        out.append(f"<text x='{x(at):.1f}' y='{height - bottom + 16}' text-anchor='middle' font-size='11' opacity='.75'>{at:.3g}</text>")
    front = sorted((point for point in points if point.front), key=lambda point: point.x)
    if len(front) > 1:
        path = " ".join(f"{x(point.x):.1f},{y(point.y):.1f}" for point in front)
        out.append(f"<polyline points='{path}' fill='none' stroke='{GRID}' stroke-dasharray='4 3'/>")
    for point in points:
        if point.low is not None and point.high is not None:
            out.append(
                f"<line x1='{x(point.x):.1f}' x2='{x(point.x):.1f}' y1='{y(point.low):.1f}' y2='{y(point.high):.1f}' stroke='{point.colour}' stroke-width='2'/>"
            )
        out.append(
            f"<circle cx='{x(point.x):.1f}' cy='{y(point.y):.1f}' r='6' fill='{point.colour}'><title>{esc(point.name)}</title></circle>"
        )
        out.append(
            f"<text x='{x(point.x) + 10:.1f}' y='{y(point.y) + 4:.1f}' font-weight='{600 if point.front else 400}'>{esc(_cut(point.name, 20))}</text>"
        )
    out.append(
        f"<text x='{left + (width - left - right) / 2:.0f}' y='{height - 8}' text-anchor='middle' font-size='11' opacity='.75'>{esc(x_axis)}</text>"
    )
    out.append(
        f"<text x='14' y='{height / 2:.0f}' font-size='11' opacity='.75' text-anchor='middle' transform='rotate(-90 14 {height / 2:.0f})'>{esc(_cut(y_axis, 44))}</text>"
    )
    return wrap("".join(out), width, height, title)
