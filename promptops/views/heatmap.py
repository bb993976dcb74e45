"""Where two versions differ, by tag and measure, as inline SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import words
from ..errors import PromptOpsError
from ..markup import esc, shorten
from .grid import GridColumn, breaking, grid
from .theme import BAD, GOOD, NEUTRAL

if TYPE_CHECKING:
    from ..analysis.slices import Slice
    from ..lab.comparison import Comparison

__all__ = ["heatmap"]


_TAGS, _LEAST = 12, 5  # tags in the heatmap, examples of each
_NAME = 40  # characters of a tag's name


def heatmap(comparison: Comparison) -> str:
    """Difference by tag (rows) and scorer (columns), the tags with the most examples; colour says
    how far from alike.
    """
    if not comparison.grounds.tags:
        return ""
    names = [
        figures.name
        for figures in comparison.differences
        if figures.name in comparison.candidate.scores
    ][:6]
    found: dict[str, dict[str, Slice]] = {}
    for name in names:
        try:
            for part in comparison.slices(name).rows:
                if part.n >= _LEAST:
                    found.setdefault(part.name, {})[name] = part
        except PromptOpsError:
            continue
    tags = sorted(found, key=lambda tag: -max(row.n for row in found[tag].values()))[:_TAGS]
    if not tags:
        return ""
    most = max((abs(row.gain) for tag in tags for row in found[tag].values()), default=0.0) or 1.0
    rows = []
    for tag in tags:
        n = max(row.n for row in found[tag].values())
        rows.append(
            (
                f"{esc(shorten(tag, _NAME))} <span class='dim'>n={n:,}</span>",
                *(_warmth(found[tag].get(name), most) for name in names),
            )
        )
    far = max((row for tag in tags for row in found[tag].values()), key=lambda row: abs(row.gain))
    where = f"{shorten(far.name, _NAME)}: {words.points(far.gain)}"
    title = f"{comparison.candidate.label} differs most on {where}"
    note = (
        "Percentage points by tag and scorer, exploratory; * marks a false discovery rate of 10 %."
    )
    table = grid(
        ["tag", *(GridColumn(name, number=True, shown=breaking(name)) for name in names)],
        rows,
        caption=title,
    )
    return (
        f"<p class='dim'>{esc(title)}. {note}</p>{table.replace('po-grid', 'po-heat po-grid', 1)}"
    )


def _warmth(row: Slice | None, most: float) -> str:
    """A difference on its colour, the stronger the farther from alike; the text stays in the page's
    own ink.
    """
    if row is None:
        return "–"
    tint = NEUTRAL if abs(row.gain) < 1e-12 else GOOD if row.gain > 0 else BAD
    strength = round(16 + 90 * abs(row.gain) / most)
    text = f"{words.signed(100 * row.gain)}{'*' if row.marked else ''}"
    return f"<span class='po-warm' style='background:{tint}{strength:02x}'>{esc(text)}</span>"
