"""The frame of a picture whose x axis is time: levels with their numbers, marks of what was
deployed, words; shared by evidence, scores and live calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..markup import esc
from . import svg
from .theme import in_text

__all__ = ["Frame", "dot", "line", "words"]


@dataclass(frozen=True, slots=True)
class Frame:
    """Sizes in pixels: the picture's, and what is left free around the plot."""

    height: int = 240
    width: int = svg.WIDTH
    left: int = 62
    right: int = 26
    top: int = 30
    bottom: int = 44

    def x(self, share: float) -> float:
        """The place of a share of the time, 0 to 1."""
        return self.left + share * (self.width - self.left - self.right)

    def y(self, share: float) -> float:
        """The place of a share of the scale, 0 at its foot."""
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)

    def level(self, y: float, name: str = "", tint: str = svg.GRID, *, dashed: bool = False) -> str:
        """A line from side to side, with its number at the left."""
        dash = " stroke-dasharray='4 3'" if dashed else " stroke-opacity='.3'"
        end = self.width - self.right
        number = words(self.left - 8, y + 4, name, "end") if name else ""
        return (
            f"<line x1='{self.left}' x2='{end}' y1='{y:.1f}' y2='{y:.1f}'"
            f" stroke='{tint}'{dash}/>{number}"
        )

    def mark(self, x: float, tint: str, name: str = "", row: int = 0) -> str:
        """An upright line at a moment, with its name beside its top, on the side that has room.
        row: how many names are above this one.
        """
        anchor, shift = ("end", -4) if x > self.width * 0.7 else ("start", 4)
        named = (
            f"<text x='{x + shift:.1f}' y='{self.top + 8 + 13 * row}' text-anchor='{anchor}'"
            f" font-size='11' fill='{in_text(tint)}'>{esc(name)}</text>"
            if name
            else ""
        )
        return (
            f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{self.top}' y2='{self.height - self.bottom}'"
            f" stroke='{tint}' stroke-dasharray='3 2'/>{named}"
        )

    def ends(self, first: str, last: str) -> str:
        """The first and the last moment, below the plot."""
        foot = self.height - 12
        start = words(self.left, foot, first, "start")
        return start + words(self.width - self.right, foot, last, "end")


def words(x: float, y: float, text: str, anchor: str) -> str:
    """Text of the picture's own."""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-size='11'"
        f" opacity='.75'>{esc(text)}</text>"
    )


def line(points: Sequence[tuple[float, float]], tint: str, *, dashed: bool = False) -> str:
    """A line through the points."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = " stroke-dasharray='5 3'" if dashed else ""
    return f"<polyline points='{path}' fill='none' stroke='{tint}' stroke-width='2'{dash}/>"


def dot(x: float, y: float, tint: str, size: float = 2.5) -> str:
    """A point."""
    return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{size:g}' fill='{tint}'/>"
