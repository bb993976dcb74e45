"""Tables on a terminal: aligned for people, tab-separated in a pipe, JSON where asked."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..markup import plain
from .folding import tell

__all__ = ["show"]

_BETWEEN = 2  # blanks between two columns
_COPIED = 24  # characters of a word that is never parted
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}")


def show(
    rows: Sequence[Mapping[Any, Any]], *, as_json: bool = False, empty: str = "nothing to show"
) -> None:
    """Print rows that share their keys."""
    if as_json:
        click.echo(
            json.dumps([dict(row) for row in rows], ensure_ascii=False, default=str, indent=2)
        )
        return
    if not rows:
        click.echo(empty, err=True)
        return
    if not sys.stdout.isatty():
        click.echo("\t".join(rows[0]))
        for row in rows:
            click.echo("\t".join(_cell(value).replace("\t", " ") for value in row.values()))
        return
    _printed(rows)


def _printed(rows: Sequence[Mapping[Any, Any]]) -> None:
    """A table, or where it is too wide for the terminal a block per row."""
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, highlight=False)
    widths = _fitting([_Column(name, rows) for name in rows[0]], console.width)
    if not widths:
        _blocks(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in widths:
        table.add_column(
            column.name, justify="right" if column.numeric else "left", width=column.width
        )
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table)


class _Column:
    """least: what its longest word takes, or the whole of what is not parted; width: as given."""

    def __init__(self, name: Any, rows: Sequence[Mapping[Any, Any]]) -> None:
        from rich.cells import cell_len  # a Chinese character takes two places

        values = [row[name] for row in rows]
        self.name = str(name)
        self.numeric = all(
            isinstance(value, (int, float)) and not isinstance(value, bool) for value in values
        )
        cells = [self.name, *map(_cell, values)]
        whole = self.numeric or all(map(_whole, cells[1:]))
        self.width = max(map(cell_len, cells))
        self.least = self.width if whole else max(map(cell_len, " ".join(cells).split()))


def _fitting(columns: list[_Column], width: int) -> list[_Column]:
    """The columns, the widest made narrower until all are within the width; [] if they cannot."""
    over = sum(column.width + _BETWEEN for column in columns) - _BETWEEN - width
    while over > 0:
        loose = [column for column in columns if column.width > column.least]
        if not loose:
            return []
        max(loose, key=lambda column: column.width).width -= 1
        over -= 1
    return columns


def _blocks(rows: Sequence[Mapping[Any, Any]]) -> None:
    first, *others = rows[0]
    indent = max(map(len, map(str, others)), default=0) + 2
    for row in rows:
        click.echo(click.style(_cell(row[first]), bold=True))
        for name in others:
            tell(f"  {name:<{indent}}{_cell(row[name])}")


def _whole(cell: str) -> bool:
    """Whether a cell stays on one line: an id, a date, a name, which somebody may copy."""
    return len(cell) <= _COPIED and (" " not in cell or _MOMENT.fullmatch(cell) is not None)


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return " ".join(plain(value).split())
