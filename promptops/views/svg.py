"""Pictures as inline SVG: what a saved notebook, a code host and a printed report can all show
without a script.

Every picture has a title for those who cannot see it. Names and numbers are above their row,
never beside it, so that a long name is shown whole and the text may grow where the page is narrow
(theme.STYLE). Text is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from ..markup import esc
from .strokes import (
    GRID,
    INK,
    TRACK,
    WIDTH,
    axis_line,
    axis_numbers,
    folded,
    grid_marks,
    head_line,
    interval_mark,
    scale_of,
    side_mark,
    tick_text,
    upright,
    wrap,
)
from .theme import BAD, GOOD, NEUTRAL, UNSURE, in_text

__all__ = [
    "GRID",
    "INK",
    "WIDTH",
    "Bar",
    "Point",
    "ForestRow",
    "disagreement",
    "folded",
    "forest",
    "gauge",
    "scatter",
    "strip",
    "wrap",
]


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One line of a forest plot, in percentage points (or percent): middle, interval, and the
    margin where one is declared.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    margin: float | None = None
    text: str = ""
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One dot with its interval on a 0-1 scale."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    colour: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """One dot: x (0 or more), y on a 0-1 scale with its interval; front: nothing else is as good
    and as cheap.
    """

    name: str
    x: float
    y: float
    low: float | None
    high: float | None
    colour: str
    front: bool = False


def forest(
    rows: Sequence[ForestRow], *, title: str, left: str, right: str, unit: str = "percentage points"
) -> str:
    """Differences with their intervals around zero; a declared margin is a dashed mark. left,
    right: what the sides mean.
    """
    ends = [
        v
        for row in rows
        for v in (row.value, row.low, row.high, -row.margin if row.margin is not None else None)
    ]
    known = [v for v in ends if v is not None and math.isfinite(v)]
    low, high, step = axis_line(min([0.0, *known]), max([0.0, *known]))
    if known and max(map(abs, known)) <= 100:
        low, high = max(low, -100.0), min(high, 100.0)  # there are no more points than these
    x = scale_of(low, high)
    out = [side_mark(2, "start", f"◂ {left}"), side_mark(WIDTH - 2, "end", f"{right} ▸")]
    y = 22.0
    for row in rows:
        head, y = head_line(row.name, row.text, y, bold=row.primary)
        out += [head, grid_marks(low, high, step, x, y), _forest_row(row, x, y)]
        y += TRACK + 3
    out.append(axis_numbers(low, high, step, x, y + 8, percent=False))
    out.append(tick_text(WIDTH / 2, y + 29, f"{unit}, with 90 % interval", "middle"))
    return wrap(
        "".join(out), WIDTH, y + 36, title + "".join(f"; {row.name} {row.text}" for row in rows)
    )


def _forest_row(row: ForestRow, x: Callable[[float], float], y: float) -> str:
    sure = row.low is not None and row.high is not None and (row.low > 0 or row.high < 0)
    colour = (GOOD if row.value > 0 else BAD) if sure else UNSURE if row.primary else NEUTRAL
    middle = y + TRACK / 2
    out = [upright(x(0), y, y + TRACK, INK, "stroke-width='1.4'")]
    if row.margin is not None:
        out.append(
            upright(x(-row.margin), y, y + TRACK, BAD, "stroke-dasharray='3 2' stroke-width='1.6'")
        )
    if row.low is not None and row.high is not None:
        out.append(
            interval_mark(x(row.low), x(row.high), middle, colour, 3.5 if row.primary else 2.5)
        )
    out.append(
        f"<circle cx='{x(row.value):.1f}' cy='{middle:.1f}' r='{5.5 if row.primary else 4.5}'"
        f" fill='{colour}'/>"
    )
    return "".join(out)


def gauge(value: float, low: float, high: float, *, title: str, margin: float | None = None) -> str:
    """One difference with its interval around zero, in percentage points, without words."""
    row = ForestRow("", value, low, high, margin, primary=True)
    ends = [0.0, value, low, high] + ([] if margin is None else [-margin])
    start, end, step = axis_line(min(ends), max(ends))
    start, end = max(start, -100.0), min(end, 100.0)
    x = scale_of(start, end)
    body = grid_marks(start, end, step, x, 2) + _forest_row(row, x, 2)
    numbers = axis_numbers(start, end, step, x, TRACK + 14, percent=False)
    return wrap(body + numbers, WIDTH, TRACK + 20, title)


def strip(
    bars: Sequence[Bar], *, title: str, axis: str = "score", low: float = 0.0, high: float = 1.0
) -> str:
    """One arm per row: its mean with its interval, on a common scale (percent if it is 0 to 1)."""
    percent = (low, high) == (0.0, 1.0)
    step = 0.2 if percent else axis_line(low, high)[2]
    x = scale_of(low, high)
    out, y = [], 2.0
    for bar in bars:
        head, y = head_line(bar.name, bar.text, y)
        out += [head, grid_marks(low, high, step, x, y)]
        middle = y + TRACK / 2
        if bar.low is not None and bar.high is not None:
            out.append(interval_mark(x(bar.low), x(bar.high), middle, bar.colour, 3.5))
        if bar.value is not None:
            out.append(
                f"<circle cx='{x(bar.value):.1f}' cy='{middle:.1f}' r='5.5' fill='{bar.colour}'/>"
            )
        y += TRACK + 3
    out.append(axis_numbers(low, high, step, x, y + 8, percent=percent))
    for line in folded(axis, 64):
        out.append(tick_text(WIDTH / 2, y + 29, line, "middle"))
        y += 15
    return wrap(
        "".join(out), WIDTH, y + 21, title + "".join(f"; {bar.name} {bar.text}" for bar in bars)
    )


def disagreement(wins: int, losses: int, ties: int, *, title: str, left: str, right: str) -> str:
    """How many examples the one and the other won, to scale, and how many did not change."""
    height, top = 56, 20
    scale = (WIDTH - 4) / max(wins + losses + ties, 1)
    spans = (
        (losses, BAD, f"{losses:,} {left}"),
        (ties, f"{GRID}66", f"{ties:,} unchanged"),
        (wins, GOOD, f"{wins:,} {right}"),
    )
    out, at = [], 2.0
    for count, colour, text in spans:
        w = count * scale
        out.append(
            f"<rect x='{at:.1f}' y='{top}' width='{max(w - 1, 0):.1f}' height='14' fill='{colour}'"
            f" rx='2'><title>{text}</title></rect>"
        )
        at += w
    out.append(
        f"<text x='2' y='13' fill='{in_text(BAD)}' font-weight='600'>▼ {esc(spans[0][2])}</text>"
    )
    out.append(
        f"<text x='{WIDTH - 2}' y='13' text-anchor='end' fill='{in_text(GOOD)}' font-weight='600'>▲"
        f" {esc(spans[2][2])}</text>"
    )
    out.append(tick_text(WIDTH / 2, 51, spans[1][2], "middle"))
    return wrap("".join(out), WIDTH, height, title)


@dataclass(frozen=True, slots=True)
class _Plane:
    """Where values are in a picture: the axes' ends and steps, and the margins around them."""

    x_axis: tuple[float, float, float]
    y_axis: tuple[float, float, float]
    top: float
    height: float = 300
    left: float = 62
    right: float = 26
    below: float = 50

    @classmethod
    def of(cls, points: Sequence[Point], top: float) -> _Plane:
        """The plane that holds the points with their intervals; x begins at 0, y is a share."""
        x_low, x_high, x_step = axis_line(0.0, max(point.x for point in points) or 1.0)
        values = [v for point in points for v in (point.y, point.low, point.high) if v is not None]
        y_low, y_high, y_step = axis_line(min(values), max(values))
        y_axis = (max(y_low, 0.0), min(y_high, 1.0), y_step)
        return cls((max(x_low, 0.0), x_high, x_step), y_axis, top)

    @property
    def bottom(self) -> float:
        return self.height - self.below

    def x(self, value: float) -> float:
        low, high, _ = self.x_axis
        return self.left + (value - low) / (high - low) * (WIDTH - self.left - self.right)

    def y(self, value: float) -> float:
        low, high, _ = self.y_axis
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)

    def ticks(self) -> list[str]:
        """The lines and figures of both axes."""
        out = []
        low, high, step = self.y_axis
        for k in range(round((high - low) / step) + 1):
            at = low + k * step
            out.append(
                f"<line x1='{self.left}' x2='{WIDTH - self.right}' y1='{self.y(at):.1f}'"
                f" y2='{self.y(at):.1f}' stroke='{GRID}' stroke-opacity='.3'/>"
            )
            out.append(tick_text(self.left - 8, self.y(at) + 4, f"{100 * at:.3g} %", "end"))
        low, high, step = self.x_axis
        for k in range(round((high - low) / step) + 1):
            at = low + k * step
            out.append(tick_text(self.x(at), self.bottom + 18, f"{at:.3g}", "middle"))
        return out


_Box = tuple[float, float, float, float]  # left, top, right, bottom
_LETTER = 6.6  # the mean width of a letter of a name, in pixels
_SHIFTS = (0, 15, -15, 30, -30, 45, -45, 60, -60, 75, -75)  # of a name from its point


def scatter(points: Sequence[Point], *, title: str, x_axis: str, y_axis: str) -> str:
    """Quality against a cost: up and to the left is better; the front is joined by a line."""
    names = folded(y_axis, 64)
    plane = _Plane.of(points, top=14 + 16 * len(names))
    out = [tick_text(2, 13 + 16 * place, line, "start") for place, line in enumerate(names)]
    out += plane.ticks()
    front = sorted((point for point in points if point.front), key=lambda point: point.x)
    if len(front) > 1:
        path = " ".join(f"{plane.x(point.x):.1f},{plane.y(point.y):.1f}" for point in front)
        out.append(
            f"<polyline points='{path}' fill='none' stroke='{GRID}' stroke-dasharray='4 3'/>"
        )
    placed = [(plane.x(point.x), plane.y(point.y), point) for point in points]
    for x, y, point in placed:
        if point.low is not None and point.high is not None:
            look = "stroke-width='2.5' stroke-linecap='round'"
            out.append(upright(x, plane.y(point.high), plane.y(point.low), point.colour, look))
        out.append(
            f"<circle cx='{x:.1f}' cy='{y:.1f}' r='6'"
            f" fill='{point.colour}'><title>{esc(point.name)}</title></circle>"
        )
    out += _labels(placed, plane.top, plane.bottom)
    middle = plane.left + (WIDTH - plane.left - plane.right) / 2
    out.append(tick_text(middle, plane.height - 8, x_axis, "middle"))
    said = "".join(f"; {point.name} {100 * point.y:.1f} % at {point.x:.3g}" for point in points)
    return wrap("".join(out), WIDTH, plane.height, title + said)


def _labels(placed: list[tuple[float, float, Point]], top: float, bottom: float) -> list[str]:
    """The points' names beside them, on the side that has room, moved apart where they would lie on
    each other or on a point; those of the front first. A name without a place is left to the
    point's title.
    """
    out: list[str] = []
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y, _ in placed]
    for x, y, point in sorted(placed, key=lambda one: (not one[2].front, one[1])):
        name = folded(point.name, 28)
        shown = name[0] + ("…" if len(name) > 1 else "")
        width = _LETTER * len(shown)
        for shift, left in product(_SHIFTS, sorted((False, True), reverse=x > WIDTH * 0.6)):
            at, start = y + 4 + shift, x - 11 - width if left else x + 11
            box = (start, at - 11, start + width, at + 4)
            inside = start >= 0 and box[2] <= WIDTH and top <= box[1] and at <= bottom - 2
            if inside and not any(_meet(box, other) for other in taken):
                taken.append(box)
                out.append(
                    f"<text x='{x + (-11 if left else 11):.1f}' y='{at:.1f}'"
                    f" text-anchor='{'end' if left else 'start'}'"
                    f" font-weight='{600 if point.front else 400}'>{esc(shown)}</text>"
                )
                break
    return out


def _meet(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
