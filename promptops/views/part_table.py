"""The gain on each part of the examples, a model or a task, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..analysis import words
from ..markup import esc
from .grid import GridColumn, grid

if TYPE_CHECKING:
    from ..analysis.part_gain import PartGain

__all__ = ["part_table"]


def part_table(
    part: str, parts: Sequence[PartGain], candidate: str, baseline: str, *, caption: str
) -> str:
    """A row per part. Safe markup.

    Args:
        part: what a part is: "model" or "task".
        parts: in the order of the rows.
        candidate, baseline: the labels of the two versions.
        caption: what the table says, in words.
    """
    columns: list[GridColumn | str] = [
        part,
        GridColumn(baseline, number=True),
        GridColumn(candidate, number=True),
        GridColumn("difference (90 % interval)", number=True),
        GridColumn("improved : regressed", number=True),
        GridColumn("n", number=True),
    ]
    rows = [
        [
            esc(one.name),
            esc(words.percent(one.baseline)),
            esc(words.percent(one.candidate)),
            f"{esc(words.points(one.gain).removesuffix(' points'))}"
            f"<span class='ci'>{esc(words.interval(one.low, one.high))}</span>",
            f"{one.wins:,} : {one.losses:,}",
            f"{one.n:,}",
        ]
        for one in parts
    ]
    return grid(columns, rows, caption=caption)
