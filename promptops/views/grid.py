"""Tables that read at any width: columns where there is room; where there is not, a block per row
with each cell's column named.

The change is the style's (theme.STYLE), so a page without styles still has a plain table. Measures
are rows and versions are columns, since names of measures are long and labels of versions short;
many versions go on below, a few at a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..markup import esc

__all__ = ["GridColumn", "breaking", "grid", "measures", "short"]

_ABREAST = 6  # versions side by side: what 640 pixels hold with an interval each
_WORD = 22  # characters that a cell keeps on one line
_FEW = 4  # columns that fit beside each other until it is very narrow
_SIGNS = re.compile(r"[_(),.:/=>]+")


@dataclass(frozen=True, slots=True)
class GridColumn:
    """One column. name: text; number: aligned by its digits; shown: safe markup in the place of the
    name.
    """

    name: str
    number: bool = False
    shown: str = ""


def breaking(name: str) -> str:
    """A name as safe markup that may go on in the next line after a sign, and nowhere else."""
    out, at = [], 0
    for match in _SIGNS.finditer(name):
        out.append(esc(name[at : match.end()]))
        at = match.end()
    return "<wbr>".join([*out, esc(name[at:])]) if at < len(name) else "<wbr>".join(out)


def short(text: str) -> str:
    """A word or two as safe markup that stays on one line; longer text as it is, which may
    break.
    """
    return f"<span class='po-whole'>{esc(text)}</span>" if len(text) <= _WORD else esc(text)


def grid(
    columns: Sequence[GridColumn | str],
    rows: Sequence[Sequence[str]],
    *,
    caption: str = "",
    wide: bool = False,
) -> str:
    """A table.

    Args:
        rows: safe markup, a cell per column.
        caption: text for those who cannot see it.
        wide: whether it takes the whole width.
    """
    named = [GridColumn(column) if isinstance(column, str) else column for column in columns]
    head = "".join(
        f"<th scope='col'{_NUM if column.number else ''}>{column.shown or esc(column.name)}</th>"
        for column in named
    )
    tags = [
        f"<td{_NUM if column.number else ''} data-label='{esc(column.name)}'>" for column in named
    ]
    body = "".join(
        "<tr>" + "".join(f"{tag}{cell}</td>" for tag, cell in zip(tags, row, strict=True)) + "</tr>"
        for row in rows
    )
    label = f" aria-label='{esc(caption)}'" if caption else ""
    kind = ("po-grid" if len(named) > _FEW else "po-grid po-few") + (" po-wide" if wide else "")
    return (
        f"<table class='{kind}'{label}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def measures(
    versions: Sequence[GridColumn], rows: Sequence[tuple[str, Sequence[str]]], *, caption: str = ""
) -> str:
    """A row per measure, a column per version, some versions at a time. rows: (name as safe
    markup, a cell of safe markup a version).
    """
    parts = []
    for at in range(0, len(versions), _ABREAST):
        part = slice(at, at + _ABREAST)
        parts.append(
            grid(
                ["metric", *versions[part]],
                [[name, *cells[part]] for name, cells in rows],
                caption=caption,
            )
        )
    return "".join(parts)


_NUM = " class='num'"
